"""The picture of the loop: rolling error with and without retraining, who served when, and below it what happened, by numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from pedalflow import svg
from pedalflow.loop_table import errors_apart_from_staged, staged_releases
from pedalflow.svg import Element, Scale
from pipelines.report import drawings
from pipelines.report import plot as plots
from pipelines.report.drawings import NARROW
from pipelines.report.loop_series import rolling_apart_from_staged
from pipelines.report.loop_story import (
    DATA_REFUSED,
    PROMOTED,
    REFUSED,
    ROLLED_BACK,
    Chapter,
    Story,
)
from pipelines.report.plot import Plot
from pipelines.report.wording import MONTHS, Model, figure

WITH = Model("with", "With retraining", "With", "new")
WITHOUT = Model("without", "Without retraining", "Without", "previous")
PLOT_HEIGHT, TOP = 230.0, 14.0
STRIP, STRIP_GAP = 18.0, 22.0  # the releases below the plot, and the names of the months between
LANE, LANE_WITH_NAME = 27.0, 42.0  # on a telephone a lane's name stands above it
SIGN = 8.0  # the radius of a numbered sign
LEFT_WIDE, LEFT_NARROW, RIGHT = 96.0, 30.0, 62.0
LETTER = 6.4  # the width of a letter of the strip, about
COLOURS = 8  # the style sheet has so many for the releases, over and over


@dataclass(frozen=True)
class Sign:
    """A numbered sign at a day; `style` is its colour, and what was staged has a broken outline."""

    day: float
    number: int
    style: str
    staged: bool
    text: str


@dataclass(frozen=True)
class Lane:
    """A row of signs under its name; `bars` are stretches of days with their style, `dots` days without a number."""

    name: str
    signs: tuple[Sign, ...]
    bars: tuple[tuple[float, float, str], ...] = ()
    dots: tuple[tuple[float, str], ...] = ()


def picture(story: Story, width: int, key: str) -> Element:
    """The drawing at one width."""
    lanes = lanes_of(story)
    narrow = width <= NARROW
    lane = LANE_WITH_NAME if narrow else LANE
    bottom = TOP + PLOT_HEIGHT
    below = bottom + STRIP_GAP + STRIP + 12
    root = svg.canvas(
        width, below + len(lanes) * lane + 4, key, "The year with and without retraining", description(story)
    )
    x = Scale(0, story.days, LEFT_NARROW if narrow else LEFT_WIDE, width - RIGHT)
    _bands(root, story, x, bottom)
    plot = plots.axes(root, x, (0, _highest(story)), TOP, bottom)
    month_names(plot, story, narrow)
    _errors(plot, story)
    _strip(root, story, x, bottom + STRIP_GAP)
    for index, row in enumerate(lanes):
        _lane(root, row, x, below + index * lane, lane, narrow)
    return root


def description(story: Story) -> str:
    """What somebody hears who does not see the picture."""
    record, last = story.record, story.record.days[-1]
    errors = errors_apart_from_staged(record)
    apart = (
        f" Apart from what was staged {figure(errors.rmse)} and {figure(errors.rmse_without)}."
        if errors.hours not in (0, len(record.hours))
        else ""
    )
    happened = " ".join(f"{chapter.number}: {heading(story, chapter)}." for chapter in story.chapters)
    return (
        f"RMSE {figure(record.rmse)} with retraining and {figure(record.rmse_without)} without, over all hours.{apart} "
        f"At the end of the year, over {record.rolling_days} days, {figure(last.rolling)} and {figure(last.rolling_without)}. {happened}"
    )


def heading(story: Story, chapter: Chapter) -> str:
    """A chapter in a few words: `3 uploads: promoted R3`, `by hand, staged bad release: R4 rolled back`."""
    staged = f", staged {chapter.staged}" if chapter.staged else ""
    return f"{chapter.why}{staged}: {outcome(story, chapter)}"


def outcome(story: Story, chapter: Chapter) -> str:
    """What a chapter came to, in a few words."""
    name = story.name(chapter.release)
    said = {
        PROMOTED: f"promoted {name}",
        ROLLED_BACK: f"{name} rolled back",
        REFUSED: "refused by the gate",
        DATA_REFUSED: "data refused",
    }
    unfinished = "at work" if chapter.began else "did not start" if chapter.ended else "still waits"
    return said.get(chapter.outcome, chapter.outcome or unfinished)


def lanes_of(story: Story) -> tuple[Lane, ...]:
    """What the picture tells below the curves."""
    alarms = [alarm for alarm in story.alarms if alarm.number]
    began = [chapter for chapter in story.chapters if chapter.began and chapter.run]
    signs = tuple(Sign(alarm.day, alarm.number, "calm", False, alarm.text) for alarm in alarms)
    return (
        Lane("Drift alarm", signs, dots=tuple((a.day, a.text) for a in story.alarms if not a.number)),
        Lane(
            "Run",
            tuple(_sign(story, chapter, chapter.began, "calm") for chapter in began),
            bars=tuple(_bar(story, chapter) for chapter in began),
        ),
        Lane("Promoted", tuple(_ended(story, "good", PROMOTED))),
        Lane("Rolled back", tuple(_ended(story, "bad", ROLLED_BACK))),
        Lane("Refused", tuple(_ended(story, "bad", REFUSED, DATA_REFUSED))),
    )


def _ended(story: Story, style: str, *outcomes: str) -> Iterator[Sign]:
    for chapter in story.chapters:
        if chapter.outcome in outcomes and (chapter.ended or chapter.began):
            yield _sign(story, chapter, chapter.ended or chapter.began, style)


def _sign(story: Story, chapter: Chapter, moment: str, style: str) -> Sign:
    text = f"{chapter.number}: {heading(story, chapter)}"
    return Sign(min(story.place(moment), story.days), chapter.number, style, bool(chapter.staged), text)


def _bar(story: Story, chapter: Chapter) -> tuple[float, float, str]:
    last = story.place(chapter.ended) if chapter.ended else story.days
    return story.place(chapter.began), min(last, story.days), "staged" if chapter.staged else "calm"


def _highest(story: Story) -> float:
    return max(max(day.rolling, day.rolling_without) for day in story.record.days) or 1.0


def _bands(root: Element, story: Story, x: Scale, bottom: float) -> None:
    """The time of each champion behind the curves, and a line where it changes."""
    for index, reign in enumerate(story.reigns):
        left, right = x(reign.first), x(reign.last)
        svg.add(
            root,
            "rect",
            x=left,
            y=TOP,
            width=right - left,
            height=bottom - TOP,
            class_=f"band {colour(story, reign.release)}",
        )
        if index:
            line = f"M{svg.number(left)} {svg.number(TOP)}V{svg.number(bottom)}"
            svg.add(root, "path", d=line, class_="axis")


def colour(story: Story, release: str) -> str:
    """The style of a release; the same everywhere."""
    return f"release{list(story.names).index(release) % COLOURS}" if release in story.names else "release0"


def month_names(plot: Plot, story: Story, narrow: bool) -> None:
    """The name of each month below its middle, where there is room for it."""
    for name, first, last in months(story):
        middle = (plot.x(max(first, 0)) + plot.x(min(last, story.days))) / 2
        if first > 0:
            x = svg.number(plot.x(first))
            svg.add(plot.root, "path", d=f"M{x} {svg.number(plot.y.start)}v4", class_="mark")
        svg.add(
            plot.root,
            "text",
            name[0] if narrow else name,
            x=middle,
            y=plot.y.start + 15,
            class_="tick middle",
        )


def months(story: Story) -> Iterator[tuple[str, float, float]]:
    """The months of the story: name, first day and the day after the last, in days since the story's first."""
    first, last = date.fromisoformat(story.record.first_day), date.fromisoformat(story.record.last_day)
    for index in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        begin, end = (date(i // 12, i % 12 + 1, 1) for i in (index, index + 1))
        yield MONTHS[index % 12][:3], (begin - first).days, (end - first).days


def _errors(plot: Plot, story: Story) -> None:
    """Both curves. Where a release that was staged answered, a thin line shows the error without its hours."""
    ends = [(day, story.place(day.day) + 1) for day in story.record.days]
    plots.line(plot, ((at, day.rolling_without) for day, at in ends), WITHOUT.style)
    apart = rolling_apart_from_staged(story.record)
    plots.line(plot, ((at, apart.get(day.day, math.nan)) for day, at in ends), "new apart")
    plots.line(plot, ((at, day.rolling) for day, at in ends), WITH.style)
    last = ends[-1][0]
    plots.end_labels(plot, [(WITH, last.rolling), (WITHOUT, last.rolling_without)])
    touched = [(at, day.rolling) for day, at in ends if day.day in apart]
    if touched:
        _staged_note(plot, story, touched)


def _staged_note(plot: Plot, story: Story, touched: Sequence[tuple[float, float]]) -> None:
    """The name of what was staged above the part of the curve that it raised."""
    names = ", ".join(
        story.name(release) for release in story.names if release in staged_releases(story.record)
    )
    middle = (plot.x(touched[0][0]) + plot.x(touched[-1][0])) / 2
    text = f"staged: {names}"
    x = min(max(middle, plot.x.start + len(text) * LETTER / 2), plot.x.end - len(text) * LETTER / 2)
    y = max(plot.y(max(value for _, value in touched)) - 7, TOP + 10)
    svg.add(plot.root, "text", text, x=x, y=y, class_="note-on middle")


def _strip(root: Element, story: Story, x: Scale, top: float) -> None:
    """A bar for each champion with its name, and within it the hours that a canary answered."""
    for reign in story.reigns:
        left, right = x(reign.first), x(reign.last)
        style = colour(story, reign.release)
        bar = svg.add(root, "rect", x=left, y=top, width=right - left, height=STRIP, class_=f"reign {style}")
        svg.add(bar, "title", f"{story.name(reign.release)}: {reign.release}")
        if reign.last < story.days:
            edge = f"M{svg.number(right)} {svg.number(top)}v{svg.number(STRIP)}"
            svg.add(root, "path", d=edge, class_="axis")
    for canary in story.canaries:
        left, right = x(canary.first), x(canary.last)
        bar = svg.add(
            root,
            "rect",
            x=left,
            y=top + STRIP - 5,
            width=max(right - left, 2.0),
            height=5,
            class_=f"canary {colour(story, canary.release)}",
        )
        svg.add(bar, "title", f"{story.name(canary.release)} as canary: {canary.release}")
    for reign in story.reigns:
        _reign_name(root, story, reign.release, x(reign.first), x(reign.last), top)


def _reign_name(root: Element, story: Story, release: str, left: float, right: float, top: float) -> None:
    """The longest form of the name that fits."""
    for text in (f"{story.name(release)} {release}", story.name(release)):
        if len(text) * LETTER + 4 <= right - left:
            svg.add(root, "text", text, x=(left + right) / 2, y=top + 12, class_="strip middle")
            return


def _lane(root: Element, lane: Lane, x: Scale, top: float, height: float, narrow: bool) -> None:
    """A row: its name, a line, and on it what happened."""
    base = top + height - 4
    middle = base - SIGN - 4
    if narrow:
        svg.add(root, "text", lane.name, x=0, y=top + 11, class_="tick")
    else:
        svg.add(root, "text", lane.name, x=x.start - 10, y=middle + plots.TEXT_DROP, class_="tick end")
    svg.add(
        root,
        "path",
        d=f"M{svg.number(x.start)} {svg.number(base)}H{svg.number(x.end)}",
        class_="gridline",
    )
    for first, last, style in lane.bars:
        width = max(x(last) - x(first), 2.0)
        svg.add(root, "rect", x=x(first), y=base - 2, width=width, height=4, class_=f"length-of {style}")
    for day, text in lane.dots:
        dot = svg.add(root, "circle", cx=x(day), cy=base - 4, r=2.2, class_="dot alarm")
        svg.add(dot, "title", text)
    signs(root, lane.signs, x, middle, base)


def signs(root: Element, row: Sequence[Sign], x: Scale, middle: float, base: float) -> None:
    """Numbered signs, moved apart where they would touch and there is room; a line leads from each to its day."""
    room = (x.end - x.start) / max(len(row) - 1, 1)
    placed = drawings.spread([x(sign.day) for sign in row], x.start, x.end, min(2 * SIGN + 1, room))
    for sign, at in zip(row, placed, strict=True):
        leads = f"M{svg.number(at)} {svg.number(middle)}L{svg.number(x(sign.day))} {svg.number(base)}"
        svg.add(root, "path", d=leads, class_="lead")
        group = svg.add(root, "g", class_=f"sign {sign.style}{' staged' if sign.staged else ''}")
        svg.add(group, "title", sign.text)
        svg.add(group, "circle", cx=at, cy=middle, r=SIGN)
        svg.add(group, "text", str(sign.number), x=at, y=middle + 3.7, class_="middle")
