"""What an init container runs: a release that is as it was named passes, and nothing else does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pedalflow.command import exits
from pedalflow.command.outermost import outermost
from pedalflow.release import ONNX_MODEL, Release, seal
from serving.verify_release import main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """A release of two files, which is all that this command looks at."""
    draft = tmp_path / "fetched"
    draft.mkdir()
    (draft / ONNX_MODEL).write_bytes(b"a graph")
    (draft / "model_card.md").write_text("# A model\n", encoding="utf-8")
    return seal(draft, {})


def verified(folder: Path, name: str, checksum: str) -> int:
    return outermost(main, [str(folder), "--name", name, "--checksum", checksum])


def test_the_release_that_was_named_passes(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    assert verified(release.folder, release.name, release.checksum) == exits.OK.code
    assert capsys.readouterr().out == f"{release.folder} holds {release.name}, whole and unchanged\n"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / ONNX_MODEL).write_bytes(b"another"), "changed"),
        (lambda folder: (folder / ONNX_MODEL).unlink(), "missing"),
        (lambda folder: (folder / "more.txt").write_text("x"), "not in the manifest"),
        (lambda folder: shutil.rmtree(folder), "is missing or no manifest"),
    ],
)
def test_what_is_not_whole_is_refused(
    release: Release, spoil: Callable[[Path], object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(release.folder)
    assert verified(release.folder, release.name, release.checksum) == exits.RUN_FAILED.code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "checksum", "said"),
    [
        ("r-000000000000", None, "should hold the release r-000000000000"),
        (None, "0" * 64, f"with the checksum {'0' * 64}"),
    ],
)
def test_another_release_is_refused(
    release: Release,
    name: str | None,
    checksum: str | None,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = verified(release.folder, name or release.name, checksum or release.checksum)
    assert code == exits.RUN_FAILED.code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [("r-1", "0" * 64), ("r-00000000000g", "0" * 64), ("r-000000000000", "0" * 63)]
)
def test_what_can_be_no_name_or_checksum_is_a_wrong_command_line(
    release: Release, wrong: tuple[str, str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        verified(release.folder, *wrong)
    assert ended.value.code == exits.USAGE.code


def test_it_runs_as_the_init_container_does(release: Release) -> None:
    arguments = [str(release.folder), "--name", release.name, "--checksum", release.checksum]
    done = subprocess.run(
        [sys.executable, "-m", "serving.verify_release", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "whole and unchanged" in done.stdout
