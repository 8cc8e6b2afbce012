"""Decides events that were committed, in their order, and makes or joins the runs that they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError

from triggers import policy
from triggers.engine_parts import Parts, logger
from triggers.events import Kind
from triggers.policy import Action, Decision, Lane, Outcome, strongest
from triggers.records import StoredRun
from triggers.situation import Standing, situation_of
from triggers.store import changes, questions
from triggers.store.rows import stored_event


@dataclass(frozen=True)
class Decided:
    """What became of an event; `waiting` is the run that waits in the lane of its rule."""

    kind: Kind
    lane: Lane
    waiting: StoredRun | None
    decision: Decision


def decide_some(parts: Parts) -> list[Decided]:
    """Decide the oldest events that are not decided, in one turn. Empty where there are none. Raises StoreFailed."""
    with parts.store.reading() as connection:
        if not questions.undecided(connection, 1):
            return []
    champion = parts.champion()
    with parts.store.turn() as connection:
        standing = Standing(connection, parts.clock.now(), champion)
        rows = questions.undecided(connection, parts.timing.decided_together)
        decided = [_decide_and_keep(parts, standing, row) for row in rows]
    for one in decided:
        parts.observe.decided(one.kind, one.decision.action, one.decision.outcome)
    return decided


def _decide_and_keep(parts: Parts, standing: Standing, row: Row[Any]) -> Decided:
    decided = _decide_whatever_happens(parts, standing, row)
    run = _run_for(parts, standing, decided)
    changes.event_decided(standing.connection, row.number, decided.decision, standing.now, run)
    return decided


def _decide_whatever_happens(parts: Parts, standing: Standing, row: Row[Any]) -> Decided:
    """What cannot be decided is recorded with what went wrong, so that it does not stand in the way of others."""
    try:
        return _decide(parts, standing, row)
    except SQLAlchemyError:
        raise
    except Exception as error:
        logger.exception("event %s could not be decided", row.id)
        reason = f"could not be decided: {type(error).__name__}: {error}"
        decision = Decision(Action.RECORD, Outcome.RECORDED, standing.now, reason)
        return Decided(Kind.OTHER, Lane.TRAIN, None, decision)


def _decide(parts: Parts, standing: Standing, row: Row[Any]) -> Decided:
    stored = stored_event(row)
    event, rule = stored.event, parts.rules[stored.event.kind]
    waiting = None if rule.action is Action.RECORD else standing.waiting(rule.lane)
    situation = situation_of(standing, stored, rule, waiting)
    decision = policy.decide(event.kind, event.facts, situation, parts.rules)
    return Decided(event.kind, rule.lane, waiting, decision)


def _run_for(parts: Parts, standing: Standing, decided: Decided) -> str | None:
    """The run that an event leads to: a new one, or the one that waits in the lane."""
    decision, waiting = decided.decision, decided.waiting
    if decision.outcome is Outcome.RECORDED:
        return None
    if waiting is None:
        wall, now = parts.wall(), standing.now
        return changes.run_asked_for(standing.connection, decided.lane, decision.action, decision, wall, now)
    action = strongest((waiting.action, decision.action))
    changes.run_joined(standing.connection, waiting, action, decision)
    return waiting.id
