"""The few shapes that charts are made of, as SVG that takes its colours from the style sheet of the page around it.

Built as an element tree, so every text and attribute is escaped by the standard library. Coordinates are CSS pixels with one decimal,
which keeps the bytes small and the same from run to run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

Element = ElementTree.Element


@dataclass(frozen=True)
class Scale:
    """Maps values from `low`…`high` to pixels from `start`…`end` in a straight line."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        reach = self.high - self.low
        share = (value - self.low) / reach if reach else 0.5
        return self.start + share * (self.end - self.start)


def number(value: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def add(parent: Element, tag: str, content: str | None = None, **attributes: str | float) -> Element:
    """A new child of `parent`. `class_` stands for class; other underscores become hyphens; numbers are rounded to a decimal."""
    names = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    texts = {key: value if isinstance(value, str) else number(value) for key, value in names.items()}
    child = ElementTree.SubElement(parent, tag, texts)
    child.text = content
    return child


def canvas(width: float, height: float, name: str, title: str, description: str) -> Element:
    """An empty drawing whose `title` and `description` a screen reader announces. `name` is unique in the page."""
    root = Element(
        "svg",
        {
            "viewBox": f"0 0 {number(width)} {number(height)}",
            "role": "img",
            "aria-labelledby": f"{name}-t {name}-d",
        },
    )
    add(root, "title", title, id=f"{name}-t")
    add(root, "desc", description, id=f"{name}-d")
    return root


def ticks(low: float, high: float, count: int) -> tuple[float, ...]:
    """About `count` round values that span `low`…`high`; the last one is not below `high`."""
    reach = max(high - low, 1e-9)
    magnitude = 10.0 ** math.floor(math.log10(reach / count))
    step = next(
        factor * magnitude for factor in (1, 2, 2.5, 5, 10, 20) if reach / (factor * magnitude) <= count
    )
    first = math.floor(low / step)
    return tuple(index * step for index in range(first, math.ceil(high / step - 1e-9) + 1))


def path(points: Iterable[tuple[float, float] | None]) -> str:
    """The `d` of a line through `points`; None, or a point whose y is not a number, breaks the line."""
    parts: list[str] = []
    pen_down = False
    for point in points:
        if point is None or math.isnan(point[1]):
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{number(point[0])} {number(point[1])}")
        pen_down = True
    return "".join(parts)
