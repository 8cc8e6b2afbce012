"""What a launcher is: it starts a run of the pipeline under a key, at most one for each key, and says how it goes.

The engine always asks `find` before it submits, so a run that was started just before the service was killed is found again.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from triggers.policy import Action


class State(str, enum.Enum):
    """How a run stands. INTERRUPTED means that it ended through no fault of its own and may be started again under the same key."""

    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    INTERRUPTED = "interrupted"


# What a run that is over came to.
PROMOTED, REFUSED, UNCHANGED, CHALLENGER = "promoted", "refused", "unchanged", "challenger"
ROLLED_BACK, DATA_REFUSED, DISPATCHED, DONE = "rolled back", "data refused", "dispatched", "done"
WORDS = (PROMOTED, REFUSED, UNCHANGED, CHALLENGER, ROLLED_BACK, DATA_REFUSED, DISPATCHED, DONE)


@dataclass(frozen=True)
class Order:
    """A run to start.

    Args:
        key: the idempotency key; it is the run's id in this service.
        action: what is to be done; never RECORD.
        pipeline: the name of the pipeline.
        reasons: a sentence for each reason.
        objects: what is to be taken in first, as gs://…, s3://… or file://…
        commit: the newest commit among the reasons, or empty.
    """

    key: str
    action: Action
    pipeline: str
    reasons: tuple[str, ...]
    objects: tuple[str, ...] = ()
    commit: str = ""


@dataclass(frozen=True)
class Launched:
    """A run that was started: `id` is what the launcher calls it, `url` where people can look at it (may be empty)."""

    id: str
    url: str = ""


@dataclass(frozen=True)
class Seen:
    """How a run stands.

    Args:
        state: at work or over.
        step: what it does now, in a few words.
        outcome: what it came to, one of the words above; empty while it is at work, or where nobody knows.
        release: the release that it made.
        note: a sentence for people, such as why it failed.
        facts: what the page shows of it: run id of the pipeline, spans, errors.
    """

    state: State
    step: str = ""
    outcome: str = ""
    release: str = ""
    note: str = ""
    facts: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)


class Launcher(Protocol):
    """All methods may raise LaunchLater or LaunchStopped.

    LaunchLater: the other side is away or busy, and it passes by itself; tried again within minutes. LaunchStopped: somebody has to mend
    something, such as a token that expired, a right that is missing or a pipeline that nobody uploaded; the message says what. A launch is
    then tried every five minutes for a day. Neither says that a run which was submitted has ended: looks are repeated after both.
    """

    name: str

    def find(self, key: str) -> Launched | None:
        """The run that was submitted under this key, if there is one, at work or over."""

    def submit(self, order: Order) -> Launched:
        """Start the run. Called twice with one key, it starts one."""

    def look(self, run: str) -> Seen:
        """How the run called `run` stands."""

    def new_data(self) -> bool | None:
        """Whether there is data that no run has tried yet; None where this launcher cannot know."""

    def champion(self) -> str:
        """The release that serves; empty where this launcher cannot know."""

    def close(self) -> None:
        """Let go of what it holds. What is at work in a cluster goes on; what runs as a child of this process is asked to stop."""
