"""The few shapes that the report's charts are made of, as SVG that inherits its colours from the page's style
sheet.

Built as an element tree, so every text and attribute is escaped by the standard library. Coordinates are CSS
pixels with one decimal, which keeps the bytes small and the same from run to run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from markupsafe import Markup

Element = ElementTree.Element
NARROW = 336
# Widths in CSS pixels by the class of the drawing, of which the style sheet shows one:
# for a figure over half the page, and for one over all of it.
HALF = {"wide": 524, "narrow": NARROW}
FULL = {"wide": 1080, "medium": 680, "narrow": NARROW}
LABEL_GAP = 14.0


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
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def add(parent: Element, tag: str, content: str | None = None, **attributes: str | float) -> Element:
    """A new child of `parent`. `class_` stands for class; other underscores become hyphens; numbers are
    rounded to a decimal.
    """
    names = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    child = ElementTree.SubElement(
        parent, tag, {key: value if isinstance(value, str) else number(value) for key, value in names.items()}
    )
    child.text = content
    return child


def canvas(width: int, height: float, name: str, title: str, description: str) -> Element:
    """An empty drawing whose `title` and `description` a screen reader announces. `name` is unique in the
    page.
    """
    root = Element(
        "svg",
        {
            "viewBox": f"0 0 {width} {number(height)}",
            "role": "img",
            "aria-labelledby": f"{name}-t {name}-d",
        },
    )
    add(root, "title", title, id=f"{name}-t")
    add(root, "desc", description, id=f"{name}-d")
    return root


def responsive(draw: Callable[[int, str], Element], name: str, widths: Mapping[str, int]) -> Markup:
    """`draw(width, name)` at each of `widths`; the style sheet shows the one that fits, so text keeps its
    size on a telephone.
    """
    return Markup("").join(markup(draw(width, f"{name}-{size}"), size) for size, width in widths.items())


def markup(root: Element, size: str) -> Markup:
    """The finished drawing, ready for a template."""
    root.set("class", size)
    # The tree has escaped every text and attribute already.
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def ticks(low: float, high: float, count: int) -> tuple[float, ...]:
    """About `count` round values that span `low`…`high`; the last one is not below `high`."""
    reach = max(high - low, 1e-9)
    magnitude = 10.0 ** math.floor(math.log10(reach / count))
    step = next(
        factor * magnitude for factor in (1, 2, 2.5, 5, 10, 20) if reach / (factor * magnitude) <= count
    )
    first = math.floor(low / step)
    return tuple(index * step for index in range(first, math.ceil(high / step - 1e-9) + 1))


def path(points: Iterable[tuple[float, float]]) -> str:
    """The `d` of a line through `points`; a point whose y is not a number breaks the line."""
    parts: list[str] = []
    pen_down = False
    for x, y in points:
        if math.isnan(y):
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{number(x)} {number(y)}")
        pen_down = True
    return "".join(parts)


def spread(wanted: Sequence[float], low: float, high: float, gap: float = LABEL_GAP) -> tuple[float, ...]:
    """Heights near the `wanted` ones, at least `gap` apart and, where they fit, inside `low`…`high`."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = [0.0] * len(wanted)
    floor = low
    for index in order:
        placed[index] = max(wanted[index], floor)
        floor = placed[index] + gap
    ceiling = high
    for index in reversed(order):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return tuple(placed)
