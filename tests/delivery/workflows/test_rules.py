"""Our own rules for the workflows, and the table of their variables and secrets in docs/ci.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.samples.workflow_expressions import evaluate, filled
from tests.samples.workflow_files import (
    ACTIONS,
    CLOUD_BUILDS,
    GITHUB,
    ROOT,
    RULES,
    WORKFLOWS,
    commands_of,
    read,
    with_logic,
)
from tests.samples.workflow_runner import title

GOOD = """
on: push
permissions: {}
concurrency: {group: a, cancel-in-progress: false}
defaults: {run: {shell: bash}}
jobs:
  job:
    permissions: {contents: read}
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2
      - uses: ./.github/actions/set-up
        with: {environments: dev}
      - run: make check
"""
BROKEN = [
    ("unpinned", "de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "v6"),
    ("unpinned", " # v6.0.2", ""),
    ("without_permissions", "permissions: {}", "permissions: {contents: write}"),
    ("without_permissions", "    permissions: {contents: read}\n", ""),
    ("without_time_limit", "    timeout-minutes: 5\n", ""),
    ("without_concurrency", "cancel-in-progress: false", "other: false"),
    ("with_cache_and_identity", "{contents: read}", "{contents: read, id-token: write}"),
    ("without_strict_shell", "defaults: {run: {shell: bash}}\n", ""),
    ("with_logic", "make check", "make check && make bench"),
    ("with_logic", "make check", "if true; then make check; fi"),
    ("with_expression_in_command", "make check", "make check A=${{ github.head_ref }}"),
]
TABLE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", RULES)
def test_a_good_workflow_breaks_no_rule(rule: str) -> None:
    assert RULES[rule](GOOD) == []


@pytest.mark.parametrize(("rule", "good", "bad"), BROKEN)
def test_a_broken_workflow_breaks_its_rule(rule: str, good: str, bad: str) -> None:
    assert good in GOOD
    assert RULES[rule](GOOD.replace(good, bad)) != []


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_our_workflows_keep_the_rules(path: Path, rule: str) -> None:
    assert RULES[rule](path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("rule", ["unpinned", "with_logic", "with_expression_in_command"])
@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.parent.name)
def test_our_actions_keep_the_rules(path: Path, rule: str) -> None:
    assert RULES[rule](path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", CLOUD_BUILDS, ids=lambda path: path.name)
def test_steps_of_cloud_build_have_no_logic(path: Path) -> None:
    assert with_logic(path.read_text(encoding="utf-8")) == []


def used(kind: str) -> set[str]:
    texts = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    return set(re.findall(rf"\b{kind}\.(\w+)", texts))


@pytest.mark.parametrize(("kind", "word"), [("vars", "variable"), ("secrets", "secret")])
def test_the_docs_name_every_variable_and_secret_and_no_other(kind: str, word: str) -> None:
    documented = set(re.findall(rf"^\| `(\w+)` \| {word} \|", TABLE, re.MULTILINE))
    assert documented == used(kind)


@pytest.mark.parametrize("path", CLOUD_BUILDS, ids=lambda path: path.name)
def test_the_docs_name_every_substitution_and_every_command_uses_those_that_there_are(path: Path) -> None:
    build = read(path.read_text(encoding="utf-8"))
    rows = [
        row for row in re.findall(r"^\| (`_.*)", TABLE, re.MULTILINE) if path.name in row or "| all |" in row
    ]
    assert set(re.findall(r"`(_\w+)`", "".join(rows))) == set(build["substitutions"])
    named = " ".join([*commands_of(build), str(build.get("artifacts", ""))])
    assert set(re.findall(r"\$\{?(_[A-Z_]+)", named)) == set(build["substitutions"])


def test_every_workflow_is_in_the_table_of_flows() -> None:
    named = set(re.findall(r"`([\w-]+\.yml)`", TABLE.partition("## Environments")[0]))
    assert named == {path.name for path in WORKFLOWS}


def test_every_environment_is_in_the_table_with_those_that_use_it() -> None:
    documented = {
        (file, name)
        for name, files in re.findall(
            r"^\| `(\w+)` \| (`.*?`) \|", TABLE.partition("## Environments")[2], re.MULTILINE
        )
        for file in re.findall(r"`([\w-]+\.yml)`", files)
    }
    found = set()
    for path in WORKFLOWS:
        for job in read(path.read_text(encoding="utf-8"))["jobs"].values():
            name = job.get("environment", "")
            if name:
                found |= {
                    (path.name, each) for each in (("staging", "production") if "inputs" in name else (name,))
                }
    assert documented == found


SETTINGS = (ROOT / "triggers" / "launchers" / "launcher_settings.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "setting"), [("retrain", "event_type"), ("take-in", "take_in_event_type")])
def test_the_retraining_service_finds_the_run_that_its_dispatch_started(name: str, setting: str) -> None:
    workflow = read((GITHUB / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))
    (default,) = re.findall(rf"^    {setting}: str = Field\(\s+default=\"([\w-]+)\"", SETTINGS, re.MULTILINE)
    assert workflow["on"]["repository_dispatch"]["types"] == [default]
    shown = title(workflow, {"github": {"event": {"client_payload": {"key": "q-7"}}}})
    assert "q-7" in shown.split()


def test_two_runs_for_one_key_are_not_at_work_together() -> None:
    workflow = read((GITHUB / "workflows" / "retrain.yml").read_text(encoding="utf-8"))
    assert workflow["concurrency"]["group"] == "retrain-${{ github.event.client_payload.key }}"


def test_uploads_are_taken_in_one_after_the_other_and_none_is_dropped() -> None:
    job = read((GITHUB / "workflows" / "take-in.yml").read_text(encoding="utf-8"))["jobs"]["take-in"]
    assert job["concurrency"] == {"group": "take-in", "cancel-in-progress": False, "queue": "max"}


def test_a_release_that_waits_for_its_approval_holds_up_no_other() -> None:
    release = read((GITHUB / "workflows" / "release-code.yml").read_text(encoding="utf-8"))
    assert "concurrency" not in release and "concurrency" in release["jobs"]["build"]
    deploy = read((GITHUB / "workflows" / "deploy.yml").read_text(encoding="utf-8"))
    newer_wins = deploy["concurrency"]["cancel-in-progress"].strip("${} ")
    for environment, expected in (("staging", False), ("production", True)):
        assert evaluate(newer_wins, {"inputs": {"environment": environment}}) is expected


CODE, OTHERS = (
    ("deploy.yml", "cloudbuild.yaml", "cloudbuild-promote.yaml"),
    (
        *("data.yml", "retrain.yml", "schedule.yml", "release-model.yml"),
        "cloudbuild-data.yaml",
    ),
)


@pytest.mark.parametrize("name", [*CODE, *OTHERS])
def test_only_a_change_of_code_demands_that_the_checkout_is_what_is_deployed(name: str) -> None:
    (path,) = [path for path in (*WORKFLOWS, *CLOUD_BUILDS) if path.name == name]
    submits = [command for command in commands_of(read(path.read_text())) if "pedalflow submit" in command]
    assert submits and all(("--as-deployed" in command) is (name in OTHERS) for command in submits)
    assert all("--version" in command for command in submits)


@pytest.mark.parametrize("name", ["data.yml", "retrain.yml"])
@pytest.mark.parametrize(("attempt", "key"), [("1", "q-7"), ("2", "q-7-2")])
def test_a_run_that_is_run_again_gets_a_key_of_its_own(name: str, attempt: str, key: str) -> None:
    steps = [
        step
        for job in read((GITHUB / "workflows" / name).read_text(encoding="utf-8"))["jobs"].values()
        for step in job["steps"]
        if "KEY" in step.get("env", {})
    ]
    event = {"client_payload": {"key": "q-7"}}
    contexts = {"github": {"event": event, "run_attempt": attempt, "sha": "c0ffee"}, "inputs": {"key": "q-7"}}
    assert [filled(step["env"]["KEY"], contexts) for step in steps] == [key]
