"""Where the code came from: a commit, a changed work tree, or no git at all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipelines import provenance

FOLDERS = provenance.code_folders("bikeshare")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bikeshare").mkdir()
    for name in ("bikeshare/code.py", "notes.md"):
        (tmp_path / name).write_text("1", encoding="utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "one")
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    return tmp_path


def test_clean_work_tree_is_its_commit(repository: Path) -> None:
    assert provenance.commit(FOLDERS) == (git(repository, "rev-parse", "HEAD"), False)


@pytest.mark.parametrize(
    ("name", "dirty"),
    [("bikeshare/code.py", True), ("bikeshare/new.py", True), ("notes.md", False), ("new.md", False)],
)
def test_changed_or_new_code_is_told_and_other_files_are_not(
    repository: Path, name: str, dirty: bool
) -> None:
    (repository / name).write_text("2", encoding="utf-8")
    assert provenance.commit(FOLDERS)[1] is dirty


def test_outside_git_the_commit_is_unknown_and_never_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    assert provenance.commit(FOLDERS) == ("unknown", True)


@pytest.mark.parametrize(
    ("built_from", "commit"),
    [("c0ffee", ("c0ffee", False)), ("c0ffee-dirty", ("c0ffee", True)), ("unknown", ("unknown", True))],
)
def test_in_an_image_the_commit_is_what_it_was_built_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built_from: str, commit: tuple[str, bool]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(provenance.IMAGE_COMMIT_VARIABLE, built_from)
    assert provenance.commit(FOLDERS) == commit


def test_without_git_installed_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.commit(FOLDERS) == ("unknown", True)


def test_environment_names_what_decides_the_bytes_of_a_release() -> None:
    found = provenance.environment()
    assert {
        "python",
        "tfx",
        "tensorflow",
        "tensorflow-transform",
        "keras",
        "numpy",
        "onnx",
        "tf2onnx",
    } <= set(found)
    assert found["tfx"].startswith("1.")


def test_the_code_of_a_use_case_in_another_package_counts() -> None:
    assert provenance.code_folders("teams.trams") == ("teams/trams", *provenance.PLATFORM)
