"""Shows what happens, as it happens: one line for each event that leads to something, and for each step of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from pipelines.loop.journal import Journal, Times
from pipelines.loop.service import AT_WORK, OVER, Event, Run, Service

LOOK_EVERY_S = 0.3
SHOWN = 100  # characters of a reason
ASKS, JOINS = "asks for a run", "joins a run that waits"
_DRIFTS = ("drift", "concept-drift")
_NOT_TOLD = ("other", "outliers")  # the page shows them


class Happenings:
    """Looks at the triggers service now and then, says what is new, and notes in the journal when runs began and ended."""

    def __init__(self, service: Service, journal: Journal, say: Callable[[str], None]) -> None:
        self._service = service
        self._journal = journal
        self._say = say
        self._looked = 0.0
        self._newest_event = 0
        self._undecided: dict[str, Event] = {}
        self._asked: dict[str, str] = {}
        self._runs: dict[str, Run] = {}
        self._drifting: set[tuple[str, str]] = set()

    @property
    def at_work(self) -> bool:
        """Whether a run was at work when it was last looked."""
        return any(run["phase"] in AT_WORK for run in self._runs.values())

    def is_over(self, event: str) -> bool:
        """Whether the run is over that the event asked for or joined, as it was last seen."""
        run = self._runs.get(self._asked.get(event, ""))
        return run is not None and run["phase"] in OVER

    def catch_up(self, now: datetime) -> None:
        """Take what there is for known; an earlier part of the loop has told it."""
        say, self._say = self._say, lambda text: None
        self.look(now, at_once=True)
        self._say = say

    def look(self, now: datetime, *, at_once: bool = False) -> None:
        """See what is new, unless that was done a moment ago. `now` is the time of the story."""
        if not at_once and time.monotonic() - self._looked < LOOK_EVERY_S:
            return
        for event in self._decided():
            for text in self._of_event(event):
                self._tell(now, text)
        for run in self._changed():
            self._note(run, now)
            if text := _of_run(run):
                self._tell(now, text)
        self._looked = time.monotonic()

    def _tell(self, now: datetime, text: str) -> None:
        self._say(f"{now:%Y-%m-%d}  {text}")

    def _decided(self) -> Iterator[Event]:
        """The events that were decided since the last look."""
        for event in self._service.events(self._newest_event):
            self._newest_event = event["number"]
            self._undecided[event["id"]] = event
        for id, event in list(self._undecided.items()):
            known = event if event["decided"] else self._service.event(id)
            if known["decided"]:
                del self._undecided[id]
                self._asked[id] = known["run"]
                yield known

    def _of_event(self, event: Event) -> Iterator[str]:
        """What to say of an event: drift when it begins and ends, everything else when it leads to something or is new."""
        if event["kind"] in _DRIFTS:
            text = self._of_verdict(event)
            if text:
                yield text
        elif event["kind"] not in _NOT_TOLD:
            yield f"{event['kind']:14} {_short(event['summary'])}: {_outcome(event)}"

    def _of_verdict(self, event: Event) -> str:
        """A verdict counts for people when it changes, or when it asks for a run."""
        about = (event["kind"], str(event["facts"].get("release")))
        drifts, knew = event["facts"].get("is_drift") is True, about in self._drifting
        (self._drifting.add if drifts else self._drifting.discard)(about)
        if drifts == knew and event["outcome"] != ASKS:
            return ""
        facts = event["facts"]
        figures = (
            f"score {facts['score']:.2f}, limit {facts['threshold']:g}"
            if isinstance(facts.get("score"), (int, float))
            and isinstance(facts.get("threshold"), (int, float))
            else ""
        )
        said = "drifts" if drifts else "drifts no more"
        return f"{event['kind']:14} {about[1]} {said} ({figures}): {_outcome(event)}"

    def _changed(self) -> Iterator[Run]:
        """The runs that are new or have moved on since the last look."""
        open_ones = [id for id, run in self._runs.items() if run["phase"] not in OVER]
        newest = max((run["number"] for run in self._runs.values()), default=0)
        for run in [*(self._service.run(id) for id in open_ones), *self._service.runs(newest)]:
            before = self._runs.get(run["id"])
            self._runs[run["id"]] = run
            if before is None or _stand(before) != _stand(run):
                yield run

    def _note(self, run: Run, now: datetime) -> None:
        known = self._journal.at.runs.get(run["id"], Times())
        moment = f"{now:%Y-%m-%dT%H:%M}"
        times = Times(
            known.started or (moment if run["phase"] in AT_WORK or run["started"] else ""),
            known.ended or (moment if run["phase"] in OVER else ""),
        )
        if times != known:
            self._journal.note(runs={**self._journal.at.runs, run["id"]: times})


def _stand(run: Run) -> tuple[str, str]:
    """Where a run stands; while it waits its note is left out, which the event that asked for it has said."""
    return run["phase"], run["note"] if run["phase"] == "running" else ""


def _of_run(run: Run) -> str:
    if run["phase"] in ("waiting", "launching"):
        return ""
    if run["phase"] == "running":
        return f"{'run':14} {run['id']} {_short(run['note'])}"
    outcome = run["outcome"] or run["phase"]
    release = f" {run['release']}" if run["release"] else ""
    why = f": {_short(run['note'])}" if run["note"] else ""
    return f"{'run':14} {run['id']} is over, {outcome}{release}{why}"


def _outcome(event: Event) -> str:
    return f"{event['outcome']} ({_short(event['reason'])})"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
