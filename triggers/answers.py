"""What the service answers, as models that OpenAPI describes, and how the store's records become them. Moments are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from triggers.overview import Overview
from triggers.pause import Pause
from triggers.records import StoredEvent, StoredRun
from triggers.wording import came_to, iso

Moment = str | None


class Fault(BaseModel):
    """Why a request was refused."""

    rule: str = Field(description="A short name for it, one of few.")
    message: str = Field(description="What is wrong, and what to do about it.")


class Refusal(BaseModel):
    """The body of every answer that is no success."""

    error: Fault


class TakenEvent(BaseModel):
    """An event that is committed."""

    id: str = Field(description="Its public name; /events/{id} is its page.")
    duplicate: bool = Field(description="Whether it was known before; then nothing new happened.")


class Taken(BaseModel):
    """The answer to a delivery: every event in it is committed."""

    events: list[TakenEvent]


MOST_IN_HEADER = 100  # more would not fit into what proxies take of headers


def taken_header(taken: Taken) -> str:
    """The same as a list of RFC 8941, at most so many of them: `e-1, e-2;duplicate`."""
    named = taken.events[:MOST_IN_HEADER]
    return ", ".join(f"{event.id};duplicate" if event.duplicate else event.id for event in named)


class EventAnswer(BaseModel):
    """An event with its decision."""

    id: str
    number: int
    source: str
    delivery: str
    kind: str
    subject: str
    summary: str
    occurred: Moment
    data_time: Moment
    request_id: str
    facts: dict[str, Any]
    received: Moment
    decided: Moment
    deliveries: int
    action: str | None
    outcome: str
    reason: str
    run: str


class RunAnswer(BaseModel):
    """A run, from the moment it was asked for."""

    id: str
    number: int
    lane: str
    action: str
    phase: str
    outcome: str
    note: str
    created: Moment
    due: Moment
    started: Moment
    finished: Moment
    attempts: int
    launcher: str
    launched_id: str
    url: str
    release: str
    facts: dict[str, Any]


class Events(BaseModel):
    """A page of events, the newest first. `next` is the `before` of the following page; null where there is none."""

    events: list[EventAnswer]
    next: int | None


class Runs(BaseModel):
    """A page of runs, the newest first. `next` is the `before` of the following page; null where there is none."""

    runs: list[RunAnswer]
    next: int | None


class ChampionAnswer(BaseModel):
    """The release that serves, and its error over the last labelled days."""

    release: str
    since: Moment
    rmse: float | None
    wape: float | None
    rows: int | None
    until: Moment


class PauseAnswer(BaseModel):
    """Somebody has asked that no run starts until somebody resumes."""

    event: str = Field(description="The wish to pause.")
    who: str
    reason: str
    since: Moment = Field(
        description="When it was decided, by the clock by which cool-downs count; null until then."
    )


class Status(BaseModel):
    """The state of things at a glance."""

    champion: ChampionAnswer
    paused: PauseAnswer | None = Field(description="Why no run starts; null where runs start.")
    at_work: list[RunAnswer]
    waiting: list[RunAnswer]
    undecided_events: int
    now: Moment
    clock: Moment = Field(description="The time by which cool-downs and quiet periods count.")


def event_answer(stored: StoredEvent) -> EventAnswer:
    event = stored.event
    return EventAnswer(
        id=stored.id,
        number=stored.number,
        source=event.source.value,
        delivery=event.delivery,
        kind=event.kind.value,
        subject=event.subject,
        summary=event.summary,
        occurred=iso(event.occurred),
        data_time=iso(event.data_time),
        request_id=event.request_id,
        facts=dict(event.facts),
        received=iso(stored.received),
        decided=iso(stored.now),
        deliveries=stored.deliveries,
        action=stored.action.value if stored.action else None,
        outcome=stored.outcome,
        reason=stored.reason,
        run=stored.run,
    )


def run_answer(run: StoredRun) -> RunAnswer:
    return RunAnswer(
        id=run.id,
        number=run.number,
        lane=run.lane.value,
        action=run.action.value,
        phase=run.phase.value,
        outcome=came_to(run),
        note=run.note,
        created=iso(run.created),
        due=iso(run.due),
        started=iso(run.started),
        finished=iso(run.finished),
        attempts=run.attempts,
        launcher=run.launcher,
        launched_id=run.launched_id,
        url=run.url,
        release=run.release,
        facts=dict(run.facts),
    )


def status_answer(found: Overview, now: float, clock: float) -> Status:
    champion = found.champion
    return Status(
        champion=ChampionAnswer(
            release=champion.release,
            since=iso(champion.since),
            rmse=champion.rmse,
            wape=champion.wape,
            rows=champion.rows,
            until=iso(champion.until),
        ),
        paused=_pause_answer(found.pause),
        at_work=[run_answer(run) for run in found.at_work],
        waiting=[run_answer(run) for run in found.waiting],
        undecided_events=found.depth.undecided,
        now=iso(now),
        clock=iso(clock),
    )


def _pause_answer(pause: Pause | None) -> PauseAnswer | None:
    if pause is None:
        return None
    return PauseAnswer(event=pause.event, who=pause.who, reason=pause.reason, since=iso(pause.since))
