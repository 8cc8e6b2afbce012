"""What is told while the loop goes on, and the record of it, made from what the triggers service says of its events and runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pedalflow.champion import Pointer, write_pointer
from pedalflow.loop_record import BAD_BATCH, BAD_PARAMETERS, BAD_RELEASE, LoopRecord, from_json, to_json
from pedalflow.workspace import Workspace
from pipelines.loop.happenings import Happenings
from pipelines.loop.journal import Answered, Journal, Position, Staged, Times
from pipelines.loop.record import ROLLING_DAYS, daily_errors, loop_record
from pipelines.loop.said import keep_said
from pipelines.run_files import write_record
from tests.samples.run_record import tiny_record

NOW = datetime(2012, 2, 3, 4)
EVENT: Mapping[str, Any] = {
    "id": "e-1",
    "number": 1,
    "source": "s3",
    "kind": "storage",
    "subject": "hours/2012-01/",
    "summary": "A batch was uploaded",
    "data_time": "2012-02-03T00:00:00Z",
    "decided": "2012-02-03T00:00:00Z",
    "deliveries": 1,
    "facts": {},
    "outcome": "asks for a run",
    "reason": "a batch of data was uploaded",
    "run": "q-1",
}
VERDICT = {
    **EVENT,
    "source": "cloudevents",
    "kind": "concept-drift",
    "facts": {"release": "r-0001", "is_drift": True, "score": 1.2, "threshold": 1.0, "day": "2012-01-09"},
    "outcome": "recorded only",
    "run": "",
}
RUN: Mapping[str, Any] = {
    "id": "q-1",
    "number": 1,
    "action": "take in data first, then retrain",
    "phase": "succeeded",
    "note": "the canary is no worse",
    "outcome": "promoted",
    "release": "r-0002",
    "started": "2026-11-21T10:00:00Z",
    "finished": "2026-11-21T10:00:30.500Z",
    "facts": {"run_id": "run-0002", "until_span": 2, "candidate_rmse": 50.0, "taken_in": "hours.csv"},
}


class ServiceStandIn:
    """What the triggers service would answer; the test changes it between looks."""

    def __init__(self) -> None:
        self.all_events: list[Mapping[str, Any]] = []
        self.all_runs: list[Mapping[str, Any]] = []

    def events(self, newer_than: int = 0) -> list[Mapping[str, Any]]:
        return [event for event in self.all_events if event["number"] > newer_than]

    def event(self, id: str) -> Mapping[str, Any]:
        return next(event for event in self.all_events if event["id"] == id)

    def runs(self, newer_than: int = 0) -> list[Mapping[str, Any]]:
        return [run for run in self.all_runs if run["number"] > newer_than]

    def run(self, id: str) -> Mapping[str, Any]:
        return next(run for run in self.all_runs if run["id"] == id)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def service() -> ServiceStandIn:
    return ServiceStandIn()


@pytest.fixture
def happenings(service: ServiceStandIn, told: list[str], tmp_path: Path) -> Happenings:
    return Happenings(service, Journal(tmp_path, quick=True), told.append)  # type: ignore[arg-type]


def test_an_event_is_told_once_and_when_it_is_decided(
    happenings: Happenings, service: ServiceStandIn, told: list[str]
) -> None:
    service.all_events = [{**EVENT, "decided": None, "outcome": ""}]
    happenings.look(NOW, at_once=True)
    assert told == []
    service.all_events = [EVENT]
    happenings.look(NOW, at_once=True)
    happenings.look(NOW, at_once=True)
    (line,) = told
    assert line.startswith("2012-02-03  storage ") and "asks for a run (a batch of data was uploaded)" in line


def test_drift_is_told_when_it_begins_when_it_ends_and_when_it_asks_for_a_run(
    happenings: Happenings, service: ServiceStandIn, told: list[str]
) -> None:
    ended = {**VERDICT["facts"], "is_drift": False, "score": 0.4}  # type: ignore[dict-item]
    service.all_events = [
        {**VERDICT, "id": "e-1", "number": 1},
        {**VERDICT, "id": "e-2", "number": 2, "outcome": "joins a run that waits"},
        {**VERDICT, "id": "e-3", "number": 3, "outcome": "asks for a run"},
        {**VERDICT, "id": "e-4", "number": 4, "facts": ended},
        {**VERDICT, "id": "e-5", "number": 5, "facts": ended},
    ]
    happenings.look(NOW, at_once=True)
    assert ["drifts (score 1.20" in line for line in told] == [True, True, False]
    assert "drifts no more (score 0.40, limit 1)" in told[2]


def test_a_run_is_told_step_by_step_and_the_journal_knows_when_it_was(
    happenings: Happenings, service: ServiceStandIn, told: list[str], tmp_path: Path
) -> None:
    service.all_events = [EVENT]
    for phase, note in (("running", "trains"), ("running", "rolls out r-0002"), ("succeeded", "no worse")):
        service.all_runs = [{**RUN, "phase": phase, "note": note}]
        happenings.look(NOW, at_once=True)
        assert happenings.at_work is (phase == "running")
        assert happenings.is_over("e-1") is (phase == "succeeded")
    assert [line.split("q-1 ")[1] for line in told[1:]] == [
        "trains",
        "rolls out r-0002",
        "is over, promoted r-0002: no worse",
    ]
    assert Journal(tmp_path, quick=True).at.runs == {"q-1": Times("2012-02-03T04:00", "2012-02-03T04:00")}


def test_what_an_earlier_part_of_the_loop_told_is_not_told_again(
    happenings: Happenings, service: ServiceStandIn, told: list[str]
) -> None:
    service.all_events, service.all_runs = [EVENT], [RUN]
    happenings.catch_up(NOW)
    happenings.look(NOW, at_once=True)
    assert told == []


def hour(day: int, hr: int, prediction: float, release: str = "r-0001") -> Answered:
    return Answered(f"2012-01-{day:02d}", hr, 100.0, prediction, release)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """With a run, its release, and a rollout of a staged one."""
    workspace = Workspace(tmp_path)
    write_pointer(workspace.champion, Pointer("r-0002", "", tmp_path))
    (workspace.runs / "run-0002").mkdir(parents=True)
    write_record(workspace.runs / "run-0002", replace(tiny_record(), run_id="run-0002"))
    side = {"rows": 30, "rmse": 300.0, "wape": 2.0}
    rollout = {
        "release": "r-bad",
        "outcome": "rolled back",
        "reason": "the canary is clearly worse",
        "percent": 20,
        "champion": {"release": "r-0002", **side},
        "canary": {"release": "r-bad", **side},
    }
    (workspace.state / "rollouts").mkdir()
    (workspace.state / "rollouts" / "20261121T100000Z-r-bad.json").write_text(json.dumps(rollout))
    return workspace


@pytest.fixture
def record(workspace: Workspace) -> LoopRecord:
    folder = workspace.state / "loop"
    folder.mkdir()
    events = [
        {**VERDICT, "id": "e-0"},
        EVENT,
        {**EVENT, "id": "e-2", "run": "q-2"},
        {**EVENT, "id": "e-3", "kind": "code", "run": "q-3"},
    ]
    refused = {"facts": {"refused_files": "hours.csv: in °F"}, "release": "", "finished": None}
    runs = [
        RUN,
        {**RUN, **refused, "id": "q-2", "outcome": "data refused", "note": "nothing was trained"},
        {**RUN, "id": "q-3", "outcome": "promoted", "facts": {}},
    ]
    keep_said(folder, events, runs)
    position = Position(
        quick=True,
        first_release="r-0001",
        requests=8,
        failed=1,
        phases={"replay": 2.5},
        runs={"q-1": Times("2012-02-03T01:00", "2012-02-09T02:00")},
        staged={
            BAD_BATCH: Staged("2012-02-01T00:00", "e-2", "r-0001", "r-0001"),
            BAD_PARAMETERS: Staged("2012-03-20T00:00", "e-3", "r-0002", "r-0003"),
            BAD_RELEASE: Staged("2012-03-05T00:00", "r-bad", "r-0002", "r-0002"),
        },
    )
    answered = [hour(1, 0, 90.0), hour(1, 1, 110.0, "r-0002"), hour(2, 0, 300.0, "r-bad"), hour(2, 1, 100.0)]
    return loop_record(workspace, folder, position, answered, [70.0, 130.0, 70.0, 130.0])


def test_errors_are_stated_over_all_hours_with_the_retraining_and_without_it(record: LoopRecord) -> None:
    assert record.rmse == pytest.approx(((100 + 100 + 40000 + 0) / 4) ** 0.5)
    assert record.rmse_without == pytest.approx(30.0)
    assert (record.mae, record.mae_without) == (pytest.approx(55.0), pytest.approx(30.0))
    assert (record.requests, record.failed_requests, len(record.hours)) == (8, 1, 4)
    assert record.hours[0].without == 70.0


def test_a_verdict_is_a_score_with_its_decision_and_not_an_event_unless_it_led_to_a_run(
    record: LoopRecord,
) -> None:
    (score,) = record.scores
    assert (score.event, score.day, score.score, score.is_drift) == ("e-0", "2012-01-09", 1.2, True)
    assert score.outcome == "recorded only" and score.reason
    assert [event.id for event in record.events] == ["e-1", "e-2", "e-3"]


def test_a_run_has_its_events_its_story_time_and_what_it_came_to(record: LoopRecord) -> None:
    promoted, refused, _ = record.runs
    assert (promoted.events, promoted.started, promoted.wall_s) == (("e-1",), "2012-02-03T01:00", 30.5)
    assert (promoted.until_span, promoted.candidate_rmse, promoted.staged) == (2, 50.0, "")
    assert (refused.staged, refused.refused_files, refused.wall_s) == (BAD_BATCH, "hours.csv: in °F", None)


def test_a_release_has_its_data_and_the_hours_that_it_answered(record: LoopRecord) -> None:
    releases = {release.name: release for release in record.releases}
    assert releases["r-0002"].spans == tiny_record().spans and releases["r-0002"].commit
    assert (releases["r-0002"].hours, releases["r-0002"].served_from) == (1, "2012-01-01T01:00")
    assert releases["r-bad"].staged == BAD_RELEASE


def test_a_fault_is_caught_where_the_right_part_refused_it_and_the_champion_stayed(
    record: LoopRecord,
) -> None:
    caught = {fault.name: fault.caught for fault in record.staged}
    assert caught == {BAD_BATCH: True, BAD_PARAMETERS: False, BAD_RELEASE: True}


def test_a_record_is_written_and_read_again(record: LoopRecord) -> None:
    assert from_json(to_json(record)) == record


def test_rolling_error_looks_back_over_so_many_days_and_no_further(record: LoopRecord) -> None:
    far = replace(record.hours[0], prediction=0.0)
    near = [replace(far, dteday=f"2012-03-{day:02d}", prediction=100.0) for day in range(1, ROLLING_DAYS + 1)]
    days = daily_errors([far, *near])
    assert days[0].rolling == 100.0
    assert days[-2].rolling == pytest.approx((10000 / ROLLING_DAYS) ** 0.5)
    assert days[-1].rolling == 0.0
