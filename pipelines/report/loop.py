"""What the report shows of the loop: the picture of the year, the detectors, what came of each event, what was staged, and the versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pedalflow.loop_record import LoopRecord, LoopRelease, LoopRollout, LoopScore
from pedalflow.loop_table import answered_by, apart_from_staged, retrainings
from pedalflow.run_record import SpanUsed
from pipelines.report import drawings, loop_charts, loop_picture
from pipelines.report.loop_story import VERDICTS, Chapter, Story, hour_place, story_of
from pipelines.report.wording import compared_errors, days, figure, numbers

STYLES = {"promoted": "good", "rolled back": "bad", "refused": "bad", "data refused": "bad", "failed": "bad"}


@dataclass(frozen=True)
class Row:
    """A chapter as a row of the table: its style, and its outcome in a few words."""

    chapter: Chapter
    style: str
    outcome: str


@dataclass(frozen=True)
class Version:
    """A release with its colour in the picture (empty: it never served) and the numbers of its spans."""

    release: LoopRelease
    colour: str
    spans: str


@dataclass(frozen=True)
class Rollout:
    """A rollout, and how many hours its canary answered beside the champion, and when; empty where it answered none."""

    rollout: LoopRollout
    answered: str


@dataclass(frozen=True)
class SpanRow:
    """A version of a span, and the releases that learned from it."""

    span: SpanUsed
    releases: tuple[str, ...]


@dataclass(frozen=True)
class LoopSection:
    """What the template shows of one loop."""

    record: LoopRecord
    story: Story
    badge: tuple[str, str]
    sentence: str
    apart: str
    change: float
    caught: int
    picture: Markup
    scores: Markup
    phases: Markup
    rows: tuple[Row, ...]
    others: str
    rollouts: tuple[Rollout, ...]
    versions: tuple[Version, ...]
    spans: tuple[SpanRow, ...]


def loop_section(record: LoopRecord) -> LoopSection:
    """Everything that is computed for the section; its drawings have ids that begin with `loop`."""
    story = story_of(record)
    caught = sum(fault.caught for fault in record.staged)
    return LoopSection(
        record=record,
        story=story,
        badge=_badge(record, caught),
        sentence=sentence(record),
        apart=apart_from_staged(record),
        change=record.rmse / record.rmse_without - 1 if record.rmse_without > 0 else 0.0,
        caught=caught,
        picture=drawings.responsive(
            lambda width, key: loop_picture.picture(story, width, key), "loop-year", drawings.FULL
        ),
        scores=loop_charts.scores(story, "loop-scores") if story.scores else Markup(""),
        phases=loop_charts.phases(record.phases, "loop-phases") if record.phases else Markup(""),
        rows=tuple(_row(story, chapter) for chapter in story.chapters),
        others=others(record),
        rollouts=tuple(_rollout(story, rollout) for rollout in record.rollouts),
        versions=tuple(_version(story, release) for release in record.releases),
        spans=tuple(_spans(story)),
    )


def _badge(record: LoopRecord, caught: int) -> tuple[str, str]:
    """Good where everything went as it should."""
    good = record.rmse < record.rmse_without and not record.failed_requests and caught == len(record.staged)
    return ("good", "✓ The loop") if good else ("bad", "✗ The loop")


def sentence(record: LoopRecord) -> str:
    """The loop in one sentence with its figures."""
    failed = f"{record.failed_requests:,} failed" if record.failed_requests else "none failed"
    return (
        f"{days(record.first_day, record.last_day)}, replayed: {compared_errors(record.rmse, record.rmse_without)} with retraining "
        f"than without (RMSE {figure(record.rmse)} against {figure(record.rmse_without)}), {retrainings(record)}; "
        f"{record.requests:,} requests, {failed}."
    )


def _row(story: Story, chapter: Chapter) -> Row:
    return Row(chapter, STYLES.get(chapter.outcome, "calm"), loop_picture.outcome(story, chapter))


def others(record: LoopRecord) -> str:
    """The events that led to nothing, summed up in a few sentences."""
    quiet = sum(not score.is_drift for score in record.scores)
    said = [_verdicts(quiet, "found no drift")] if quiet else []
    unheard = [score for score in record.scores if score.is_drift and not score.run]
    if unheard:
        said.append(f"{_verdicts(len(unheard), 'saw drift and led to nothing')} ({_reasons(unheard)})")
    recorded = Counter(event.kind for event in record.events if not event.run and event.kind not in VERDICTS)
    if recorded:
        kinds = ", ".join(f"{count} {kind}" for kind, count in recorded.items())
        said.append(f"{_events(recorded.total())} only recorded ({kinds})")
    again = sum(event.deliveries - 1 for event in record.events)
    if again:
        said.append(f"{again:,} repeated {'delivery' if again == 1 else 'deliveries'} started nothing twice")
    return "; ".join(said)


def _verdicts(count: int, what: str) -> str:
    return f"{count:,} {'verdict' if count == 1 else 'verdicts'} {what}"


def _events(count: int) -> str:
    return f"{count:,} other {'event was' if count == 1 else 'events were'}"


def _reasons(scores: Sequence[LoopScore]) -> str:
    """Why drift led to nothing, the most frequent reason first."""
    counted = Counter(score.reason for score in scores).most_common()
    return "; ".join(f"{count} × {reason}" if count > 1 else reason for reason, count in counted)


def _rollout(story: Story, rollout: LoopRollout) -> Rollout:
    ends = [stretch.last for stretch in story.canaries if stretch.release == rollout.release]
    hours = [
        hour
        for hour in answered_by(story.record, rollout.release)
        if ends and hour_place(story.record, hour) < ends[0]
    ]
    answered = f"{len(hours):,} hours, {days(hours[0].dteday, hours[-1].dteday)}" if hours else ""
    return Rollout(rollout, answered)


def _version(story: Story, release: LoopRelease) -> Version:
    colour = loop_picture.colour(story, release.name) if release.name in story.names else ""
    return Version(release, colour, numbers([span.number for span in release.spans]))


def _spans(story: Story) -> list[SpanRow]:
    """Each version of each span once, with who learned from it."""
    users: dict[SpanUsed, list[str]] = {}
    for release in story.record.releases:
        for span in release.spans:
            users.setdefault(span, []).append(story.name(release.name))
    return [SpanRow(span, tuple(users[span])) for span in sorted(users, key=lambda s: (s.number, s.md5))]
