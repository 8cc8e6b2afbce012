"""Lineage as pictures: the nodes of a run, which release learned from which span, like hours, and two runs slice by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pedalflow.run_record import PROMOTED, REFUSED, RunRecord
from pipelines.notebooks.metadata import PipelineRun, edges, layers
from pipelines.notebooks.style import BAD, GOOD, INK, MUTED, NEW, PALE, PREVIOUS, RULE, panels

OUTCOMES: Mapping[str, str] = {PROMOTED: GOOD, REFUSED: BAD}
BOX_WIDTH, BOX_HEIGHT = 1.0, 0.5


def run_graph(run: PipelineRun) -> Figure:
    """The run's nodes from the data on the left to the release on the right, and what was handed from one to the next."""
    return graph(layers(run), [(writer, reader) for writer, reader, _ in edges(run)])


def graph(places: Mapping[str, int], arrows: Sequence[tuple[str, str]], marked: Sequence[str] = ()) -> Figure:
    """Boxes in columns by `places`, with arrows between them; those in `marked` stand out."""
    points = positions(places)
    tallest = max(y for _, y in points.values()) - min(y for _, y in points.values())
    figure, (axes,) = panels(height=0.62 * (tallest + 1) + 0.5)
    for begin, end in arrows:
        _arrow(axes, points[begin], points[end])
    for name, point in points.items():
        _box(axes, point, name, NEW if name in marked else INK)
    axes.set_xlim(-0.75, max(x for x, _ in points.values()) + 0.75)
    axes.set_ylim(min(y for _, y in points.values()) - 0.6, max(y for _, y in points.values()) + 0.6)
    axes.axis("off")
    return figure


def positions(places: Mapping[str, int], apart: float = 1.45) -> dict[str, tuple[float, float]]:
    """A point for each name: columns by place, the names of a column spread around the middle."""
    columns: dict[int, list[str]] = {}
    for name, place in places.items():
        columns.setdefault(place, []).append(name)
    return {
        name: (apart * place, (len(names) - 1) / 2 - row)
        for place, names in columns.items()
        for row, name in enumerate(names)
    }


def _box(axes: Axes, point: tuple[float, float], name: str, colour: str) -> None:
    axes.annotate(
        _in_two_lines(name),
        point,
        ha="center",
        va="center",
        fontsize=7.5,
        color=colour,
        bbox={"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": colour, "linewidth": 0.9},
        zorder=3,
    )


def _in_two_lines(name: str) -> str:
    """`DetectorFitter` and `acceptance-gate` with a break before the last word, since the boxes are narrow."""
    words = "".join(f" {letter}" if letter.isupper() else letter for letter in name).replace("-", " ").split()
    if len(name) < 10 or len(words) < 2:
        return name
    joint = "-" if "-" in name else ""
    return f"{joint.join(words[:-1])}{joint}\n{words[-1]}"


def _arrow(axes: Axes, begin: tuple[float, float], end: tuple[float, float]) -> None:
    arrow = {
        "arrowstyle": "-|>",
        "color": MUTED,
        "linewidth": 0.7,
        "shrinkA": 24,
        "shrinkB": 24,
        "alpha": 0.7,
    }
    axes.annotate("", end, begin, arrowprops={**arrow, "connectionstyle": "arc3,rad=0.08"}, zorder=1)


def who_learned_what(found: Sequence[RunRecord], spans: Sequence[int]) -> Figure:
    """A row a release, a column a span: filled where the release learned from it, half where its last days judged the release."""
    figure, (axes,) = panels(height=0.5 * len(found) + 0.9)
    for row, record in enumerate(found):
        for span in spans:
            learned = span in {used.number for used in record.spans}
            axes.barh(row, 0.9, left=span - 0.45, height=0.6, color=_colour(record) if learned else RULE)
        axes.barh(row, 0.4, left=record.until_span + 0.05, height=0.6, color=PREVIOUS)
    axes.set_yticks(range(len(found)), [str(record.release_id) for record in found])
    axes.set_xticks(list(spans))
    axes.set_xlabel("span   (the end in brown judged the release and did not train it)")
    axes.tick_params(axis="y", length=0)
    axes.grid(False)
    axes.invert_yaxis()
    return figure


def _colour(record: RunRecord) -> str:
    return OUTCOMES.get(record.outcome, NEW)


def like_hours(near: pd.DataFrame, hour: pd.Series, predicted: float, label: str, unit: str) -> Figure:
    """The training hours most like one hour by their date, beside what was predicted for it and what came."""
    figure, (axes,) = panels(height=3.2)
    near_first = near.sort_values("distance", ascending=False)
    points = axes.scatter(
        near_first["when"],
        near_first[label],
        c=near_first["distance"],
        cmap="Blues_r",
        s=34,
        edgecolors=MUTED,
    )
    axes.plot(hour["when"], predicted, "D", color=PREVIOUS, markersize=8)
    axes.plot(hour["when"], hour[label], "o", color=GOOD, markersize=8)
    for value, text, colour in ((predicted, "predicted", PREVIOUS), (hour[label], "came", GOOD)):
        axes.annotate(
            f"{text} {value:.0f}",
            (hour["when"], value),
            xytext=(9, -3),
            textcoords="offset points",
            color=colour,
        )
    axes.set_ylabel(f"{unit} an hour")
    axes.margins(x=0.12)
    bar = figure.colorbar(points, ax=axes, shrink=0.85, pad=0.02)
    bar.set_label("distance, in deviations")
    bar.outline.set_visible(False)
    return figure


def two_models(record: RunRecord, unit: str) -> Figure:
    """The candidate and the champion on the same newest days, slice by slice."""
    judged = [score for score in record.slices if score.champion is not None and score.candidate.rows]
    figure, (axes,) = panels(height=0.3 * len(judged) + 0.9)
    for place, score in enumerate(judged):
        before, after = score.champion.rmse, score.candidate.rmse  # type: ignore[union-attr]  # filtered above
        axes.plot([before, after], [place, place], color=PALE, linewidth=4, zorder=1)
        axes.plot(before, place, "o", color=PREVIOUS, label="champion" if place == 0 else None)
        axes.plot(after, place, "o", color=NEW, label="new model" if place == 0 else None)
    axes.set_yticks(range(len(judged)), [f"{score.feature} = {score.value}" for score in judged])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"RMSE, {unit} an hour")
    axes.invert_yaxis()
    axes.legend(loc="lower right")
    return figure
