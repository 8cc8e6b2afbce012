"""What the engine asks inside its turn, when it decides events and moves runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select

from triggers.events import REASON, WHO, Kind
from triggers.launchers.launcher import PROMOTED
from triggers.pause import Pause
from triggers.policy import VERDICTS, Action, Lane
from triggers.records import Phase, StoredEvent, StoredRun
from triggers.store.reading import AT_WORK_NOW, UNDECIDED, WAITS, all_events, all_runs
from triggers.store.rows import clean, release_of, stored_event, stored_run
from triggers.store.schema import events, runs

CAME_TO_NOTHING = (Phase.FAILED.value, Phase.CANCELED.value)
_UNDECIDED = select(events).where(UNDECIDED).order_by(events.c.number)


@dataclass(frozen=True)
class Held:
    """The run that is being launched or is at work, and whose claim on it counts until when (wall clock, seconds since 1970).

    `misses` is how many looks in a row saw nothing, or how often it was tried in vain to launch what somebody has to mend.
    """

    run: StoredRun
    claimed_by: str
    claim_until: float
    misses: int


@dataclass(frozen=True)
class Asked:
    """Events that give one reason: the newest of them, when the first was due, and when that was decided (service clock)."""

    newest: StoredEvent
    due: float
    decided: float


def undecided(connection: Connection, limit: int) -> Sequence[Row[Any]]:
    """The rows of the oldest events that are not decided, for `rows.stored_event`."""
    return connection.execute(_UNDECIDED.limit(limit)).all()


def events_of(connection: Connection, run: str) -> list[StoredEvent]:
    """The events that asked for a run or joined it, in the order in which they came."""
    return all_events(connection, select(events).where(events.c.run == run).order_by(events.c.number))


def newest_of_each_reason(connection: Connection, run: str) -> list[Asked]:
    """The events behind a run, of each kind, subject and release one: few, however long the run has waited."""
    alike = (events.c.kind, events.c.subject, events.c.release)
    group = (
        select(
            func.max(events.c.number).label("newest"),
            func.min(events.c.due).label("first_due"),
            func.min(events.c.now).label("first_now"),
        )
        .where(events.c.run == run)
        .group_by(*alike)
        .subquery()
    )
    query = select(events, group.c.first_due, group.c.first_now).join(
        group, events.c.number == group.c.newest
    )
    rows = connection.execute(query.order_by(events.c.number))
    return [Asked(stored_event(row), row.first_due, row.first_now) for row in rows]


def left_behind(connection: Connection, run: StoredRun) -> list[StoredEvent]:
    """The uploads that no run took in: those behind runs that came to nothing since the last one that took in and succeeded."""
    before = runs.c.number < run.number
    took_in = (runs.c.action == Action.TAKE_IN.value) & (runs.c.phase == Phase.SUCCEEDED.value)
    since = select(func.coalesce(func.max(runs.c.number), 0)).where(before, took_in).scalar_subquery()
    came_to_nothing = runs.c.phase.in_((*CAME_TO_NOTHING, Phase.DROPPED.value))
    lost = select(runs.c.id).where(before, runs.c.number > since, came_to_nothing)
    query = select(events).where(events.c.kind == Kind.STORAGE.value, events.c.run.in_(lost))
    return all_events(connection, query.order_by(events.c.number))


def first_received(connection: Connection, run: str) -> float | None:
    """When the first event behind a run was committed, by the wall clock."""
    return _moment(connection, select(func.min(events.c.received)).where(events.c.run == run))


def waiting_in(connection: Connection, lane: Lane) -> StoredRun | None:
    """The run that waits in a lane."""
    return next(iter(all_runs(connection, select(runs).where(WAITS, runs.c.lane == lane.value))), None)


def due(connection: Connection, now: float) -> list[StoredRun]:
    """The waiting runs that may start at `now` (service clock), the earliest due first."""
    query = select(runs).where(WAITS, runs.c.due <= now).order_by(runs.c.due, runs.c.number)
    return all_runs(connection, query)


def next_due(connection: Connection) -> float | None:
    """When the next of the waiting runs may start, by the service's clock."""
    return _moment(connection, select(func.min(runs.c.due)).where(WAITS))


