"""The runner of workflows: it does what GitHub does, and what it does not know is an error."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.samples import workflow_runner
from tests.samples.workflow_expressions import ExpressionError, evaluate, filled
from tests.samples.workflow_runner import Edge, StepFailed, Used, WorkflowRunner, jobs_in_order

CONTEXTS = {
    "github": {"event": {"client_payload": {"key": "q-1", "objects": ["a", "b"]}}, "sha": "c0ffee"},
    "inputs": {"key": "", "on": "true"},
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("github.sha", "c0ffee"),
        ("github.event.client_payload.key", "q-1"),
        ("github.event.client_payload.release", None),
        ("inputs.key || github.sha", "c0ffee"),
        ("inputs.on && github.sha", "c0ffee"),
        ("inputs.on == 'true'", True),
        ("inputs.on != 'true'", False),
        ("!(inputs.key == '')", False),
        ("'it''s'", "it's"),
        ("format('data-{0}-{1}', github.sha, inputs.on)", "data-c0ffee-true"),
        ("join(github.event.client_payload.objects, fromJSON('\"\\n\"'))", "a\nb"),
        ("always()", True),
    ],
)
def test_an_expression_has_the_value_that_github_gives_it(expression: str, value: object) -> None:
    assert evaluate(expression, CONTEXTS) == value


@pytest.mark.parametrize(
    "expression",
    [
        "githab.sha",
        "github.shaa",
        "inputs.unknown",
        "secrets.X",
        "nothing()",
        "github.sha github.sha",
        "(",
        "1 + 1",
        "",
    ],
)
def test_what_is_not_known_is_an_error(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, CONTEXTS)


def test_nothing_is_written_for_null_and_truth_is_in_small_letters() -> None:
    assert filled("[${{ github.event.nothing }}] ${{ inputs.on == 'true' }}", CONTEXTS) == "[] true"


def test_a_job_comes_after_those_that_it_needs() -> None:
    jobs = {"c": {"needs": ["a", "b"]}, "b": {"needs": "a"}, "a": {}}
    assert jobs_in_order(jobs) == ["a", "b", "c"]


@pytest.mark.parametrize("jobs", [{"a": {"needs": "b"}, "b": {"needs": "a"}}, {"a": {"needs": "nobody"}}])
def test_jobs_that_can_never_begin_are_an_error(jobs: dict[str, dict[str, str]]) -> None:
    with pytest.raises(StepFailed, match="wait for each other"):
        jobs_in_order(jobs)


WORKFLOW = """
on: push
jobs:
  second:
    needs: first
    environment: staging
    steps:
      - run: test "$GREETING" = "hello from staging"
        env: {GREETING: "${{ needs.first.outputs.said }} from ${{ vars.PLACE }}"}
  first:
    outputs: {said: "${{ steps.say.outputs.said }}"}
    steps:
      - uses: actions/checkout@sha
      - run: echo said=hello >> "$GITHUB_OUTPUT"
        id: say
      - run: exit 1
        if: inputs.never == 'true'
"""


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkflowRunner:
    """A runner with one workflow, `w.yml`, of a repository with one commit."""
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "w.yml").write_text(
        WORKFLOW.replace("on: push", "on: {workflow_call: {inputs: {never: {}}}}")
    )
    monkeypatch.setattr(workflow_runner, "GITHUB", tmp_path)

    def checkout(folder: Path) -> None:
        folder.mkdir(parents=True)
        author = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        for words in (["init", "-q"], [*author, "commit", "-q", "--allow-empty", "-m", "first"]):
            subprocess.run(["git", *words], cwd=folder, check=True)

    def nothing(used: Used) -> dict[str, str]:
        return {}

    variables = {"": {}, "staging": {"PLACE": "staging"}}
    return WorkflowRunner(
        tmp_path / "place", Edge(checkout, {"actions/checkout": nothing}, variables=variables)
    )


def change(runner: WorkflowRunner, good: str, bad: str) -> None:
    path = workflow_runner.GITHUB / "workflows" / "w.yml"
    text = path.read_text()
    assert good in text
    path.write_text(text.replace(good, bad))


def test_jobs_run_in_order_and_hand_on_what_they_put_out(runner: WorkflowRunner) -> None:
    runner.run("w.yml")
    assert [ran.job for ran in runner.ran] == ["w.yml/first", "w.yml/second"]


@pytest.mark.parametrize(
    ("good", "bad", "why"),
    [
        ("hello from staging", "another greeting", "ended with 1"),
        ("echo said=hello", "echoo said=hello", "ended with 127"),
        ("echo said=hello", "false | echo said=hello", "ended with 1"),
        ("actions/checkout@sha", "actions/unknown@sha", "nothing stands for the action"),
        ("environment: staging", "environment: stagin", "there is no environment"),
        ("    needs: first\n", "    needs: first\n    strategy: {}\n", "knows no `strategy`"),
    ],
)
def test_a_typing_error_anywhere_fails_the_run(runner: WorkflowRunner, good: str, bad: str, why: str) -> None:
    change(runner, good, bad)
    with pytest.raises(StepFailed, match=why):
        runner.run("w.yml")


def test_make_is_asked_only_whether_it_knows_the_target(runner: WorkflowRunner) -> None:
    change(runner, "echo said=hello", "make no-such-target; echo said=hello")
    with pytest.raises(StepFailed, match="No rule to make target"):
        runner.run("w.yml")
