"""What the loop has done so far, on disk: every answered hour, and the position from which an interrupted loop goes on."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from pedalflow.frozen_json import from_text, to_text
from pedalflow.whole_files import write_whole
from pipelines.loop.hours import Hour

HOURS, POSITION = "hours.csv", "position.json"
COLUMNS = ("dteday", "hr", "actual", "prediction", "release")


@dataclass(frozen=True)
class Times:
    """When a run was first seen at work and first seen over, in the time of the story; empty: not yet."""

    started: str = ""
    ended: str = ""


@dataclass(frozen=True)
class Staged:
    """A fault that was staged: when, who served before it and after it, and by what it is known: an event's id, or a release's name."""

    at: str
    known_by: str
    champion_before: str
    champion_after: str


@dataclass(frozen=True)
class Position:
    """How far the loop has come.

    Args:
        quick: which story it is.
        first_release: the release that served first.
        answered: hours that were answered.
        labelled: hours whose labels were sent back.
        done: the moments of the story that have been.
        requests: predictions and labels that were sent, over all parts of an interrupted loop.
        failed: how many of them were not answered with success.
        phases: seconds by the wall clock, by the name of the phase.
        runs: when runs of the triggers service were seen, by their id.
        staged: the faults that were staged, by name.
        over: whether the year is over, and all runs with it.
    """

    quick: bool
    first_release: str = ""
    answered: int = 0
    labelled: int = 0
    done: tuple[str, ...] = ()
    requests: int = 0
    failed: int = 0
    phases: dict[str, float] = field(default_factory=dict)
    runs: dict[str, Times] = field(default_factory=dict)
    staged: dict[str, Staged] = field(default_factory=dict)
    over: bool = False


@dataclass(frozen=True)
class Answered:
    """A line of the file of hours."""

    dteday: str
    hr: int
    actual: float
    prediction: float
    release: str


class Journal:
    """The files of one loop in `folder`. A line that was written is an hour that is not asked again."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        position = folder / POSITION
        self.at = (
            from_text(Position, position.read_text(encoding="utf-8"))
            if position.exists()
            else Position(quick)
        )
        answered = len(self.hours())
        self.at = replace(self.at, answered=answered, labelled=min(self.at.labelled, answered))

    def note(self, **changes: object) -> None:
        """Change the position and keep it; a reader sees the old one or the new."""
        self.at = replace(self.at, **changes)  # type: ignore[arg-type]  # the names are those of its fields
        write_whole(self.folder / POSITION, to_text(self.at))

    def labelled(self, hours: int) -> None:
        """Remember how many labels were sent; it is kept with the next note, and sent twice a label counts once."""
        self.at = replace(self.at, labelled=hours)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the seconds that the block takes to the phase, also where it fails."""
        begun = time.monotonic()
        try:
            yield
        finally:
            spent = self.at.phases.get(name, 0.0) + time.monotonic() - begun
            self.note(phases={**self.at.phases, name: round(spent, 3)})

    @contextmanager
    def writing(self) -> Iterator[TextIO]:
        """The file of hours, to add to; each line is the system's at once."""
        with (self.folder / HOURS).open("a", encoding="utf-8", newline="", buffering=1) as file:
            yield file

    def hours(self) -> list[Answered]:
        """All answered hours in order; a last line that was not written to its end is cut off."""
        path = self.folder / HOURS
        if not path.exists():
            return []
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            path.write_text(whole, encoding="utf-8")
        rows = csv.reader(whole.splitlines())
        return [
            Answered(day, int(hour), float(actual), float(prediction), release)
            for day, hour, actual, prediction, release in rows
        ]


def line(hour: Hour, prediction: float, release: str) -> str:
    """An answered hour as a line of the file."""
    return f"{hour.at:%Y-%m-%d},{hour.at.hour},{hour.label!r},{prediction!r},{release}\n"
