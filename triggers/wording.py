"""How the page and the commands put things: moments, spans of time, and what a phase, an outcome or a kind is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from triggers.launchers import launcher
from triggers.policy import Outcome
from triggers.records import OVER, Phase, StoredEvent, StoredRun

RESUME = "pedalflow triggers resume --reason …"  # how what is paused goes on


@dataclass(frozen=True)
class Badge:
    """A word with a sign before it; `style` is good, bad, busy or calm."""

    style: str
    text: str


_BY_OUTCOME = {
    launcher.PROMOTED: Badge("good", "✓ promoted"),
    launcher.CHALLENGER: Badge("calm", "• challenger"),
    launcher.UNCHANGED: Badge("calm", "= unchanged"),
    launcher.REFUSED: Badge("bad", "✗ refused by the gate"),
    launcher.ROLLED_BACK: Badge("bad", "↩ rolled back"),
    launcher.DATA_REFUSED: Badge("bad", "✗ data refused"),
    launcher.DISPATCHED: Badge("calm", "→ dispatched"),
    launcher.DONE: Badge("good", "✓ done"),
}
_BY_PHASE = {
    Phase.WAITING: Badge("calm", "… waiting"),
    Phase.LAUNCHING: Badge("busy", "▶ being launched"),
    Phase.RUNNING: Badge("busy", "▶ at work"),
    Phase.SUCCEEDED: Badge("good", "✓ succeeded"),
    Phase.FAILED: Badge("bad", "✗ failed"),
    Phase.CANCELED: Badge("calm", "– canceled"),
    Phase.DROPPED: Badge("calm", "– dropped"),
}
_DECIDED = {
    Outcome.STARTS.value: Badge("busy", "▶ asked for a run"),
    Outcome.JOINS.value: Badge("busy", "+ joined a run"),
    Outcome.RECORDED.value: Badge("calm", "recorded"),
}


def came_to(run: StoredRun) -> str:
    """What a run came to. That it failed or was canceled counts before everything that it reached until then."""
    return run.phase.value if run.phase in (Phase.FAILED, Phase.CANCELED) else run.outcome


def run_badge(run: StoredRun) -> Badge:
    """What a run came to, or where it stands."""
    stands = _BY_PHASE[run.phase]
    return _BY_OUTCOME.get(came_to(run), stands) if run.phase in OVER else stands


def event_badge(event: StoredEvent) -> Badge:
    """What was decided."""
    return _DECIDED.get(event.outcome, Badge("calm", event.outcome or "not decided yet"))


def moment(seconds: float | None) -> str:
    """A moment in UTC for people; a dash where there is none."""
    if seconds is None:
        return "–"
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M")


def iso(seconds: float | None) -> str | None:
    """A moment as RFC 3339 in UTC with milliseconds."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def web_address(url: str) -> str:
    """The address itself where a browser may follow it, else nothing: launchers and senders name addresses, and some would run code."""
    return url if url.lower().startswith(("http://", "https://")) else ""


def lasted(seconds: float | None) -> str:
    """A span of time in its two greatest units: 45 s, 12 min, 3 h 20 min, 2 days 4 h; a dash where there is none."""
    if seconds is None:
        return "–"
    whole = max(round(seconds), 0)
    for unit, length, part, smaller in (
        ("day", 86400, "h", 3600),
        ("h", 3600, "min", 60),
        ("min", 60, "s", 1),
    ):
        if whole >= length:
            count, rest = divmod(whole, length)
            plural = "s" if unit == "day" and count > 1 else ""
            return f"{count} {unit}{plural}" + (f" {rest // smaller} {part}" if rest // smaller else "")
    return f"{whole} s"


def ran_for(run: StoredRun, now: float) -> str:
    """How long a run took, or has taken until now."""
    if run.started is None:
        return "–"
    return lasted((now if run.finished is None else run.finished) - run.started)


def figure(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}g}"


def fact_text(fact: object) -> str:
    """A fact as it is shown; long lists and numbers are cut."""
    if isinstance(fact, dict):
        return ", ".join(f"{name} {fact_text(value)}" for name, value in fact.items())
    if isinstance(fact, (list, tuple)):
        shown = ", ".join(fact_text(part) for part in fact[:20])
        return f"{shown} and {len(fact) - 20} more" if len(fact) > 20 else shown
    if isinstance(fact, bool) or fact is None:
        return {True: "yes", False: "no", None: "–"}[fact]
    if isinstance(fact, float):
        return f"{fact:.4g}" if abs(fact) < 1000 else f"{fact:.0f}"
    return str(fact)


def reasons(events: Sequence[StoredEvent]) -> str:
    """Why a run was asked for, from its events in the order in which they came; what was said twice is said once."""
    said = list(
        dict.fromkeys(stored.event.summary for stored in sorted(events, key=lambda stored: stored.number))
    )
    return "; ".join(said[:3]) + (f"; and {len(said) - 3} more" if len(said) > 3 else "")
