"""What people, pages and metrics ask the store. Nothing here changes anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from triggers.events import Kind
from triggers.launchers.launcher import PROMOTED
from triggers.policy import VERDICTS
from triggers.records import AT_WORK, Depth, Phase, StoredEvent, StoredRun
from triggers.store.rows import name, stored_event, stored_run
from triggers.store.schema import asked_before, events, runs

AT_WORK_NOW = runs.c.phase.in_(sorted(phase.value for phase in AT_WORK))
WAITS = runs.c.phase == Phase.WAITING.value
UNDECIDED = events.c.outcome.is_(None)


def all_events(connection: Connection, query: Select[Any]) -> list[StoredEvent]:
    """The events that a query on their table finds."""
    return [stored_event(row) for row in connection.execute(query)]


def all_runs(connection: Connection, query: Select[Any]) -> list[StoredRun]:
    """The runs that a query on their table finds."""
    return [stored_run(row) for row in connection.execute(query)]


def newest_events(
    connection: Connection, limit: int, before: int | None, kind: Kind | None, run: str | None
) -> list[StoredEvent]:
    """A page of events, the newest first: those with a smaller number than `before`, of one kind, behind one run.

    Behind a run that came to nothing are also those that asked for another one since.
    """
    query = select(events).order_by(events.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(events.c.number < before)
    if kind is not None:
        query = query.where(events.c.kind == kind.value)
    if run is not None:
        earlier = select(asked_before.c.event).where(asked_before.c.run == run)
        query = query.where(or_(events.c.run == run, events.c.number.in_(earlier)))
    return all_events(connection, query)


def event_called(connection: Connection, id: str) -> StoredEvent | None:
    """The event with this public name."""
    return next(iter(all_events(connection, select(events).where(events.c.id == id))), None)


def newest_runs(connection: Connection, limit: int, before: int | None) -> list[StoredRun]:
    """A page of runs, the newest first: those with a smaller number than `before`."""
    query = select(runs).order_by(runs.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(runs.c.number < before)
    return all_runs(connection, query)


def run_called(connection: Connection, id: str) -> StoredRun | None:
    """The run with this public name."""
    return next(iter(all_runs(connection, select(runs).where(runs.c.id == id))), None)


def events_about(connection: Connection, request_id: str, release: str, limit: int) -> list[StoredEvent]:
    """The newest events that came with a prediction request, or that judged a release; the newest first."""
    wanted = [
        column == name(value)
        for column, value in ((events.c.request_id, request_id), (events.c.release, release))
        if value
    ]
    if not wanted:
        return []
    query = select(events).where(and_(*wanted)).order_by(events.c.number.desc()).limit(limit)
    return all_events(connection, query)


def verdict_series(connection: Connection, limit: int) -> list[StoredEvent]:
    """The newest verdicts of the drift detectors, the oldest first."""
    of_verdicts = events.c.kind.in_([kind.value for kind in VERDICTS])
    query = select(events).where(of_verdicts).order_by(events.c.number.desc()).limit(limit)
    return all_events(connection, query)[::-1]


def depth(connection: Connection) -> Depth:
    """How much waits."""
    undecided = connection.execute(select(func.count(), func.min(events.c.received)).where(UNDECIDED)).one()
    waiting = connection.execute(select(func.count(), func.min(runs.c.created)).where(WAITS)).one()
    at_work = connection.execute(select(func.count(), func.min(runs.c.started)).where(AT_WORK_NOW)).one()
    promoted_last = connection.scalar(select(func.max(runs.c.finished)).where(runs.c.outcome == PROMOTED))
    return replace(Depth(*undecided, *waiting, *at_work), promoted_last=promoted_last)


def newest_data_time(connection: Connection, latest: float) -> float:
    """The newest moment of data that an event spoke of, at most `latest`; 0 where there is none."""
    query = select(func.max(events.c.data_time)).where(events.c.data_time <= latest)
    return connection.scalar(query) or 0.0
