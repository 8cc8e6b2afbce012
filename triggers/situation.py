"""What the policy has to know, gathered from the store inside the engine's turn."""

from __future__ import annotations

from functools import cached_property

from sqlalchemy import Connection

from triggers.events import IS_DRIFT, Kind
from triggers.policy import VERDICTS, Action, Lane, Rule, Situation
from triggers.readiness import Reason
from triggers.records import StoredEvent, StoredRun
from triggers.store import questions
from triggers.store.questions import Asked


class Standing:
    """How things stand while events are decided in one turn. Which run is at work does not change meanwhile, so it is asked once.

    Args:
        now: by the service's clock.
        champion: what the launcher says; where it is empty, the release promoted last counts.
    """

    def __init__(self, connection: Connection, now: float, champion: str) -> None:
        self.connection = connection
        self.now = now
        self._told = champion
        self._starts: dict[Kind, float | None] = {}

    @cached_property
    def champion(self) -> str:
        return champion_of(self.connection, self._told)

    @cached_property
    def last_promotion(self) -> float | None:
        return questions.last_promotion(self.connection, self.now)

    @cached_property
    def active(self) -> str:
        held = questions.at_work(self.connection)
        return held.run.id if held else ""

    @cached_property
    def paused(self) -> str:
        pause = questions.pause(self.connection)
        return pause.sentence if pause else ""

    def last_start(self, kind: Kind) -> float | None:
        if kind not in self._starts:
            self._starts[kind] = questions.last_start(self.connection, kind, self.now)
        return self._starts[kind]

    def waiting(self, lane: Lane) -> StoredRun | None:
        return questions.waiting_in(self.connection, lane)


def situation_of(standing: Standing, stored: StoredEvent, rule: Rule, waiting: StoredRun | None) -> Situation:
    """How things stand for an event; `waiting` is the run that waits in its lane."""
    if rule.action is Action.RECORD:
        return Situation(standing.now)
    return Situation(
        now=standing.now,
        verdicts=_verdicts(standing.connection, stored, rule),
        champion=standing.champion,
        last_start=standing.last_start(rule.kind),
        last_promotion=standing.last_promotion,
        waiting=waiting.id if waiting else "",
        active=standing.active,
        paused=standing.paused,
    )


def champion_of(connection: Connection, told: str) -> str:
    """The release that serves, as a launcher told, else the one promoted last; empty where nobody knows."""
    return told or questions.promoted_release(connection)


def reasons_of(connection: Connection, run: StoredRun) -> list[Reason]:
    """What a run was asked for, each reason once, by its newest event and with how things stand now."""
    return [_reason(connection, asked) for asked in questions.newest_of_each_reason(connection, run.id)]


def _reason(connection: Connection, asked: Asked) -> Reason:
    stored, event = asked.newest, asked.newest.event
    newest = questions.newest_verdict(connection, stored) if event.kind in VERDICTS else None
    verdict = _says_drift(newest) if newest else None
    return Reason(stored.id, event.kind, event.facts, verdict, asked.due, asked.decided)


def _verdicts(connection: Connection, stored: StoredEvent, rule: Rule) -> tuple[bool, ...]:
    if rule.kind not in VERDICTS:
        return ()
    newest = questions.verdicts_until(connection, stored, rule.votes.of)
    return tuple(_says_drift(verdict) for verdict in newest)


def _says_drift(stored: StoredEvent) -> bool:
    return stored.event.facts.get(IS_DRIFT) is True
