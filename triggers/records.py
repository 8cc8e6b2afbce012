"""What the store keeps, as it is read: events with their decision, and runs from the moment they are asked for to their end."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from triggers.events import Event, Facts
from triggers.policy import Action, Lane


class Phase(str, enum.Enum):
    """Where a run stands, in the order of its life. The last four are ends."""

    WAITING = "waiting"
    LAUNCHING = "launching"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    DROPPED = "dropped"  # its reasons lapsed before it started


OVER = frozenset((Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELED, Phase.DROPPED))
AT_WORK = frozenset((Phase.LAUNCHING, Phase.RUNNING))


@dataclass(frozen=True)
class StoredEvent:
    """An event as it was committed. Times in seconds since 1970.

    Args:
        number: counts up in the order in which events were committed.
        id: its public name, `e-…`.
        event: what the parser made of it.
        received: when it was committed, by the wall clock.
        now: when it was decided, by the service's clock (in a replay the time of the data).
        deliveries: how often it was delivered; more than one means that duplicates were acknowledged.
        action: what was decided; None while it is not decided.
        outcome: of `policy.Outcome`; empty while it is not decided.
        reason: why it was decided so.
        due: when a run may start for it at the earliest, by the service's clock; None where it leads to none.
        run: the run that it asked for or joined; empty where there is none.
    """

    number: int
    id: str
    event: Event
    received: float
    now: float | None = None
    deliveries: int = 1
    action: Action | None = None
    outcome: str = ""
    reason: str = ""
    run: str = ""
    due: float | None = None


@dataclass(frozen=True)
class StoredRun:
    """A run, from the moment it is asked for. Times in seconds since 1970, by the wall clock where no other is named.

    Args:
        number: counts up.
        id: its public name, `q-…`, which is also the idempotency key.
        lane: which coalesced with it.
        action: the strongest of its events' actions.
        phase: where it stands.
        created: when it was asked for.
        created_now: the same by the service's clock.
        due: when the first of its reasons may start it, by the service's clock.
        note: a sentence: what it waits for, what it does, or how it ended.
        attempts: how often it was tried to launch it.
        retry_at: not before this moment is it tried again.
        launcher: which launcher has it.
        launched_id: what the launcher calls it.
        url: where people can look at it.
        started: when it was launched; `started_now` the same by the service's clock.
        finished: when it ended.
        outcome: what it came to, of `launcher`'s words.
        release: the release that it made.
        facts: what the launcher said of it.
    """

    number: int
    id: str
    lane: Lane
    action: Action
    phase: Phase
    created: float
    created_now: float
    due: float
    note: str = ""
    attempts: int = 0
    retry_at: float = 0.0
    launcher: str = ""
    launched_id: str = ""
    url: str = ""
    started: float | None = None
    started_now: float | None = None
    finished: float | None = None
    finished_now: float | None = None
    outcome: str = ""
    release: str = ""
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Accepted:
    """What became of a delivery: the event's public id, and whether it was known before."""

    id: str
    duplicate: bool


@dataclass(frozen=True)
class Depth:
    """How much waits: events that are not decided, runs that wait, and when the oldest of each came (None: there is none).

    `at_work` counts the runs at work, of which there is one at most; `at_work_since` is when it started (None: none has), and
    `promoted_last` when a run promoted a release last (None: none has). All moments are by the wall clock. `paused` says whether
    somebody has asked that no run starts.
    """

    undecided: int
    oldest_undecided: float | None
    waiting: int
    oldest_waiting: float | None
    at_work: int
    at_work_since: float | None = None
    promoted_last: float | None = None
    paused: bool = False
