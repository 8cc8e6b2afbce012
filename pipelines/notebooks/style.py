"""How the notebooks' pictures look: one quiet style, the colours of the report, and a figure that always leaves room for its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, RULE, PALE = "#1b2025", "#59636c", "#e1e5e8", "#d9dee2"
NEW, PREVIOUS, NAIVE, ACTUAL = "#0a5fb4", "#b0540a", "#8b959e", "#1b2025"
GOOD, BAD = "#176f44", "#b3261e"
SERIES = (NEW, PREVIOUS, "#1f8a70", "#8a4fbf", "#c2417c", "#5b6b2f", "#2f8fae", "#a0522d")
SEQUENTIAL, DIVERGING = "Blues", "RdBu_r"
WIDTH = 9.0  # inches

RULES: Mapping[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.prop_cycle": mpl.cycler(color=list(SERIES)),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titlepad": 10,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}


def panels(rows: int = 1, columns: int = 1, height: float = 3.2, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of `rows` × `columns` axes, each row `height` inches high, and its axes. The style is the kernel's from then on."""
    mpl.rcParams.update(RULES)
    figure = Figure(figsize=(WIDTH, height * rows))
    return figure, list(figure.subplots(rows, columns, squeeze=False, **options).flat)


def heat(axes: Axes, values: Any, colours: str = SEQUENTIAL, **options: Any) -> Any:
    """A table of numbers as colours, without a grid across it."""
    axes.grid(False)
    return axes.imshow(values, aspect="auto", cmap=colours, interpolation="nearest", **options)


def scale(figure: Figure, image: Any, axes: Any, label: str) -> None:
    """What the colours mean, beside the picture."""
    bar = figure.colorbar(image, ax=axes, shrink=0.85, pad=0.02)
    bar.set_label(label)
    bar.outline.set_visible(False)
