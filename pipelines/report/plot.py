"""What the line charts have in common: a frame with grid lines and two scales, lines, and their names at the right end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from pedalflow import svg
from pedalflow.svg import Element, Scale
from pipelines.report import drawings
from pipelines.report.wording import MONTHS, Model, plain

TOP, BOTTOM, LEFT, RIGHT = 14.0, 26.0, 40.0, 66.0
TEXT_DROP = 4.0  # from the middle of a text to its baseline


@dataclass(frozen=True)
class Plot:
    """The drawing and its two scales while a chart is made."""

    root: Element
    x: Scale
    y: Scale


def axes(root: Element, x: Scale, ys: tuple[float, float], top: float, bottom: float) -> Plot:
    """Horizontal grid lines with their values; the vertical axis reaches the tick above the highest value."""
    values = svg.ticks(*ys, 4)
    y = Scale(values[0], values[-1], bottom, top)
    for value in values:
        line = f"M{svg.number(x.start)} {svg.number(y(value))}H{svg.number(x.end)}"
        svg.add(root, "path", d=line, class_="gridline")
        svg.add(root, "text", plain(value), x=x.start - 6, y=y(value) + TEXT_DROP, class_="tick end")
    return Plot(root, x, y)


def x_labels(plot: Plot, labels: Sequence[str], most: int) -> None:
    """At most `most` of the labels below the plot; the first stands at 0."""
    step = max(1, math.ceil(len(labels) / most))
    for index in range(0, len(labels), step):
        svg.add(plot.root, "text", labels[index], x=plot.x(index), y=plot.y.start + 18, class_="tick middle")


def line(plot: Plot, values: Iterable[tuple[float, float]], style: str) -> None:
    """A line through values; one that is not a number breaks it."""
    points = ((plot.x(at), plot.y(value)) for at, value in values)
    svg.add(plot.root, "path", d=svg.path(points), class_=f"line {style}")


def end_labels(plot: Plot, ends: Sequence[tuple[Model, float]]) -> None:
    """The name of each line at its right end, moved apart where they would touch; a line that ends in no number has none."""
    known = [(model, value) for model, value in ends if not math.isnan(value)]
    heights = drawings.spread([plot.y(value) for _, value in known], plot.y.end, plot.y.start)
    for (model, _), height in zip(known, heights, strict=True):
        x, y = plot.x.end + 8, height + TEXT_DROP
        svg.add(plot.root, "text", model.label, x=x, y=y, class_=f"label {model.style}")


def short_day(text: str) -> str:
    """`2012-03-17` as `17 Mar`."""
    value = date.fromisoformat(text)
    return f"{value.day} {MONTHS[value.month - 1][:3]}"
