"""`pedalflow notebook`: copies stay the user's, and JupyterLab listens on this machine only."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.notebook_command import bring, lab


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "01-explore.ipynb").write_text("ours", encoding="utf-8")
    return folder


def test_what_is_missing_is_copied(source: Path, tmp_path: Path) -> None:
    assert bring(source, tmp_path / "there", fresh=False) == ("01-explore.ipynb",)
    assert (tmp_path / "there" / "01-explore.ipynb").read_text(encoding="utf-8") == "ours"


@pytest.mark.parametrize(("fresh", "left"), [(False, "yours"), (True, "ours")])
def test_a_copy_that_was_changed_stays_unless_asked_otherwise(
    source: Path, tmp_path: Path, fresh: bool, left: str
) -> None:
    bring(source, tmp_path / "there", fresh=False)
    changed = tmp_path / "there" / "01-explore.ipynb"
    changed.write_text("yours", encoding="utf-8")
    bring(source, tmp_path / "there", fresh=fresh)
    assert changed.read_text(encoding="utf-8") == left


def test_jupyter_listens_on_this_machine_only_and_keeps_its_token(tmp_path: Path) -> None:
    command = lab(tmp_path, 8899, browser=False)
    assert "--ServerApp.ip=127.0.0.1" in command and "--ServerApp.port=8899" in command
    assert "--no-browser" in command and not any("token" in part for part in command)
