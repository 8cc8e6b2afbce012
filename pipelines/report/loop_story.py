"""The loop as a story: who served when, and every reason that led to something, numbered in the order of the year.

The picture and the tables are made from this, so that a number means the same everywhere. Places in time are days since the first day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from pedalflow.loop_record import LoopEvent, LoopHour, LoopRecord, LoopRun, LoopScore
from pedalflow.loop_table import answered_by, by_hand

PROMOTED, ROLLED_BACK, REFUSED, DATA_REFUSED = "promoted", "rolled back", "refused", "data refused"
ASKS = "asks for a run"
VERDICTS = ("drift", "concept-drift")
KINDS: Mapping[str, tuple[str, str]] = {  # as one says it of one event, and of several
    "storage": ("an upload", "uploads"),
    "data": ("a data commit", "data commits"),
    "code": ("a push of code", "pushes of code"),
    "drift": ("data drift", "windows of data drift"),
    "concept-drift": ("concept drift", "days of concept drift"),
    "schedule": ("the schedule", "times of the schedule"),
    "person": ("a person", "requests of people"),
}
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Cause:
    """The events of one kind that a run was asked for by, in their order."""

    kind: str
    events: tuple[LoopEvent, ...]

    @property
    def words(self) -> str:
        """`an upload`, `17 days of concept drift`."""
        one, many = KINDS.get(self.kind, (self.kind, f"events of kind {self.kind}"))
        return one if len(self.events) == 1 else f"{len(self.events)} {many}"


@dataclass(frozen=True)
class Chapter:
    """One reason, or several that became one run, and what came of it.

    Args:
        number: its number in the picture and in the tables.
        asked: when the run was asked for.
        began: when it began; empty where it did not.
        ended: when it was over; empty where it is not.
        causes: the events behind it, by kind; none where somebody rolled a release out by hand.
        run: the run; None where there was none.
        outcome: what it came to; empty where it did not start.
        release: the release that it was about; empty: none.
        note: how it ended, in a sentence.
        staged: what was staged on purpose for it; empty in ordinary ones.
    """

    number: int
    asked: str
    began: str
    ended: str
    causes: tuple[Cause, ...]
    run: LoopRun | None
    outcome: str
    release: str
    note: str
    staged: str

    @property
    def why(self) -> str:
        """Who or what asked for it, in a few words; how often drift was seen is left out."""
        words = [KINDS[cause.kind][0] if cause.kind in VERDICTS else cause.words for cause in self.causes]
        return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) or "by hand"


@dataclass(frozen=True)
class Reign:
    """A release as champion, from `first` to `last` in days."""

    release: str
    first: float
    last: float


@dataclass(frozen=True)
class Stretch:
    """The hours between the first and the last that a release answered beside the champion, in days."""

    release: str
    first: float
    last: float


@dataclass(frozen=True)
class Alarm:
    """A day on which drift was seen: `number` is the chapter that it led to, 0 where it led to nothing."""

    day: float
    number: int
    text: str


@dataclass(frozen=True)
class Story:
    """Everything that the picture and the tables have in common.

    `names` are the releases' short names, R1 the first that served; `scores` the verdicts that say which day they are about.
    """

    record: LoopRecord
    days: float
    names: Mapping[str, str]
    reigns: tuple[Reign, ...]
    canaries: tuple[Stretch, ...]
    chapters: tuple[Chapter, ...]
    scores: tuple[LoopScore, ...]
    alarms: tuple[Alarm, ...]

    def place(self, moment: str) -> float:
        """A day or a moment of the story in days."""
        return place(self.record, moment)

    def name(self, release: str) -> str:
        """R2 for a release that served, and its own name for others."""
        return self.names.get(release, release)


def story_of(record: LoopRecord) -> Story:
    """The story of a record."""
    days = place(record, record.last_day) + 1
    reigns, chapters = tuple(_reigns(record, days)), tuple(_chapters(record))
    scores = tuple(score for score in record.scores if score.day)
    return Story(
        record=record,
        days=days,
        names=_names(record),
        reigns=reigns,
        canaries=tuple(_canaries(record, reigns)),
        chapters=chapters,
        scores=scores,
        alarms=tuple(_alarms(record, scores, chapters)),
    )


def place(record: LoopRecord, moment: str) -> float:
    """A day or a moment of the story as days since the first day."""
    return (datetime.fromisoformat(moment) - datetime.fromisoformat(record.first_day)) / DAY


def verdict_place(record: LoopRecord, score: LoopScore) -> float:
    """Where a verdict stands: at the end of the last day that it speaks of."""
    return place(record, score.day) + 1


def _names(record: LoopRecord) -> dict[str, str]:
    served = sorted((r for r in record.releases if r.served_from), key=lambda release: release.served_from)
    order = dict.fromkeys([record.first_release, *(release.name for release in served)])
    return {release: f"R{index}" for index, release in enumerate(order, 1)}


def _reigns(record: LoopRecord, days: float) -> Iterator[Reign]:
    starts = [(0.0, record.first_release), *sorted(_promotions(record))]
    ends = [at for at, _ in starts[1:]] + [days]
    for (first, release), last in zip(starts, ends, strict=True):
        if min(last, days) > first:
            yield Reign(release, first, min(last, days))


def _promotions(record: LoopRecord) -> Iterator[tuple[float, str]]:
    found = [
        *((run.outcome, run.ended, run.release) for run in record.runs),
        *((rollout.outcome, rollout.ended, rollout.release) for rollout in by_hand(record)),
    ]
    return (
        (place(record, ended), release) for outcome, ended, release in found if outcome == PROMOTED and ended
    )


def _canaries(record: LoopRecord, reigns: Sequence[Reign]) -> Iterator[Stretch]:
    """A release answers as canary before it is promoted, or it never is."""
    since = {reign.release: reign.first for reign in reversed(reigns)}
    for release in dict.fromkeys(hour.release for hour in record.hours):
        places = [hour_place(record, hour) for hour in answered_by(record, release)]
        beside = [at for at in places if at < since.get(release, float("inf"))]
        if beside:
            yield Stretch(release, beside[0], beside[-1] + 1 / 24)


def hour_place(record: LoopRecord, hour: LoopHour) -> float:
    """Where an hour begins, in days."""
    return place(record, hour.dteday) + hour.hr / 24


def _chapters(record: LoopRecord) -> Iterator[Chapter]:
    chapters = [*(_of_run(record, run) for run in record.runs), *_of_rollouts(record)]
    ordered = sorted(chapters, key=lambda chapter: chapter.asked or chapter.began or chapter.ended)
    return (replace(chapter, number=number) for number, chapter in enumerate(ordered, 1))


def _of_run(record: LoopRecord, run: LoopRun) -> Chapter:
    asked_by = [event for event in record.events if event.id in run.events]
    kinds = dict.fromkeys(event.kind for event in asked_by)
    return Chapter(
        number=0,
        asked=run.asked,
        began=run.started,
        ended=run.ended,
        causes=tuple(Cause(kind, tuple(e for e in asked_by if e.kind == kind)) for kind in kinds),
        run=run,
        outcome=run.outcome,
        release=run.release,
        note=run.note,
        staged=run.staged,
    )


def _of_rollouts(record: LoopRecord) -> Iterator[Chapter]:
    for rollout in by_hand(record):
        hours = answered_by(record, rollout.release)
        seen = f"{hours[-1].dteday}T{hours[-1].hr:02d}:00" if hours else rollout.began
        yield Chapter(
            number=0,
            asked=rollout.began,
            began=rollout.began,
            ended=rollout.ended or seen,
            causes=(),
            run=None,
            outcome=rollout.outcome,
            release=rollout.release,
            note=rollout.reason,
            staged=rollout.staged,
        )


def _alarms(record: LoopRecord, scores: Sequence[LoopScore], chapters: Sequence[Chapter]) -> Iterator[Alarm]:
    """The first verdict that a run was asked for by, and each other beginning of drift that led to nothing."""
    numbers = {chapter.run.id: chapter.number for chapter in chapters if chapter.run}
    told: set[str] = set()
    ordered = sorted(scores, key=lambda score: (score.detector, score.release, score.day))
    for _, group in groupby(ordered, key=lambda score: (score.detector, score.release)):
        before = False
        for score in group:
            if score.is_drift and (score.run not in told if score.run else not before):
                told.add(score.run)
                yield Alarm(verdict_place(record, score), numbers.get(score.run, 0), alarm_text(score))
            before = score.is_drift


def alarm_text(score: LoopScore) -> str:
    """A verdict in a sentence."""
    return f"{score.day}: {score.detector} of {score.release}, score {score.score:.2f}, limit {score.threshold:g}; {score.outcome}"
