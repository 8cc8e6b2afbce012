"""Which release serves, and whether there is data that it has not seen, from the files of a workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pedalflow.champion import Pointer, write_pointer
from pedalflow.workspace import Workspace
from triggers.launchers.launcher_settings import LocalSettings
from triggers.launchers.local import LocalLauncher


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace whose champion was trained on spans 1 to 9, all that have arrived."""
    made = Workspace(tmp_path)
    made.spans.mkdir(parents=True)
    for number in range(1, 10):
        arrive(made, number)
    release = made.releases / "r-1"
    release.mkdir(parents=True)
    manifest = {"facts": {"spans": [{"number": number, "rows": 700} for number in range(1, 10)]}}
    (release / "manifest.json").write_text(json.dumps(manifest))
    write_pointer(made.champion, Pointer("r-1", "checksum", release))
    return made


def arrive(workspace: Workspace, number: int) -> None:
    (workspace.spans / f"span-{number:02d}.csv.dvc").touch()


def launcher(workspace: Workspace) -> LocalLauncher:
    return LocalLauncher(workspace, LocalSettings())


def test_the_champion_has_seen_all_until_another_span_arrives(workspace: Workspace) -> None:
    here = launcher(workspace)
    assert (here.champion(), here.new_data()) == ("r-1", False)
    arrive(workspace, 10)
    assert here.new_data() is True


def test_a_span_that_a_refused_run_has_tried_is_not_new(workspace: Workspace) -> None:
    here = launcher(workspace)
    arrive(workspace, 10)
    tried = workspace.runs / "span-10-0123456789"
    tried.mkdir(parents=True)
    assert here.new_data() is True, "a run without its record was interrupted"
    (tried / "run.json").touch()
    assert here.new_data() is False
    arrive(workspace, 11)
    assert here.new_data() is True


def test_a_csv_that_is_no_span_yet_is_no_new_data(workspace: Workspace) -> None:
    (workspace.spans / "span-10.csv").touch()
    (workspace.spans / "span-x.csv.dvc").touch()
    assert launcher(workspace).new_data() is False


def test_without_a_champion_everything_is_new(tmp_path: Path) -> None:
    here = launcher(Workspace(tmp_path))
    assert (here.champion(), here.new_data()) == ("", True)


@pytest.mark.parametrize(
    "manifest", [None, "half a", "{}", '{"facts": {"spans": []}}', '{"facts": {"spans": [{}]}}']
)
def test_a_manifest_that_does_not_say_leaves_it_open(workspace: Workspace, manifest: str | None) -> None:
    path = workspace.releases / "r-1" / "manifest.json"
    path.unlink()
    if manifest is not None:
        path.write_text(manifest)
    assert launcher(workspace).new_data() is None
