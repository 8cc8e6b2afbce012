"""Whether somebody has asked that no run starts: who, since when and why, and the sentence that says so wherever a run waits for it."""

from __future__ import annotations

from dataclasses import dataclass

from triggers.events import Kind
from triggers.policy import moment_text

WISHES = (Kind.PAUSE, Kind.RESUME)  # the newest of these that was committed counts, decided or not


@dataclass(frozen=True)
class Pause:
    """No run starts until somebody resumes.

    Args:
        event: the wish to pause, by its public name.
        who: wished it.
        reason: why, in their words.
        since: when it was decided, by the service's clock in seconds since 1970; None in the moment before that.
    """

    event: str
    who: str
    reason: str
    since: float | None

    @property
    def sentence(self) -> str:
        """What stands with everything that waits for it."""
        since = "" if self.since is None else f" since {moment_text(self.since)}"
        return f"paused by {self.who}{since}: {self.reason}"
