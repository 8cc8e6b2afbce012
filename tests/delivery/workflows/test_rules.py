"""Our own rules for the workflows, and the table of their variables and secrets in docs/ci.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
      - run: make check
"""
BROKEN = [
    ("unpinned", "de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "v6"),
    ("unpinned", " # v6.0.2", ""),
    ("without_permissions", "permissions: {}", "permissions: {contents: write}"),
    ("without_permissions", "    permissions: {contents: read}\n", ""),
    ("without_time_limit", "    timeout-minutes: 5\n", ""),
    ("without_concurrency", "cancel-in-progress: false", "other: false"),
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
        row for row in re.findall(r"^\| (`_.*)", TABLE, re.MULTILINE) if path.name in row or "| both |" in row
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
    assert workflow["concurrency"]["group"] == f"{name}-${{{{ github.event.client_payload.key }}}}"
