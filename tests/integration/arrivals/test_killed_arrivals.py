"""A process that is killed while a span arrives leaves either no span or a whole one, and the next arrival mends the rest."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bikeshare.archive import ARCHIVE, cut_span
from pedalflow.errors import RunFailed
from pedalflow.spans import SpanState
from pedalflow.workspace import Workspace
from pipelines.arrivals import store
from pipelines.arrivals.door import arrive, list_spans, prepare
from pipelines.arrivals.violations import BatchRefused

ROOT = Path(__file__).resolve().parents[3]

# Kills itself with SIGKILL at the N-th change of a file under its workspace; exits with 7 if there are fewer.
KILLED_AT = """
import os, signal, sys
from pathlib import Path
from pedalflow.workspace import Workspace
from pipelines.arrivals import checks, reading, versioning
from pipelines.arrivals.door import arrive
import dvc.repo, dvc.stage, dvc.repo.add
workspace, file, stop_at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
seen = 0
CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.truncate", "os.chmod", "shutil.rmtree"}
def watch(event, arguments):
    global seen
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if (event in CHANGES or writes) and str(workspace) in str(arguments[0]):
        seen += 1
        if seen == stop_at:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
try:
    arrive(Workspace(workspace), file)
except Exception as error:
    print(type(error).__name__, file=sys.stderr)
sys.exit(7 if seen < stop_at else 1)
"""


def kill_at(workspace: Path, file: Path, change: int) -> int:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED_AT, str(workspace), str(file), str(change)]
    return subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False).returncode


def assert_whole_or_absent(workspace: Workspace) -> None:
    spans = list_spans(workspace)
    assert [span.number for span in spans] in ([1], [1, 2])
    assert all(span.state is SpanState.PRESENT for span in spans)


@pytest.mark.parametrize("change", [1, 5, 10, 15, 20, 25, 30, *range(34, 47)])
def test_kill_minus_9_leaves_no_span_or_a_whole_one(
    change: int, workspace: Workspace, january: list[str], tmp_path: Path
) -> None:
    # given
    file = tmp_path / "january.csv"
    file.write_text("\n".join(january) + "\n", encoding="ascii")
    # when
    code = kill_at(workspace.root, file, change)
    # then
    assert code in (-9, 7)
    assert_whole_or_absent(workspace)
    if len(list_spans(workspace)) == 1:
        assert arrive(workspace, file).number == 2
    else:
        with pytest.raises(BatchRefused, match="arrived before"):
            arrive(workspace, file)
    assert_whole_or_absent(workspace)
    assert sorted(path.name for path in workspace.spans.iterdir()) == [
        ".gitignore", ".lock", "span-01.csv", "span-01.csv.dvc", "span-02.csv", "span-02.csv.dvc",
    ]  # fmt: skip
    file.write_bytes(cut_span(ARCHIVE, 3))
    assert arrive(workspace, file).number == 3


def test_data_file_without_pointer_left_between_the_two_renames_is_swept(
    workspace: Workspace, january: list[str], tmp_path: Path
) -> None:
    # given: the state in between, made of the real files
    file = tmp_path / "january.csv"
    file.write_text("\n".join(january) + "\n", encoding="ascii")
    span = arrive(workspace, file)
    staging = workspace.spans / ".arriving"
    staging.mkdir()
    shutil.move(span.path + ".dvc", staging)
    assert len(list_spans(workspace)) == 1
    # when
    prepare(workspace)
    # then
    assert not Path(span.path).exists()
    assert not staging.exists()


def test_second_writer_waits_its_turn_and_says_so_when_it_never_comes(workspace: Workspace) -> None:
    with (
        store.writing(workspace),
        pytest.raises(RunFailed, match="another process has been adding data"),
        store.writing(workspace, timeout_s=0.1),
    ):
        pytest.fail("two writers at once")
    with store.writing(workspace, timeout_s=0.1):
        assert len(list_spans(workspace)) == 1
