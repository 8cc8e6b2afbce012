"""Starts the next waiting run, where none is at work: asks the policy whether its reasons still hold, and claims it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from triggers.engine_parts import Parts, logger
from triggers.policy import Action, busy
from triggers.readiness import Readiness, Ready, readiness
from triggers.records import StoredRun
from triggers.situation import champion_of, reasons_of
from triggers.store import changes, questions


@dataclass(frozen=True)
class _Told:
    """What a launcher said: whether there is new data, or why it could not say."""

    new_data: bool | None = None
    trouble: str = ""


@dataclass(frozen=True)
class _Now:
    """What holds for all runs that are judged in one turn. Times by the service's clock."""

    now: float
    champion: str
    last_promotion: float | None


def start_next(parts: Parts) -> bool:
    """Claim the earliest due run that has a reason, and drop those that have none. Whether one was claimed. Raises StoreFailed."""
    now = parts.clock.now()
    with parts.store.reading() as connection:
        obstacle, candidates = _obstacle(connection), questions.due(connection, now)
    if obstacle:
        _say_what_is_waited_for(parts, candidates, obstacle, now)
        return False
    if not candidates:
        return False
    champion, told = parts.champion(), _ask(parts, {run.action for run in candidates})
    with parts.store.turn() as connection:
        if _obstacle(connection):
            return False
        stands = _Now(now, champion_of(connection, champion), questions.last_promotion(connection, now))
        due = [run for run in questions.due(connection, now) if run.action in told]
        return any(_starts(parts, connection, run, stands, told[run.action]) for run in due)


def _obstacle(connection: Connection) -> str:
    """What every run that is due waits for: that somebody resumes, or that the run at work is over. Empty where nothing is in the way."""
    pause, held = questions.pause(connection), questions.at_work(connection)
    return pause.sentence if pause else busy(held.run.id if held else "")


def _say_what_is_waited_for(parts: Parts, candidates: Iterable[StoredRun], obstacle: str, now: float) -> None:
    """Runs that are due say what is in their way; what they waited for before is over."""
    if all(run.note == obstacle for run in candidates):
        return
    with parts.store.turn() as connection:
        note = _obstacle(connection)
        for run in questions.due(connection, now) if note else ():
            changes.run_noted(connection, run, note)


def _ask(parts: Parts, actions: Iterable[Action]) -> dict[Action, _Told]:
    """Ask the launchers, outside the turn, because they may take their time."""
    return {action: _new_data(parts, action) for action in actions}


def _new_data(parts: Parts, action: Action) -> _Told:
    try:
        return _Told(parts.launcher_for(action).new_data())
    except Exception as error:
        logger.warning("nobody can say whether there is new data: %s", error)
        return _Told(trouble=f"it waits, because its launcher cannot be asked: {error}")


def _starts(parts: Parts, connection: Connection, run: StoredRun, stands: _Now, told: _Told) -> bool:
    """Whether a run was claimed. One that cannot be judged says why, and does not stand in the way of others."""
    if told.trouble:
        changes.run_noted(connection, run, told.trouble)
        return False
    try:
        with connection.begin_nested():
            reasons = reasons_of(connection, run)
            answer = readiness(
                reasons,
                now=stands.now,
                champion=stands.champion,
                new_data=told.new_data,
                last_promotion=stands.last_promotion,
                rules=parts.rules,
            )
            return _obey(parts, connection, run, answer)
    except SQLAlchemyError:
        raise
    except Exception as error:
        logger.exception("run %s could not be judged", run.id)
        changes.run_noted(connection, run, f"could not be judged: {type(error).__name__}: {error}")
        return False


def _obey(parts: Parts, connection: Connection, run: StoredRun, answer: Readiness) -> bool:
    wall = parts.wall()
    if answer.ready is Ready.DROP:
        changes.run_dropped(connection, run, answer.reason, wall, parts.clock.now())
    elif answer.ready is Ready.WAIT:
        changes.run_noted(connection, run, answer.reason)
    else:
        launcher = parts.launcher_for(run.action).name
        until = wall + parts.timing.claim_s
        changes.run_chosen(connection, run, launcher, answer.reason, parts.owner, until)
    return answer.ready is Ready.LAUNCH
