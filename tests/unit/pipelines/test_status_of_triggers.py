"""`pedalflow status` asks the triggers in their own environment, and says in one line where they cannot be asked."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pedalflow.command import runtimes
from pedalflow.workspace import Workspace
from pipelines import status_command
from pipelines.status_command import read_triggers, triggers_text

ROOT = Path(__file__).resolve().parents[3]
TELL = """
import sys
from pathlib import Path
from pedalflow.workspace import Workspace
from tests.samples.triggers_story import write_story
print(write_story(Workspace(Path(sys.argv[1]))).waiting)
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return Workspace(tmp_path)


@pytest.fixture
def waiting(workspace: Workspace) -> str:
    """The run that waits in the history that the triggers' environment wrote into the workspace."""
    command = [str(runtimes.python_of("triggers")), "-c", TELL, str(workspace.root)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def test_what_waits_is_part_of_the_status_as_text_and_as_data(
    workspace: Workspace, waiting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_command.main(["--workspace", str(workspace.root)]) == 0
    assert f"Waits:      run {waiting}" in capsys.readouterr().out
    assert status_command.main(["--workspace", str(workspace.root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["triggers"]["waiting"][0]["id"] == waiting


def test_where_no_event_has_come_the_status_says_how_to_start_the_service(workspace: Workspace) -> None:
    assert "no event has come yet; `pedalflow triggers serve`" in triggers_text(workspace)
    assert read_triggers(workspace) is None
    assert [path.name for path in workspace.root.iterdir()] == ["params.yaml"]


def test_a_missing_environment_is_one_line_that_says_how_to_have_it(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_there(runtime: str) -> Path:
        return runtimes.python_of(runtime, root=tmp_path)

    monkeypatch.setattr(status_command, "python_of", not_there)
    said = triggers_text(workspace)
    assert (
        said.startswith("Triggers:   ") and said.endswith("setup ENVIRONMENTS=triggers") and "\n" not in said
    )
    assert "ENVIRONMENTS=triggers" in read_triggers(workspace)["problem"]


def test_a_database_that_is_broken_is_one_line_and_the_rest_is_shown(workspace: Workspace) -> None:
    workspace.triggers.mkdir(parents=True)
    workspace.triggers_database.write_bytes(b"no database " * 1000)
    said = triggers_text(workspace)
    assert str(workspace.triggers_database) in said and "\n" not in said
    assert "not a database" in read_triggers(workspace)["problem"]
