"""The store of spans seen through DVC's own command line, as a user would, inside and outside of git."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bikeshare.archive import ARCHIVE, cut_span
from pedalflow.workspace import Workspace
from pipelines.arrivals.door import arrive, list_spans, prepare
from pipelines.arrivals.store import md5_of

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str, cwd: Path) -> str:
    quiet = {"DVC_NO_ANALYTICS": "true", "DVC_SITE_CACHE_DIR": str(cwd / ".dvc" / "tmp")}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **quiet}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def dvc(*arguments: str, cwd: Path) -> str:
    return run(sys.executable, "-m", "dvc", *arguments, cwd=cwd)


@pytest.fixture(params=["root of a git repository", "ignored folder inside one", "plain folder"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    """A workspace with span 1 in each of the three places that one can lie in."""
    root = tmp_path / "project"
    root.mkdir()
    if request.param != "plain folder":
        run("git", "init", "-q", cwd=root)
    if request.param == "ignored folder inside one":
        (root / ".gitignore").write_text("/run/\n")
        (root / ".dvc").mkdir()
        (root / ".dvc" / "config").write_text("")
        root = root / "run"
        root.mkdir()
    (root / "params.yaml").write_text("use_case: bikeshare\n")
    prepare(Workspace(root), 1)
    return Workspace(root)


def test_dvc_finds_the_spans_unchanged_and_brings_them_back(workspace: Workspace) -> None:
    root = workspace.root
    (span,) = list_spans(workspace)
    assert json.loads(dvc("status", "--json", cwd=root)) == {}
    dvc("push", cwd=root)
    assert (workspace.dvc_remote / "files" / "md5" / span.md5[:2] / span.md5[2:]).exists()
    Path(span.path).unlink()
    run("rm", "-r", str(root / ".dvc" / "cache"), cwd=root)
    dvc("pull", cwd=root)
    assert list_spans(workspace) == (span,)


def test_prepare_pulls_from_the_remote_what_archive_and_cache_do_not_hold(
    workspace: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / "january.csv"
    file.write_bytes(cut_span(ARCHIVE, 2).replace(b"\n", b"\r\n"))
    span = arrive(workspace, file)
    dvc("push", cwd=workspace.root)
    Path(span.path).unlink()
    run("rm", "-r", str(workspace.root / ".dvc" / "cache"), cwd=workspace.root)
    assert prepare(workspace)[1] == span


def test_repository_above_is_left_alone(workspace: Workspace) -> None:
    if workspace.root.name == "run":
        above = workspace.root.parent
        assert sorted(path.name for path in (above / ".dvc").iterdir()) == ["config"]
        assert run("git", "status", "--short", "--untracked-files=all", cwd=above).split() == [
            "??",
            ".dvc/config",
            "??",
            ".gitignore",
        ]


def test_git_sees_pointers_and_never_data(tmp_path: Path) -> None:
    run("git", "init", "-q", cwd=tmp_path)
    (tmp_path / "params.yaml").write_text("use_case: bikeshare\n")
    prepare(Workspace(tmp_path), 2)
    seen = run(
        "git", "status", "--short", "--untracked-files=all", "--", "data", ".dvc", cwd=tmp_path
    ).split()[1::2]
    assert seen == [
        ".dvc/.gitignore",
        ".dvc/config",
        "data/spans/.gitignore",
        "data/spans/span-01.csv.dvc",
        "data/spans/span-02.csv.dvc",
    ]


def test_committed_pointer_is_the_one_that_the_archive_gives() -> None:
    pointer = yaml.safe_load((ROOT / "data" / "spans" / "span-01.csv.dvc").read_text(encoding="utf-8"))
    assert pointer["outs"][0]["md5"] == md5_of(cut_span(ARCHIVE, 1))
    assert pointer["meta"]["rows"] == 8645


def test_data_commands_speak_json_on_stdout_alone(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("use_case: bikeshare\n")

    def data(*arguments: str) -> tuple[int, object, str]:
        command = [
            sys.executable,
            "-m",
            "pipelines.arrivals.command",
            "--workspace",
            str(tmp_path),
            "--json",
            *arguments,
        ]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, json.loads(done.stdout), done.stderr

    assert data("list")[:2] == (0, [])
    assert data("prepare")[1][0]["rows"] == 8645
    file = tmp_path / "month.csv"
    file.write_bytes(cut_span(ARCHIVE, 3))
    code, refused, said = data("arrive", str(file))
    assert code != 0
    assert refused["report"]["broken"][0]["rule"] == "span_skipped"
    assert "span 2 has to arrive before span 3" in said
    assert data("quarantine")[1][0]["rules"] == {"span_skipped": 1}
    file.write_bytes(cut_span(ARCHIVE, 2))
    assert data("arrive", str(file))[1]["span"]["number"] == 2
