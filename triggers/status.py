"""What the triggers know, for `pedalflow status`: the facts of the first page as plain JSON values, and as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pedalflow.errors import ServingFailed
from pedalflow.tables import table
from pedalflow.workspace import Workspace
from triggers.answers import event_answer, run_answer, status_answer
from triggers.overview import Champion, Overview, overview, pointed_since
from triggers.pause import Pause
from triggers.private_files import running_service
from triggers.records import OVER, StoredEvent, StoredRun
from triggers.store.store import Store
from triggers.wording import RESUME, event_badge, figure, lasted, moment, ran_for, reasons, run_badge

EVENT_HEADERS = ("event", "received", "kind", "decision", "run", "reason")
RUN_HEADERS = ("run", "started", "took", "outcome", "release", "why")
LAST = 5  # events and runs that are shown
_MOST_BEHIND = 50  # events behind a run that are looked at for its reasons
_WIDEST = 90  # characters of a reason in a table; `pedalflow trace` shows all of it


@dataclass(frozen=True)
class Status:
    """Everything that is shown.

    Args:
        now: the wall clock, in seconds since 1970.
        address: of the service; empty where it does not run.
        overview: who serves, what is at work, what waits.
        events: the newest events, the newest first.
        runs: the newest runs that are over, the newest first.
        why: the reasons of each run that is shown, by its id.
    """

    now: float
    address: str
    overview: Overview
    events: Sequence[StoredEvent]
    runs: Sequence[StoredRun]
    why: Mapping[str, str]


def read_status(store: Store, workspace: Workspace, champion: str, now: float) -> Status:
    """The state of things. `champion` is the release that the workspace's pointer names; may be empty. Raises StoreFailed."""
    seen = overview(store, champion, pointed_since(workspace))
    over = [run for run in store.runs(10 * LAST) if run.phase in OVER][:LAST]
    why = {
        run.id: reasons(store.events(_MOST_BEHIND, run=run.id))
        for run in (*seen.at_work, *seen.waiting, *over)
    }
    return Status(now, address_of_service(workspace), seen, store.events(LAST), over, why)


def address_of_service(workspace: Workspace) -> str:
    """Where the service of this workspace listens; empty where none runs."""
    try:
        return str(running_service(workspace).get("address", ""))
    except ServingFailed:
        return ""


def as_json(status: Status) -> dict[str, Any]:
    """The status for scripts, in the words of `/api`; `why` has the reasons of each run by its id."""
    seen, since = status.overview, status.overview.champion.since
    return {
        "address": status.address or None,
        **status_answer(seen, status.now, status.now).model_dump(mode="json", exclude={"clock"}),
        "champion_age_s": None if since is None else status.now - since,
        "events": [event_answer(stored).model_dump(mode="json") for stored in status.events],
        "runs": [run_answer(run).model_dump(mode="json") for run in status.runs],
        "why": dict(status.why),
    }


def as_text(status: Status) -> str:
    """The status as people read it."""
    seen = status.overview
    lines = [
        f"Triggers:   {status.address or 'the service does not run; `pedalflow triggers serve` starts it'}",
        f"Serves:     {_champion_text(seen.champion, status.now)}",
        *([f"Paused:     {_pause_text(seen.pause)}"] if seen.pause else []),
        *(f"At work:    {_at_work(run, status)}" for run in seen.at_work),
        *(f"Waits:      {_waits(run, status)}" for run in seen.waiting),
    ]
    if seen.depth.undecided:
        lines.append(f"Undecided:  {seen.depth.undecided} events")
    if not seen.at_work and not seen.waiting:
        lines.append("At work:    nothing, and nothing waits")
    events = table([_event_row(stored) for stored in status.events], EVENT_HEADERS)
    runs = table([_run_row(run, status) for run in status.runs], RUN_HEADERS)
    return "\n".join([*lines, "", events, "", runs])


def _champion_text(champion: Champion, now: float) -> str:
    if not champion.release:
        return "nobody knows which release"
    since = "" if champion.since is None else f", for {lasted(now - champion.since)}"
    if champion.rmse is None:
        return f"{champion.release}{since}; no labels yet that say how well"
    wape = "" if champion.wape is None else f", WAPE {100 * champion.wape:.0f} %"
    rows = "" if champion.rows is None else f" over the last {champion.rows} labelled rows"
    return f"{champion.release}{since}; RMSE {figure(champion.rmse)}{wape}{rows}"


def _pause_text(pause: Pause) -> str:
    since = "" if pause.since is None else f" since {moment(pause.since)}"
    return f"by {pause.who}{since}: {pause.reason} (no run starts before `{RESUME}`)"


def _at_work(run: StoredRun, status: Status) -> str:
    note = f": {run.note}" if run.note else ""
    return (
        f"run {run.id} for {ran_for(run, status.now)}{note} (why: {status.why[run.id] or run.action.value})"
    )


def _waits(run: StoredRun, status: Status) -> str:
    note = f": {run.note}" if run.note else ""
    return f"run {run.id}, until {moment(run.due)} at least{note} (why: {status.why[run.id] or run.action.value})"


def _event_row(stored: StoredEvent) -> tuple[str, ...]:
    decided = event_badge(stored).text
    received, kind = moment(stored.received), stored.event.kind.value
    return (stored.id, received, kind, decided, stored.run, _cut(stored.reason))


def _run_row(run: StoredRun, status: Status) -> tuple[str, ...]:
    started, took = moment(run.started), ran_for(run, status.now)
    return (run.id, started, took, run_badge(run).text, run.release, _cut(status.why[run.id]))


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
