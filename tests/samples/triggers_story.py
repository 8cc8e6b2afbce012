"""A small history of a workspace, written with the real store: what reasons came, what was decided, what was trained, who answered.

    names = write_story(Workspace(tmp_path))

Release r-000000000001 was trained by hand. Its labels stopped following its predictions, so a run trained r-000000000002, which
serves. Since then one drifting window was not enough, an upload and a commit of data wait for one run, and one event is not decided.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pedalflow.champion import Pointer, write_pointer
from pedalflow.run_record import GateResult, Growth, RunRecord, Score, SpanUsed, to_json
from pedalflow.workspace import Workspace
from triggers.events import Event, Kind, Source
from triggers.launchers.launcher import Launched, Seen, State
from triggers.policy import Action, Decision, Lane, Outcome
from triggers.records import Phase
from triggers.store import changes
from triggers.store.store import Store

FIRST, SECOND = "r-000000000001", "r-000000000002"
FIRST_TRAINING, SECOND_TRAINING, REFUSED_TRAINING = (
    "span-01-aaaaaaaaaa",
    "span-02-bbbbbbbbbb",
    "span-02-cccccccccc",
)
OLD_COMMIT, NEW_COMMIT = "a" * 40, "b" * 40
RECEIVED, NOW = 1_767_225_600.0, 1_326_153_600.0  # 2026-01-01 by the wall, 2012-01-10 in the data
OWNER = "the story"
ROLLOUT = f"20260101T000000Z-{SECOND}"
POINTER = """outs:
- md5: {md5}
meta: {{span: {number}, rows: 700, first: '2012-01-01', last: '2012-01-31'}}
"""
NOT_ENOUGH = "1 of the last 3 windows drift, and 2 are needed"


@dataclass(frozen=True)
class Names:
    """The ids that the store gave."""

    accusing: str
    lonely: str
    clearing: str
    upload: str
    commit: str
    undecided: str
    run: str
    waiting: str


def write_story(workspace: Workspace) -> Names:
    """Everything that the workspace keeps, and the database of its events."""
    write_records(workspace)
    write_log(workspace)
    write_rollout(workspace)
    pointer = Pointer(SECOND, "2" * 64, workspace.releases / SECOND)
    write_pointer(workspace.champion, pointer)
    with closing(Store(f"sqlite:///{workspace.triggers_database}", wall=lambda: RECEIVED)) as store:
        return write_events(store)


def write_events(store: Store) -> Names:
    """The events and runs of the story."""
    accusing = _accept(store, ACCUSING)
    run = _start(store, ACCUSING, "the labels no longer follow the predictions")
    _work(store, run)
    others = [_accept(store, event) for event in (LONELY, CLEARING, UPLOAD, COMMIT, UNDECIDED)]
    _record(store, LONELY, NOT_ENOUGH)
    _record(store, CLEARING, "the detector looked and found no drift")
    waiting = _start(store, UPLOAD, "a batch of data was uploaded", Action.TAKE_IN)
    joined = Decision(Action.RETRAIN, Outcome.JOINS, NOW + 60, "a commit brought other versions of the data")
    with store.turn() as connection:
        changes.event_decided(connection, _number(store, COMMIT), joined, NOW, waiting)
    return Names(accusing, *others, run, waiting)


def write_records(workspace: Workspace) -> None:
    """The records of three trainings, the last of which a gate refused."""
    for record in (
        _record_of(FIRST_TRAINING, "promoted", FIRST, None, OLD_COMMIT, "2026-01-01T00:01:00+00:00", 1),
        _record_of(SECOND_TRAINING, "promoted", SECOND, FIRST, NEW_COMMIT, "2026-01-02T00:01:00+00:00", 2),
        _record_of(REFUSED_TRAINING, "refused", None, SECOND, NEW_COMMIT, "2026-01-03T00:01:00+00:00", 2),
    ):
        folder = workspace.runs / record.run_id
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(to_json(record), encoding="utf-8")
    workspace.spans.mkdir(parents=True)
    for number in (1, 2, 3):
        text = POINTER.format(md5=str(number) * 32, number=number)
        (workspace.spans / f"span-{number:02d}.csv.dvc").write_text(text, encoding="utf-8")


def write_rollout(workspace: Workspace) -> None:
    """The second release was tried on live requests, and promoted."""
    record = {
        "release": SECOND,
        "outcome": "promoted",
        "reason": "its errors are lower",
        "times": {"finished": RECEIVED},
    }
    workspace.rollouts.mkdir(parents=True)
    (workspace.rollouts / f"{ROLLOUT}.json").write_text(json.dumps(record), encoding="utf-8")


def write_log(workspace: Workspace) -> Path:
    """Three requests, the first of them with its label."""
    answered = {"kind": "exchange", "id": "order-1", "time": "2026-01-01T12:00:00.000Z", "release": FIRST}
    lines = [
        {**answered, "predictions": [12.5], "columns": {"hr": [8]}},
        {
            **answered,
            "id": "order-2",
            "release": SECOND,
            "predictions": [1, 2, 3, 4],
            "columns": {"hr": [1, 2, 3, 4]},
        },
        {"kind": "request", "id": "unanswered", "time": "2026-01-01T12:00:00.000Z", "columns": {"hr": [8]}},
        {"kind": "feedback", "id": "order-1", "time": "2026-01-02T12:00:00.000Z", "labels": [11]},
    ]
    path = workspace.serving / "requests" / "requests-20260101T000000Z-1-1.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(
        "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), encoding="utf-8"
    )
    return path


ACCUSING = Event(
    Source.CLOUDEVENTS,
    "detector/1",
    Kind.CONCEPT_DRIFT,
    "model/concept-drift",
    "Concept drift of model on 2012-01-09: score 1.84, limit 1",
    data_time=NOW,
    facts={"is_drift": True, "release": FIRST, "day": "2012-01-09", "score": 1.84, "threshold": 1.0},
)
LONELY = Event(
    Source.CLOUDEVENTS,
    "detector/2",
    Kind.DRIFT,
    "model/drift",
    "Drift of model in the rows of 2012-01-10 to 2012-01-16: score 4.20, limit 1",
    facts={
        "is_drift": True,
        "release": SECOND,
        "window": {"rows": 168, "first": "2012-01-10", "last": "2012-01-16"},
    },
)
CLEARING = Event(
    Source.CLOUDEVENTS,
    "detector/3",
    Kind.CONCEPT_DRIFT,
    "model/concept-drift",
    "No concept drift of model on 2012-01-17: score 0.31, limit 1",
    request_id="order-2",
    facts={
        "is_drift": False,
        "release": SECOND,
        "day": "2012-01-17",
        "rmse": 60.0,
        "wape": 0.2,
        "rolling": {"rows": 163, "rmse": 52.25, "wape": 0.144},
    },
)
UPLOAD = Event(
    Source.S3,
    "bike-hours/2012-02/1",
    Kind.STORAGE,
    "bike-hours/2012-02/",
    "A batch of data was uploaded to s3://bike-hours/2012-02/",
    facts={"objects": ["s3://bike-hours/2012-02/"]},
)
COMMIT = Event(
    Source.GITHUB,
    "delivery/data",
    Kind.DATA,
    "team/bikes@main",
    "1 commit brought other versions of the data: span-02",
    facts={"commit": NEW_COMMIT, "spans": ["span-02"]},
)
UNDECIDED = Event(Source.SCHEDULE, "nightly/1", Kind.SCHEDULE, "nightly", "The schedule nightly came due")


def _accept(store: Store, event: Event) -> str:
    return store.accept([event])[0].id


def _number(store: Store, event: Event) -> int:
    return next(kept.number for kept in store.events(20) if kept.event.delivery == event.delivery)


def _record(store: Store, event: Event, reason: str) -> None:
    decision = Decision(Action.RECORD, Outcome.RECORDED, NOW, reason)
    with store.turn() as connection:
        changes.event_decided(connection, _number(store, event), decision, NOW, None)


def _start(store: Store, event: Event, reason: str, action: Action = Action.RETRAIN) -> str:
    decision = Decision(action, Outcome.STARTS, NOW + 60, reason)
    number = _number(store, event)
    with store.turn() as connection:
        run = changes.run_asked_for(connection, Lane.TRAIN, action, decision, RECEIVED, NOW)
        changes.event_decided(connection, number, decision, NOW, run)
    return run


def _work(store: Store, id: str) -> None:
    """The run is launched, trains and is promoted within two minutes."""
    seen = Seen(State.SUCCEEDED, "", "promoted", SECOND, "", {"run_id": SECOND_TRAINING, "until_span": 2})
    run = store.run(id)
    assert run is not None
    with store.turn() as connection:
        changes.run_chosen(connection, run, "local", "it is due", OWNER, RECEIVED + 600)
    run = store.run(id)
    assert run is not None
    with store.turn() as connection:
        assert changes.run_launched(connection, run, OWNER, Launched(id), RECEIVED + 60, NOW + 60)
    run = store.run(id)
    assert run is not None
    with store.turn() as connection:
        assert changes.run_ended(connection, run, OWNER, Phase.SUCCEEDED, seen, RECEIVED + 180, NOW + 180)


def _record_of(
    run_id: str,
    outcome: str,
    release: str | None,
    champion: str | None,
    commit: str,
    finished: str,
    spans: int,
) -> RunRecord:
    score = Score(48, 50.0, 40.0, 0.2, -1.5)
    used = (
        SpanUsed(1, 8645, "2011-01-01", "2011-12-31", "1" * 32),
        SpanUsed(2, 741, "2012-01-01", "2012-01-31", "2" * 32),
    )[:spans]
    refused = GateResult("rmse", "overall", 90.0, 60.0, "rentals", False, "90.0 is above 60.0")
    return RunRecord(
        run_id=run_id,
        started=finished,
        finished=finished,
        outcome=outcome,
        until_span=spans,
        spans=used,
        evaluation_first="2012-01-18",
        evaluation_last="2012-01-31",
        train_rows=100,
        evaluation_rows=48,
        commit=commit,
        dirty=False,
        release_id=release,
        model_version=None,
        champion_release=champion,
        candidate=score,
        naive=score,
        champion=score if champion else None,
        slices=(),
        gates=(refused,) if outcome == "refused" else (),
        statistics=(),
        anomalies=(),
        timings=(),
        growth=Growth(0.0, False, ""),
    )
