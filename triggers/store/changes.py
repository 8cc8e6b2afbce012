"""What the engine writes inside its turn. A run is moved only by whoever holds its claim; what comes too late changes nothing."""

from __future__ import annotations

import json

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, true, update

from triggers.launchers.launcher import Launched, Seen
from triggers.policy import Action, Decision, Lane
from triggers.records import Phase, StoredRun
from triggers.store.reading import AT_WORK_NOW, WAITS
from triggers.store.rows import Values, clean, new_run_id
from triggers.store.schema import events, runs

_DECIDED = (
    update(events)
    .where(events.c.number == bindparam("event_number"))
    .values({name: bindparam(name) for name in ("now", "action", "outcome", "reason", "due", "run")})
)


def event_decided(
    connection: Connection, number: int, decision: Decision, now: float, run: str | None
) -> None:
    """Keep what was decided of an event, at `now` by the service's clock."""
    values = {
        "event_number": number,
        "now": now,
        "action": decision.action.value,
        "outcome": decision.outcome.value,
        "reason": clean(decision.reason),
        "due": None if run is None else decision.due,
        "run": run,
    }
    connection.execute(_DECIDED, values)


def run_asked_for(
    connection: Connection, lane: Lane, action: Action, decision: Decision, created: float, now: float
) -> str:
    """A new run that waits; its public name."""
    id = new_run_id()
    values = {
        "id": id,
        "lane": lane.value,
        "action": action.value,
        "phase": Phase.WAITING.value,
        "created": created,
        "created_now": now,
        "due": decision.due,
        "note": clean(decision.note or decision.reason),
    }
    connection.execute(insert(runs).values(values))
    return id


def run_joined(connection: Connection, run: StoredRun, action: Action, decision: Decision) -> None:
    """An event joins a run that waits: the run does `action`, and is asked for when the most urgent of its reasons is due."""
    values: Values = {"action": action.value}
    if decision.due < run.due:
        values.update(due=decision.due, note=clean(decision.note or decision.reason))
    connection.execute(update(runs).where(WAITS, runs.c.id == run.id).values(values))


def run_noted(connection: Connection, run: StoredRun, note: str) -> None:
    """Say why a run stands where it stands."""
    if clean(note) != run.note:
        connection.execute(update(runs).where(runs.c.id == run.id).values(note=clean(note)))


def run_dropped(connection: Connection, run: StoredRun, reason: str, wall: float, now: float) -> None:
    """A waiting run has no reason any more."""
    values = {
        "phase": Phase.DROPPED.value,
        "note": clean(reason),
        "finished": wall,
        "finished_now": now,
    }
    connection.execute(update(runs).where(WAITS, runs.c.id == run.id).values(values))


def run_chosen(
    connection: Connection, run: StoredRun, launcher: str, reason: str, owner: str, until: float
) -> None:
    """A waiting run is going to be launched by `owner`, whose claim counts until `until` (wall clock)."""
    values = {
        "phase": Phase.LAUNCHING.value,
        "launcher": launcher,
        "note": clean(reason),
        "claimed_by": owner,
        "claim_until": until,
    }
    connection.execute(update(runs).where(WAITS, runs.c.id == run.id).values(values))


def claim_taken(connection: Connection, run: str, owner: str, wall: float, until: float) -> bool:
    """Take or renew the claim on a run at work, unless somebody else's still counts at `wall`.

    One that would count for more than twice as long as this one was made by a clock that has been set back; it counts no more.
    """
    impossible = runs.c.claim_until > until + (until - wall)
    free = (runs.c.claimed_by == owner) | (runs.c.claim_until <= wall) | impossible
    values = {"claimed_by": owner, "claim_until": until}
    found = connection.execute(update(runs).where(AT_WORK_NOW, runs.c.id == run, free).values(values))
    return found.rowcount == 1


def claims_given_back(connection: Connection, owner: str) -> None:
    """The owner stops in good order: whoever comes may go on at once."""
    _free(connection, runs.c.claimed_by == owner)


def claims_of_the_dead_freed(connection: Connection) -> None:
    """Nobody else shares the store, so whoever has a claim is dead."""
    _free(connection, true())


def _free(connection: Connection, which: ColumnElement[bool]) -> None:
    connection.execute(update(runs).where(AT_WORK_NOW, which).values(claimed_by="", claim_until=0.0))


def run_launched(
    connection: Connection, run: StoredRun, owner: str, launched: Launched, wall: float, now: float
) -> bool:
    """A run is at work. False where the claim was lost meanwhile."""
    values = {
        "phase": Phase.RUNNING.value,
        "launched_id": launched.id,
        "url": launched.url,
        "started": func.coalesce(runs.c.started, wall),
        "started_now": func.coalesce(runs.c.started_now, now),
        "attempts": runs.c.attempts + 1,
        "misses": 0,
        "retry_at": 0.0,
        "note": "",
    }
    return _moved(connection, run, owner, values)


def launch_postponed(connection: Connection, run: StoredRun, owner: str, note: str, retry_at: float) -> bool:
    """An attempt to launch failed, or the run was interrupted: it is launched, again under the same key, not before `retry_at`."""
    values = {
        "phase": Phase.LAUNCHING.value,
        "attempts": runs.c.attempts + (1 if run.phase is Phase.LAUNCHING else 0),
        "misses": runs.c.misses if run.phase is Phase.LAUNCHING else 0,
        "retry_at": retry_at,
        "note": clean(note),
    }
    return _moved(connection, run, owner, values)


def missed(connection: Connection, run: StoredRun, owner: str, note: str, retry_at: float) -> bool:
    """A run could not be looked at, or not be launched before somebody mends something; not tried again before `retry_at`."""
    values = {"misses": runs.c.misses + 1, "retry_at": retry_at, "note": clean(note)}
    return _moved(connection, run, owner, values)


def run_seen(connection: Connection, run: StoredRun, owner: str, seen: Seen) -> bool:
    """A run is at work, as its launcher says."""
    values = {"note": clean(seen.step), "facts": json.dumps(dict(seen.facts)), "misses": 0}
    return _moved(connection, run, owner, values)


def run_ended(
    connection: Connection, run: StoredRun, owner: str, phase: Phase, seen: Seen, wall: float, now: float
) -> bool:
    """A run is over. False where the claim was lost meanwhile."""
    values = {
        "phase": phase.value,
        "note": clean(seen.note),
        "finished": wall,
        "finished_now": now,
        "outcome": seen.outcome,
        "release": seen.release,
        "facts": json.dumps(dict(seen.facts)),
        "claimed_by": "",
        "claim_until": 0.0,
    }
    return _moved(connection, run, owner, values)


def _moved(connection: Connection, run: StoredRun, owner: str, values: Values) -> bool:
    """Change a run that is still where it was and still the owner's."""
    still = (runs.c.id == run.id, runs.c.phase == run.phase.value, runs.c.claimed_by == owner)
    return connection.execute(update(runs).where(*still).values(values)).rowcount == 1
