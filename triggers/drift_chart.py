"""Drift over time: how near each verdict of the detectors came to its threshold, and when runs began and releases were promoted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import pairwise
from xml.etree import ElementTree

from markupsafe import Markup

from pedalflow import svg
from pedalflow.svg import Element, Scale
from triggers.events import IS_DRIFT, RELEASE, Kind
from triggers.launchers.launcher import PROMOTED
from triggers.overview import number
from triggers.records import StoredEvent, StoredRun

# The style sheet shows the one that fits, so that text keeps its size on a telephone.
WIDTHS = {"wide": 1080.0, "medium": 680.0, "narrow": 336.0}
HEIGHT, TOP, BOTTOM, LEFT, RIGHT = 250.0, 22.0, 28.0, 34.0, 12.0
HIGHEST = 6.0  # times the threshold; what lies above is drawn at the top edge and says its own number
LINES = {Kind.DRIFT: ("drift", "data drift"), Kind.CONCEPT_DRIFT: ("concept", "concept drift")}
DAY_S = 86400.0
BEGIN, PROMOTION = "began", "promoted"
SIGN = 12.0  # the width of a sign


@dataclass(frozen=True)
class Point:
    """One verdict: when (of the data), its score ÷ threshold, whether it was drift, and about which release."""

    at: float
    ratio: float
    drifted: bool
    release: str


@dataclass(frozen=True)
class Marker:
    """A moment that the chart marks: `began` or `promoted`, and what happened."""

    at: float
    style: str
    text: str


def scored(series: Sequence[StoredEvent]) -> tuple[StoredEvent, ...]:
    """The verdicts that can be drawn: they have a score and, where any says which data it is about, a place in the time of the data."""
    found = [stored for stored in series if _ratio(stored) is not None]
    placed = [stored for stored in found if stored.event.data_time is not None]
    return tuple(placed or found)


def points(series: Sequence[StoredEvent], kind: Kind) -> tuple[Point, ...]:
    """The verdicts of one kind, in the order of the data."""
    found = (_point(stored) for stored in series if stored.event.kind is kind)
    return tuple(sorted(found, key=lambda point: point.at))


def _ratio(stored: StoredEvent) -> float | None:
    facts = stored.event.facts
    score, threshold = number(facts.get("score")), number(facts.get("threshold"))
    return score / threshold if score is not None and threshold is not None and threshold > 0 else None


def _point(stored: StoredEvent) -> Point:
    facts = stored.event.facts
    return Point(
        _moment(stored), _ratio(stored) or 0.0, facts.get(IS_DRIFT) is True, str(facts.get(RELEASE) or "")
    )


def _moment(stored: StoredEvent) -> float:
    at = stored.event.data_time
    return stored.received if at is None else at


def markers(series: Sequence[StoredEvent], runs: Sequence[StoredRun]) -> tuple[Marker, ...]:
    """Where runs began and releases were promoted. Each stands where the data stood by then, so a replay shows them rightly."""
    found = []
    for run in runs:
        if run.started is not None:
            found.append((run.started, BEGIN, f"run {run.id} began"))
        if run.outcome == PROMOTED and run.finished is not None:
            found.append((run.finished, PROMOTION, f"{run.release or 'a release'} was promoted"))
    placed = ((_data_at(series, when), style, text) for when, style, text in sorted(found))
    return tuple(Marker(at, style, text) for at, style, text in placed if at is not None)


def _data_at(series: Sequence[StoredEvent], when: float) -> float | None:
    return max((_moment(stored) for stored in series if stored.received <= when), default=None)


def drift_chart(series: Sequence[StoredEvent], runs: Sequence[StoredRun]) -> Markup:
    """The chart at three widths; empty where there is no verdict with a score."""
    drawable = scored(series)
    if not drawable:
        return Markup("")
    lines = {kind: points(drawable, kind) for kind in LINES}
    marked = markers(drawable, runs)
    drawn = ((size, _draw(width, f"drift-{size}", lines, marked)) for size, width in WIDTHS.items())
    return Markup("").join(_markup(root, size) for size, root in drawn)


def _markup(root: Element, size: str) -> Markup:
    root.set("class", size)
    # The tree has escaped every text and attribute already.
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def describe(lines: dict[Kind, tuple[Point, ...]], marked: Sequence[Marker]) -> str:
    """The chart in words, for those who do not see it."""
    said = []
    for kind, found in lines.items():
        if found:
            over = sum(point.drifted for point in found)
            said.append(
                f"{LINES[kind][1].capitalize()}: {len(found)} verdicts, {over} of them drift, "
                f"the highest {max(point.ratio for point in found):.2f} times its threshold."
            )
    began = sum(marker.style == BEGIN for marker in marked)
    return " ".join([*said, f"{began} runs began and {len(marked) - began} releases were promoted."])


def _draw(width: float, key: str, lines: dict[Kind, tuple[Point, ...]], marked: Sequence[Marker]) -> Element:
    every = [point for found in lines.values() for point in found]
    times = [point.at for point in every] + [marker.at for marker in marked]
    root = svg.canvas(
        width, HEIGHT, key, "Drift over time: score divided by threshold", describe(lines, marked)
    )
    top = svg.ticks(0.0, min(max(1.2, *(point.ratio for point in every)), HIGHEST), 4)
    y = Scale(0.0, top[-1], HEIGHT - BOTTOM, TOP)
    x = Scale(min(times), max(times), LEFT + 8, width - RIGHT)
    _grid(root, top, y, width)
    _days(root, x, most=3 if width < 400 else 6)
    promoted = [x(marker.at) for marker in marked if marker.style == PROMOTION]
    for marker in marked:
        hidden = marker.style != PROMOTION and any(abs(x(marker.at) - other) < SIGN for other in promoted)
        _marker(root, marker, x(marker.at), signed=not hidden)
    for kind, found in lines.items():
        _line(root, found, x, y, LINES[kind][0])
    return root


def _grid(root: Element, values: Sequence[float], y: Scale, width: float) -> None:
    for value in values:
        height = svg.number(y(value))
        svg.add(root, "path", d=f"M{LEFT:g} {height}H{width - RIGHT:g}", class_="gridline")
        svg.add(root, "text", f"{value:g}", x=LEFT - 8, y=y(value) + 4, class_="tick end")
    svg.add(root, "path", d=f"M{LEFT:g} {svg.number(y(1.0))}H{width - RIGHT:g}", class_="threshold")
    svg.add(root, "text", "threshold", x=width - RIGHT, y=y(1.0) - 5, class_="tick end limit")


def _days(root: Element, x: Scale, most: int) -> None:
    """Dates below, at the whole days that divide the time evenly."""
    reach = x.high - x.low
    shown = (
        [x.low + reach * part / (most - 1) for part in range(most)]
        if reach >= (most - 1) * DAY_S
        else [x.low]
    )
    for index, moment in enumerate(shown):
        anchor = "start" if index == 0 else "end" if index == len(shown) - 1 else "middle"
        svg.add(root, "text", day_text(moment), x=x(moment), y=HEIGHT - 8, class_=f"tick {anchor}")


def day_text(moment: float) -> str:
    """A moment as `17 Mar 2012`."""
    when = datetime.fromtimestamp(moment, timezone.utc)
    return f"{when.day} {when:%b %Y}"


def _marker(root: Element, marker: Marker, x: float, *, signed: bool) -> None:
    """A line with a sign above it, unless that would cover the sign of a promotion."""
    line = svg.add(
        root, "path", d=f"M{svg.number(x)} {TOP:g}V{HEIGHT - BOTTOM:g}", class_=f"marker {marker.style}"
    )
    svg.add(line, "title", f"{day_text(marker.at)}: {marker.text}")
    if signed:
        sign = "★" if marker.style == PROMOTION else "▶"
        svg.add(root, "text", sign, x=x, y=TOP - 6, class_=f"sign middle {marker.style}")


def _line(root: Element, found: Sequence[Point], x: Scale, y: Scale, style: str) -> None:
    """One line; it breaks where another release is judged. A dot at each verdict, larger where it was drift."""
    if not found:
        return
    track: list[tuple[float, float] | None] = [_place(found[0], x, y)]
    for before, point in pairwise(found):
        track.extend(
            [None, _place(point, x, y)] if point.release != before.release else [_place(point, x, y)]
        )
    svg.add(root, "path", d=svg.path(track), class_=f"line {style}")
    for point in found:
        across, height = _place(point, x, y)
        dot = svg.add(
            root,
            "circle",
            cx=across,
            cy=height,
            r=4.0 if point.drifted else 1.8,
            class_=f"dot {style}{' drifted' if point.drifted else ''}",
        )
        verdict = "drift" if point.drifted else "no drift"
        svg.add(
            dot, "title", f"{day_text(point.at)}: {point.ratio:.2f} × threshold, {verdict} {point.release}"
        )


def _place(point: Point, x: Scale, y: Scale) -> tuple[float, float]:
    return x(point.at), y(min(point.ratio, y.high))
