"""The tiny picture of a feature's distribution in each split."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from pedalflow import svg
from pedalflow.run_record import FeatureStatistics
from pedalflow.svg import Scale
from pipelines.report import drawings
from pipelines.report.wording import figure

HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT = 132, 34


def histogram(splits: Sequence[FeatureStatistics], name: str) -> Markup:
    """The distribution of one feature, split over split, each scaled to its own highest density.

    The first split is filled and the second drawn as an outline. Text values stand in the order of their
    first appearance.
    """
    drawn = [part for part in splits if part.histogram]
    if not drawn:
        return Markup("")
    description = "; ".join(f"{part.split}: {part.count} values, mean {figure(part.mean)}" for part in drawn)
    root = svg.canvas(
        HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT + 1, name, f"Distribution of {drawn[0].name}", description
    )
    bins = [_bins(part, _text_order(drawn)) for part in drawn]
    low = min(left for part in bins for left, _, _ in part)
    high = max(right for part in bins for _, right, _ in part)
    x = Scale(low, high, 1, HISTOGRAM_WIDTH - 1)
    for part, style in zip(bins, ("fill", "outline"), strict=False):
        svg.add(root, "path", d=_steps(part, x), class_=style)
    return drawings.markup(root, "tiny")


def _text_order(splits: Sequence[FeatureStatistics]) -> dict[str, int]:
    order: dict[str, int] = {}
    for part in splits:
        for low, _, _ in part.histogram:
            if isinstance(low, str):
                order.setdefault(low, len(order))
    return order


def _bins(part: FeatureStatistics, order: dict[str, int]) -> list[tuple[float, float, float]]:
    """(left, right, density) of each bin; a text value takes the unit interval at its place in `order`."""
    bins = []
    for low, high, count in part.histogram:
        left, right = (order[low], order[low] + 1) if isinstance(low, str) else (float(low), float(high))
        bins.append((float(left), float(right), count / max(right - left, 1e-12)))
    return sorted(bins)


def _steps(bins: Sequence[tuple[float, float, float]], x: Scale) -> str:
    highest = max(density for _, _, density in bins) or 1.0
    y = Scale(0, highest, HISTOGRAM_HEIGHT, 2)
    parts = [f"M{svg.number(x(bins[0][0]))} {svg.number(y(0))}"]
    for left, right, density in bins:
        parts.append(f"H{svg.number(x(left))}V{svg.number(y(density))}H{svg.number(x(right))}")
    return "".join(parts) + f"V{svg.number(y(0))}"
