"""Moves the run at work: launches it under its key, looks how it goes, and ends it. Launchers are asked outside any transaction."""

from __future__ import annotations

import enum

from triggers import claims
from triggers.engine_parts import Parts, logger
from triggers.errors import LaunchStopped, TriggersError
from triggers.launchers.launcher import PROMOTED, Launched, Order, Seen, State
from triggers.order import order_of
from triggers.policy import span_text
from triggers.records import Phase, StoredRun
from triggers.retries import MENDED, RETRIES, delay_s, waits
from triggers.store import changes, questions
from triggers.store.questions import Held

_ENDS = {
    State.SUCCEEDED: Phase.SUCCEEDED,
    State.FAILED: Phase.FAILED,
    State.CANCELED: Phase.CANCELED,
}


class Moved(enum.Enum):
    """What came of it."""

    NOTHING = "nothing could be done now"
    LOOKED = "it is at work, or waits for the next attempt"
    ON = "it went on to its next phase"


def move(parts: Parts, *, may_look: bool) -> Moved:
    """Do for the run at work what can be done now. Raises StoreFailed."""
    held = claims.hold(parts)
    if held is None or waits(held.run.retry_at, parts.wall()):
        return Moved.NOTHING
    if held.run.phase is Phase.LAUNCHING:
        return _launch(parts, held)
    return _look(parts, held) if may_look else Moved.NOTHING


def _launch(parts: Parts, held: Held) -> Moved:
    """Find the run under its key, or else submit it."""
    run = held.run
    try:
        launcher = parts.launcher_of(run)
    except LaunchStopped as error:
        return _fail(parts, run, str(error))
    order = _order(parts, run)
    try:
        with claims.kept(parts, run.id):
            launched = launcher.find(run.id) or launcher.submit(order)
    except LaunchStopped as error:
        return _launch_when_mended(parts, held, error)
    except Exception as error:
        return _launch_later(parts, run, error)
    return _launched(parts, run, launched)


def _order(parts: Parts, run: StoredRun) -> Order:
    with parts.store.reading() as connection:
        events = [stored.event for stored in questions.events_of(connection, run.id)]
        left = [stored.event for stored in questions.left_behind(connection, run)]
    return order_of(run, events, left, parts.pipeline)


def _launched(parts: Parts, run: StoredRun, launched: Launched) -> Moved:
    wall, now = parts.wall(), parts.clock.now()
    with parts.store.turn() as connection:
        first = questions.first_received(connection, run.id)
        if not changes.run_launched(connection, run, parts.owner, launched, wall, now):
            return _lost(run)
    if run.started is None:
        parts.observe.started(wall - (run.created if first is None else first))
    return Moved.ON


def _launch_when_mended(parts: Parts, held: Held, error: LaunchStopped) -> Moved:
    """Somebody has to mend something first: the reasons are kept meanwhile, and it is tried now and then."""
    parts.observe.failed_attempt(held.run.launcher)
    failures = held.misses + 1
    if failures >= MENDED.most:
        return _fail(parts, held.run, f"{error}; given up after {failures} attempts")
    wait_s = delay_s(MENDED, failures, 1.0)
    note = f"{error}; tried again every {span_text(wait_s)} until that is mended, attempt {failures + 1} of {MENDED.most}"
    with parts.store.turn() as connection:
        changes.missed(connection, held.run, parts.owner, note, parts.wall() + wait_s)
    return Moved.LOOKED


def _launch_later(parts: Parts, run: StoredRun, error: Exception) -> Moved:
    """An attempt to launch failed: try again later, or give up."""
    parts.observe.failed_attempt(run.launcher)
    return _again(parts, run, run.attempts + 1, _said("could not be launched", error))


def _again(parts: Parts, run: StoredRun, failures: int, said: str) -> Moved:
    """Launch a run, again under its key, after a while; or end it where that was tried too often."""
    retries = RETRIES[Phase.LAUNCHING]
    if failures >= retries.most:
        return _fail(parts, run, f"{said}; given up after {failures} attempts")
    wait_s = delay_s(retries, failures, parts.jitter())
    note = f"{said}; tried again in {wait_s:.0f} s, attempt {failures + 1} of {retries.most}"
    with parts.store.turn() as connection:
        changes.launch_postponed(connection, run, parts.owner, note, parts.wall() + wait_s)
    return Moved.LOOKED


def _look(parts: Parts, held: Held) -> Moved:
    run = held.run
    try:
        launcher = parts.launcher_of(run)
    except LaunchStopped as error:
        return _fail(parts, run, str(error))
    try:
        with claims.kept(parts, run.id):
            seen = launcher.look(run.launched_id)
    except Exception as error:
        return _look_later(parts, held, error)
    if seen.state is State.ACTIVE:
        return _goes_on(parts, held, seen)
    if seen.state is State.INTERRUPTED:
        return _again(parts, run, run.attempts, seen.note or "it was interrupted")
    return _end(parts, run, _ENDS[seen.state], seen)


def _look_later(parts: Parts, held: Held, error: Exception) -> Moved:
    """Nobody knows how it goes: look again later, or give up, so that it does not stand in the way of others for ever."""
    parts.observe.failed_attempt(held.run.launcher)
    said, failures, retries = _said("could not be looked at", error), held.misses + 1, RETRIES[Phase.RUNNING]
    if failures >= retries.most:
        return _fail(parts, held.run, f"{said}; given up after {failures} looks")
    retry_at = parts.wall() + delay_s(retries, failures, parts.jitter())
    with parts.store.turn() as connection:
        changes.missed(connection, held.run, parts.owner, said, retry_at)
    return Moved.LOOKED


def _goes_on(parts: Parts, held: Held, seen: Seen) -> Moved:
    if held.misses or seen.step != held.run.note or dict(seen.facts) != held.run.facts:
        with parts.store.turn() as connection:
            changes.run_seen(connection, held.run, parts.owner, seen)
    return Moved.LOOKED


def _fail(parts: Parts, run: StoredRun, note: str) -> Moved:
    return _end(parts, run, Phase.FAILED, Seen(State.FAILED, note=note, facts=dict(_plain(run))))


def _plain(run: StoredRun) -> dict[str, str | int | float | bool | None]:
    """What was known of a run before it failed."""
    return {key: value for key, value in run.facts.items() if not isinstance(value, (list, dict))}


def _end(parts: Parts, run: StoredRun, phase: Phase, seen: Seen) -> Moved:
    wall, now = parts.wall(), parts.clock.now()
    with parts.store.turn() as connection:
        first = questions.first_received(connection, run.id)
        if not changes.run_ended(connection, run, parts.owner, phase, seen, wall, now):
            return _lost(run)
    came_to = seen.outcome if phase is Phase.SUCCEEDED and seen.outcome else phase.value
    parts.observe.finished(came_to, wall - (wall if run.started is None else run.started))
    if seen.outcome == PROMOTED:
        parts.observe.promoted(wall - (run.created if first is None else first))
    return Moved.ON


def _lost(run: StoredRun) -> Moved:
    logger.warning("run %s was taken over meanwhile; whoever has it goes on with it", run.id)
    return Moved.NOTHING


def _said(what: str, error: Exception) -> str:
    """A launcher's own words; anything else is a mistake in the program, which is logged."""
    if isinstance(error, TriggersError):
        return str(error)
    logger.error("a run %s", what, exc_info=error)
    return f"{what}: {type(error).__name__}: {error}"