def at_work(connection: Connection) -> Held | None:
    """The run that is being launched or is at work; there is one at most."""
    row = connection.execute(select(runs).where(AT_WORK_NOW)).one_or_none()
    return None if row is None else Held(stored_run(row), row.claimed_by, row.claim_until, row.misses)


def pause(connection: Connection) -> Pause | None:
    """The newest wish to pause, where nobody has wished to resume since; both count as soon as they are committed."""
    of_kind = events.c.kind
    newest = select(func.max(events.c.number))
    resumed = func.coalesce(newest.where(of_kind == Kind.RESUME.value).scalar_subquery(), 0)
    query = select(events).where(of_kind == Kind.PAUSE.value, events.c.number > resumed)
    found = all_events(connection, query.order_by(events.c.number.desc()).limit(1))
    return _pause_of(found[0]) if found else None


def _pause_of(stored: StoredEvent) -> Pause:
    said = stored.event.facts
    return Pause(stored.id, clean(str(said.get(WHO))), clean(str(said.get(REASON))), stored.now)


def last_start(connection: Connection, kind: Kind, now: float) -> float | None:
    """When the newest run with this kind among its reasons began, by the service's clock; one that is being launched begins now.

    A run for a verdict that failed or was canceled does not count: what drifts still does. None began later than `now`, whatever a clock
    said that has been set back.
    """
    is_launching = runs.c.phase == Phase.LAUNCHING.value
    query = (
        select(runs.c.started_now)
        .where(or_(runs.c.started_now.is_not(None), is_launching))
        .where(select(events.c.number).where(events.c.run == runs.c.id, events.c.kind == kind.value).exists())
        .order_by(runs.c.number.desc())
        .limit(1)
    )
    if kind in VERDICTS:
        query = query.where(runs.c.phase.not_in(CAME_TO_NOTHING))
    found = connection.execute(query).one_or_none()
    return None if found is None else now if found[0] is None else min(float(found[0]), now)


def last_promotion(connection: Connection, now: float) -> float | None:
    """When a run promoted a release last, by the service's clock; at `now` at the latest."""
    found = _moment(connection, select(func.max(runs.c.finished_now)).where(runs.c.outcome == PROMOTED))
    return None if found is None else min(found, now)


def promoted_release(connection: Connection) -> str:
    """The release of the newest run that promoted one; empty where there is none."""
    newest_first = (runs.c.finished.desc(), runs.c.number.desc())
    query = select(runs.c.release).where(runs.c.outcome == PROMOTED).order_by(*newest_first).limit(1)
    return connection.scalar(query) or ""


def verdicts_until(connection: Connection, stored: StoredEvent, many: int) -> list[StoredEvent]:
    """The newest verdicts about the same subject and release, the oldest first; this one is the last."""
    own = select(events.c.moment).where(events.c.number == stored.number).scalar_subquery()
    earlier = or_(events.c.moment < own, (events.c.moment == own) & (events.c.number <= stored.number))
    return _newest_verdicts(connection, stored, many, earlier)[::-1]


def newest_verdict(connection: Connection, stored: StoredEvent) -> StoredEvent:
    """The newest verdict about the same subject and release; it may be this one."""
    return _newest_verdicts(connection, stored, 1)[0]


def _newest_verdicts(
    connection: Connection, stored: StoredEvent, many: int, *conditions: ColumnElement[bool]
) -> list[StoredEvent]:
    query = (
        select(events)
        .where(events.c.kind == stored.event.kind.value, events.c.subject == stored.event.subject)
        .where(events.c.release == release_of(stored.event), *conditions)
        .order_by(events.c.moment.desc(), events.c.number.desc())
        .limit(many)
    )
    return all_events(connection, query)


def _moment(connection: Connection, query: Select[tuple[float]]) -> float | None:
    found: float | None = connection.scalar(query)
    return found
