"""`pedalflow loop --quick` with everything real: interrupted in the middle, played to its end, and what it came to."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from bikeshare.archive import ARCHIVE, cut_span
from pedalflow.loop_record import BAD_BATCH, BAD_PARAMETERS, BAD_RELEASE, LoopRecord, from_json
from pedalflow.loop_table import errors_apart_from_staged
from pedalflow.workspace import Workspace
from pipelines.arrivals.door import arrive, prepare
from pipelines.arrivals.quarantine import list_quarantine
from pipelines.loop.processes import Places, end_left_over
from tests.samples.free_ports import OF_A_LOOP, free_block
from tests.samples.project_copy import ROOT, Project, copy_project, environment, records

INTERRUPTED = 130
STARTS_WITHIN_S, ENDS_WITHIN_S = 400.0, 900.0  # far more than it takes, for machines that do other things too
NEEDED = [ROOT / ".venv" / name / "bin" / "python" for name in ("serving", "triggers")]

pytestmark = pytest.mark.skipif(
    not all(python.exists() for python in NEEDED),
    reason="needs the runtimes serving and triggers: make setup",
)


@dataclass(frozen=True)
class Played:
    """A loop that was interrupted and played to its end. `left` are processes of it that were there after the interruption and the end."""

    workspace: Workspace
    params: str
    interrupted: int
    code: int
    said: str
    left: tuple[str, ...]
    record: LoopRecord


@pytest.fixture(scope="module")
def whole_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy with all rooms, and the environments of this one."""
    project = copy_project(tmp_path_factory.mktemp("whole") / "project")
    for room in ("serving", "triggers"):
        shutil.copytree(ROOT / room, project.root / room, ignore=shutil.ignore_patterns("__pycache__"))
    (project.root / ".venv").symlink_to(ROOT / ".venv")
    return project


@pytest.fixture(scope="module")
def played(whole_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Played:
    workspace = Workspace(tmp_path_factory.mktemp("loop") / "workspace")
    place = ("--workspace", str(workspace.root), "--quick", "--port", str(free_block(OF_A_LOOP)))
    command = [sys.executable, "-m", "pipelines.loop_command", *place]
    first = subprocess.Popen(
        command,
        cwd=whole_project.root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_hours(workspace, 300, first)
        first.send_signal(signal.SIGTERM)  # as Ctrl-C, which a job in the background ignores
        interrupted = first.wait(240)
    finally:
        first.kill()
        first.wait()
        left = processes_of(workspace)
        for name in ("rollout-by-hand", "triggers", "serve"):
            end_left_over(Places(workspace, workspace.state / "loop", Path(), 0), name)
    params = workspace.params.read_text(encoding="utf-8")
    done = subprocess.run(
        command,
        cwd=whole_project.root,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    record = from_json((workspace.state / "loop.json").read_text(encoding="utf-8"))
    return Played(
        workspace, params, interrupted, done.returncode, said, (*left, *processes_of(workspace)), record
    )


def test_an_interrupted_loop_says_so_and_leaves_no_process(played: Played) -> None:
    assert played.interrupted == INTERRUPTED
    assert played.left == ()


def test_it_goes_on_after_the_last_answered_hour_and_asks_none_twice(played: Played) -> None:
    assert "Going on after" in played.said
    hours = [(hour.dteday, hour.hr) for hour in played.record.hours]
    assert len(hours) == len(set(hours)) == 741 + 692
    assert hours == sorted(hours)


def test_no_request_failed(played: Played) -> None:
    assert played.record.failed_requests == 0
    assert played.record.requests >= 2 * len(played.record.hours)


def test_drift_of_the_concept_and_the_upload_lead_to_a_release_that_takes_over_under_traffic(
    played: Played,
) -> None:
    (promoted,) = [run for run in played.record.runs if run.outcome == "promoted"]
    kinds = {event.kind for event in played.record.events if event.id in promoted.events}
    assert kinds == {"concept-drift", "storage"}
    assert promoted.release == played.record.champion != played.record.first_release
    assert promoted.until_span == 2 and promoted.candidate_rmse < promoted.champion_rmse
    rollout = next(rollout for rollout in played.record.rollouts if rollout.release == promoted.release)
    assert rollout.outcome == "promoted" and rollout.canary is not None and rollout.canary.rows >= 72
    answered = {hour.release for hour in played.record.hours}
    assert {played.record.first_release, promoted.release} <= answered


@pytest.mark.parametrize("name", [BAD_BATCH, BAD_PARAMETERS, BAD_RELEASE])
def test_what_is_staged_is_caught_and_the_champion_stays(played: Played, name: str) -> None:
    (fault,) = [fault for fault in played.record.staged if fault.name == name]
    assert fault.caught, fault
    assert fault.champion_before == fault.champion_after


def test_the_broken_batch_is_in_quarantine_and_the_parameters_are_what_they_were(played: Played) -> None:
    (refused,) = list_quarantine(played.workspace)
    assert "temp_in_fahrenheit" in refused.rules
    assert played.workspace.params.read_text(encoding="utf-8") == played.params
    assert [record.outcome for record in records(played.workspace)] == ["promoted", "promoted", "refused"]


def test_retraining_lowers_the_error_of_the_hours_that_nothing_staged_answered(played: Played) -> None:
    errors = errors_apart_from_staged(played.record)
    assert errors.rmse < errors.rmse_without


def test_everything_is_told_as_it_happens(played: Played) -> None:
    for expected in (
        "storage",
        "staged on purpose",
        "is over, data refused",
        "is over, promoted",
        "is over, refused",
    ):
        assert expected in played.said
    assert "Traceback" not in played.said


def test_a_loop_that_is_over_shows_its_result_again_without_any_server(
    played: Played, whole_project: Project
) -> None:
    done = whole_project.run(
        "pipelines.loop_command", "--workspace", str(played.workspace.root), "--quick", "--json"
    )
    assert done.code == 0, done.stderr
    assert "The year is over" in done.stderr and "starting the processes" not in done.stderr
    assert Path(json.loads(done.stdout)["report"]).is_file()


def test_what_was_asked_and_labelled_arrives_as_a_span_of_its_own(played: Played, tmp_path: Path) -> None:
    file, fresh = tmp_path / "january.csv", Workspace(tmp_path / "fresh")
    fresh.root.mkdir()
    fresh.params.write_text("use_case: bikeshare\n", encoding="utf-8")
    prepare(fresh, 1)
    january = ("--arrival", "--first", "2012-01-01", "--last", "2012-01-31")
    place = ("--workspace", str(played.workspace.root), "--output", str(file))
    done = subprocess.run(
        [str(NEEDED[0]), "-m", "serving.collected_command", *place, *january],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    span = arrive(fresh, file)
    asked, archive = pd.read_csv(file), pd.read_csv(io.BytesIO(cut_span(ARCHIVE, 2)))
    assert (span.number, span.rows) == (2, len(asked)) and len(asked) >= 0.95 * len(archive)
    assert len(asked.merge(archive)) == len(asked)


def wait_for_hours(workspace: Workspace, hours: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until so many hours were answered."""
    file, deadline = workspace.state / "loop" / "hours.csv", time.monotonic() + STARTS_WITHIN_S
    while not file.exists() or file.read_bytes().count(b"\n") < hours:
        assert process.poll() is None, "the loop ended before it was interrupted"
        assert time.monotonic() < deadline, "the loop did not come to its first hours"
        time.sleep(0.05)


def processes_of(workspace: Workspace) -> tuple[str, ...]:
    """The command lines of all processes that name the workspace."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(workspace.root) in line and int(folder.name) != os.getpid():
            found.append(line)
    return tuple(found)
