"""How the report shows its drawings: at the widths that fit a page and a telephone, as markup, with labels that do not overlap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from xml.etree import ElementTree

from markupsafe import Markup

from pedalflow.svg import Element

NARROW = 336
# Widths in CSS pixels by the class of the drawing, of which the style sheet shows one:
# for a figure over half the page, and for one over all of it.
HALF = {"wide": 524, "narrow": NARROW}
FULL = {"wide": 1080, "medium": 680, "narrow": NARROW}
LABEL_GAP = 14.0


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
