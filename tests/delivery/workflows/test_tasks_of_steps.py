"""The small tasks that steps call because a step has no logic: objects into folders, pointers onto main, one field of a JSON file."""

from __future__ import annotations

import base64
import io
import subprocess
from pathlib import Path

import pytest

from tests.samples import outside_programs
from tools import fetch_objects, json_field, push_pointers

AUTHOR = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")


def test_objects_of_the_same_name_keep_their_order_and_hide_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in outside_programs.install(tmp_path / "programs", tmp_path / "outside").items():
        monkeypatch.setenv(name, value)
    for month in ("b", "a"):
        file = tmp_path / "outside" / "buckets" / "uploads" / month / "hours.csv"
        file.parent.mkdir(parents=True)
        file.write_text(month)
    lines = "gs://uploads/b/*.csv\ngs://uploads/a/hours.csv\ngs://uploads/b/*.csv\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert fetch_objects.main(["--into", str(tmp_path / "incoming")]) == 0
    found = sorted((tmp_path / "incoming").rglob("*.csv"))
    assert [(path.parent.name, path.read_text()) for path in found] == [("001", "b"), ("002", "a")]


@pytest.mark.parametrize(
    "lines", ["", "\n", "--recursive\n", "/etc/passwd\n", "gs://bucket/a.csv\nhours.csv\n"]
)
def test_what_is_no_address_of_an_object_is_refused_before_anything_is_fetched(
    lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert fetch_objects.main(["--into", str(tmp_path / "incoming")]) == 1
    assert "is no address of an object" in capsys.readouterr().err
    assert not (tmp_path / "incoming").exists()


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *AUTHOR, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def commit(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(name)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", name)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of a main with one pointer, in which the test stands."""
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch", "main", "origin.git")
    for name in ("others", "checkout"):
        git(tmp_path, "clone", "--quiet", "origin.git", name)
        if name == "others":
            commit(tmp_path / name, "data/spans/span-01.csv.dvc")
            git(tmp_path / name, "push", "--quiet", "origin", "HEAD:main")
    monkeypatch.chdir(tmp_path / "checkout")
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    return tmp_path / "checkout"


def on_main(checkout: Path) -> list[str]:
    return git(checkout.parent / "origin.git", "log", "--format=%s", "main").splitlines()


def test_new_pointers_come_on_top_of_what_others_pushed_meanwhile(checkout: Path) -> None:
    (checkout / "data/spans/span-02.csv.dvc").write_text("two")
    others = checkout.parent / "others"
    commit(others, "README.md")
    git(others, "push", "--quiet", "origin", "HEAD:main")
    assert push_pointers.main(["--message", "Take in"]) == 0
    assert on_main(checkout) == ["Take in", "README.md", "data/spans/span-01.csv.dvc"]


def test_where_no_pointer_is_new_nothing_is_committed(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push_pointers.main(["--message", "Take in"]) == 0
    assert "committed already" in capsys.readouterr().out
    assert on_main(checkout) == ["data/spans/span-01.csv.dvc"]


def test_two_uploads_that_became_the_same_span_do_not_overwrite_each_other(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / "data/spans/span-02.csv.dvc").write_text("two")
    others = checkout.parent / "others"
    commit(others, "data/spans/span-02.csv.dvc")
    git(others, "push", "--quiet", "origin", "HEAD:main")
    assert push_pointers.main(["--message", "Take in"]) == 1
    assert "run the whole flow again" in capsys.readouterr().err
    assert on_main(checkout)[0] == "data/spans/span-02.csv.dvc"


def test_the_token_goes_to_the_server_of_github_alone_and_into_no_command_line() -> None:
    made = push_pointers.with_token({"GITHUB_TOKEN": "secret", "PATH": "/bin"})
    assert "GITHUB_TOKEN" not in made and made["PATH"] == "/bin"
    assert made["GIT_CONFIG_KEY_0"] == "http.https://github.com/.extraheader"
    kind, _, encoded = made["GIT_CONFIG_VALUE_0"].removeprefix("AUTHORIZATION: ").partition(" ")
    assert (kind, base64.b64decode(encoded).decode()) == ("basic", "x-access-token:secret")


@pytest.mark.parametrize(
    ("content", "more", "code"),
    [
        ('{"outcome": "promoted"}', (), 0),
        ('{"outcome": "promoted"}', ("--must-be", "promoted"), 0),
        ('{"outcome": "rolled back"}', ("--must-be", "promoted"), 1),
        ('{"outcome": null}', (), 1),
        ("[]", (), 1),
        ("", (), 1),
    ],
)
def test_a_field_is_printed_and_is_what_it_must_be(
    content: str, more: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    file = tmp_path / "rollout.json"
    file.write_text(content)
    assert json_field.main([str(file), "outcome", *more]) == code
