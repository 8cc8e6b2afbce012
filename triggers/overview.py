"""What there is to know at a glance, for page, `/api/status` and terminal: who serves and how well, what is at work, waits or is paused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pedalflow.workspace import Workspace
from triggers.events import RELEASE, Facts, Kind
from triggers.launchers.launcher import PROMOTED
from triggers.pause import Pause
from triggers.records import AT_WORK, Depth, Phase, StoredEvent, StoredRun

_FAR_ENOUGH = 200  # runs and events that are looked through, newest first


class Records(Protocol):
    """The reading side of the store."""

    def events(
        self, limit: int, before: int | None = None, kind: Kind | None = None, run: str | None = None
    ) -> Sequence[StoredEvent]: ...

    def runs(self, limit: int, before: int | None = None) -> Sequence[StoredRun]: ...

    def depth(self) -> Depth: ...

    def pause(self) -> Pause | None: ...


@dataclass(frozen=True)
class Champion:
    """The release that serves.

    Args:
        release: its name; empty where nobody knows.
        since: when it was promoted, in seconds since 1970; None where that run is not known here.
        rmse: its rolling error over the last labelled days, in units of the label; None where no labels came yet.
        wape: the same as mean absolute error ÷ mean label.
        rows: labelled rows behind these two.
        until: the newest moment of data that they speak of, in seconds since 1970.
    """

    release: str
    since: float | None = None
    rmse: float | None = None
    wape: float | None = None
    rows: int | None = None
    until: float | None = None


@dataclass(frozen=True)
class Overview:
    """The state of things. Runs that wait stand in the order in which they were asked for; `pause` is why none of them starts."""

    champion: Champion
    at_work: tuple[StoredRun, ...]
    waiting: tuple[StoredRun, ...]
    depth: Depth
    pause: Pause | None = None


def pointed_since(workspace: Workspace) -> float | None:
    """When the workspace's pointer to the champion was written last; None where there is none."""
    try:
        return workspace.champion.stat().st_mtime
    except OSError:
        return None


def overview(records: Records, champion: str, pointed: float | None) -> Overview:
    """The state of things now.

    Raises StoreFailed.

    Args:
        champion: the release that serves, as the launcher says; where it is empty, the one promoted last.
        pointed: since when a release serves that no run known here promoted.
    """
    runs = records.runs(_FAR_ENOUGH)
    return Overview(
        champion=_champion(records, runs, champion, pointed),
        at_work=tuple(run for run in runs if run.phase in AT_WORK),
        waiting=tuple(run for run in reversed(runs) if run.phase is Phase.WAITING),
        depth=records.depth(),
        pause=records.pause(),
    )


def _champion(records: Records, runs: Sequence[StoredRun], known: str, pointed: float | None) -> Champion:
    promoted = [run for run in runs if run.outcome == PROMOTED and run.release]
    release = known or (promoted[0].release if promoted else "")
    since = next((run.finished for run in promoted if run.release == release), None)
    if release and since is None:
        since = pointed
    judged = _newest_verdict(records, release)
    if judged is None:
        return Champion(release, since)
    facts = judged.event.facts
    rolling = facts.get("rolling")
    errors: Facts = rolling if isinstance(rolling, dict) else facts
    rows = number(errors.get("rows"))
    return Champion(
        release=release,
        since=since,
        rmse=number(errors.get("rmse")),
        wape=number(errors.get("wape")),
        rows=None if rows is None else int(rows),
        until=judged.event.data_time,
    )


def _newest_verdict(records: Records, release: str) -> StoredEvent | None:
    """The newest word about the error of a release that the labels allowed."""
    verdicts = records.events(_FAR_ENOUGH, kind=Kind.CONCEPT_DRIFT)
    return next((found for found in verdicts if release and found.event.facts.get(RELEASE) == release), None)


def number(fact: object) -> float | None:
    """A fact as a number; None where it is none."""
    return float(fact) if isinstance(fact, (int, float)) and not isinstance(fact, bool) else None
