"""The errors of the retraining service. Only the web application turns a refusal into an HTTP code, and only the engine retries."""

from __future__ import annotations

from pedalflow.errors import PedalflowError


class TriggersError(PedalflowError):
    """Base of what this room raises on purpose."""


class Refused(TriggersError):
    """A delivery that is not taken: `rule` is a short name for it, one of few, and `status` the HTTP code that fits."""

    status = 400

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class Unauthenticated(Refused):
    """The sender did not prove who it is."""

    status = 401


class TooLarge(Refused):
    """The body is longer than the setting allows."""

    status = 413


class TooMany(Refused):
    """The sender has to wait: `retry_after_s` says how long."""

    status = 429

    def __init__(self, rule: str, message: str, retry_after_s: float) -> None:
        super().__init__(rule, message)
        self.retry_after_s = retry_after_s


class LaunchLater(TriggersError):
    """A run could not be started or looked at now; the same will be tried again."""


class LaunchStopped(TriggersError):
    """A run cannot be started or looked at before somebody mends something; the message says what."""


class StoreFailed(TriggersError):
    """The database did not take or give something; nothing was acknowledged."""
