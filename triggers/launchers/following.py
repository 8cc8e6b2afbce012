"""How runs elsewhere are followed: since when they are at work, for how long that is believed, and where people can look at them."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timezone

from triggers.errors import LaunchStopped
from triggers.launchers.launcher import Seen, State
from triggers.policy import span_text

_MOMENT, _LENGTH = "%Y-%m-%dT%H:%M:%S", len("2026-01-01T00:00:00")


def believed(seen: Seen, began: object, run_s: float, url: str) -> Seen:
    """`seen`, or that the run has failed where it is said to be at work for longer than `run_s` seconds.

    Args:
        seen: what the service says of it.
        began: when the service made the run: a moment in UTC, as a datetime or as text.
        run_s: how long it may take.
        url: where people can look at it.

    Raises:
        LaunchStopped: it is said to be at work, and not since when; so what answered is no such service.
    """
    if seen.state is not State.ACTIVE or time.time() - _seconds(began) <= run_s:
        return seen
    note = (
        f"it has been at work for longer than {span_text(run_s)} ({seen.step or 'it does not say with what'}) and counts as failed; "
        f"nobody has stopped it, so do that if another may not start beside it: {url or 'its launcher knows no address'}"
    )
    return replace(seen, state=State.FAILED, step="", note=note)


def web_address(text: object) -> str:
    """An address of a page, as a service gave it; empty where it is none that a browser should be led to."""
    return text if isinstance(text, str) and text.startswith(("https://", "http://")) else ""


def utc_text(seconds: float) -> str:
    """A moment as these services write it."""
    return time.strftime(_MOMENT + "Z", time.gmtime(seconds))


def _seconds(moment: object) -> float:
    if isinstance(moment, datetime):
        return moment.timestamp()
    try:
        return datetime.strptime(str(moment)[:_LENGTH], _MOMENT).replace(tzinfo=timezone.utc).timestamp()
    except ValueError as error:
        raise LaunchStopped(
            f"a run is said to be at work, but not since when ({moment!r}); look at the address in the launcher's settings"
        ) from error
