"""What the model does with its inputs: partial dependence, permutation importance, Shapley values, and what-ifs of one hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from components.detector_fitting import features_of
from components.scoring import predict
from detectors.contributions import Contributions, contributions
from detectors.stored import read_detectors
from pedalflow.release import DETECTORS, ONNX_MODEL
from pedalflow.use_case import UseCase
from pipelines.notebooks.quick_model import rmse
from pipelines.notebooks.style import BAD, GOOD, MUTED, NEW, SERIES, panels

SEED, REPEATS, SAMPLE = 0, 5, 400


def sample(rows: pd.DataFrame, count: int = SAMPLE) -> pd.DataFrame:
    """Evenly spaced rows: enough to average over, and the same ones every time."""
    return rows.iloc[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


# --- partial dependence --------------------------------------------------------------------------------------------


def dependence(
    release: Path, rows: pd.DataFrame, case: UseCase, column: str, values: Sequence[float]
) -> pd.DataFrame:
    """The mean prediction, and the range of its middle 80 %, where every row is given each of the values in turn."""
    found = []
    for value in values:
        said = predict(release / ONNX_MODEL, case.features, rows.assign(**{column: value}))
        low, high = np.quantile(said, [0.1, 0.9])
        found.append({"value": value, "mean": said.mean(), "low": low, "high": high})
    return pd.DataFrame(found)


def dependence_picture(
    release: Path, rows: pd.DataFrame, case: UseCase, over: Mapping[str, str], unit: str
) -> Figure:
    """Partial dependence on each number, which `over` names in words, between the 2nd and 98th percentile of the rows."""
    figure, axes = panels(1, len(over), 2.9, sharey=True)
    for axis, (column, words) in zip(axes, over.items()):
        low, high = rows[column].quantile([0.02, 0.98])
        curve = dependence(release, rows, case, column, np.linspace(low, high, 20).tolist())
        axis.fill_between(curve["value"], curve["low"], curve["high"], color=NEW, alpha=0.12, linewidth=0)
        axis.plot(curve["value"], curve["mean"], color=NEW, linewidth=2)
        axis.plot(rows[column], np.zeros(len(rows)), "|", color=MUTED, alpha=0.35, markersize=7)
        axis.set_xlabel(words)
    axes[0].set_ylabel(f"predicted {unit}")
    return figure


def by_hour_picture(
    release: Path, rows: pd.DataFrame, case: UseCase, by: str, names: Mapping[int, str], unit: str
) -> Figure:
    """The mean prediction over the hours of the day, where every row is given the hour and each value of `by`."""
    figure, (axes,) = panels(height=2.9)
    for (value, name), colour in zip(names.items(), SERIES):
        curve = dependence(release, rows.assign(**{by: value}), case, case.hour, range(24))
        axes.plot(curve["value"], curve["mean"], color=colour, linewidth=2, label=name)
    axes.set_xticks(range(0, 24, 3))
    axes.set_xlabel("hour of the day")
    axes.set_ylabel(f"predicted {unit}")
    axes.legend(loc="upper left")
    return figure


# --- permutation ---------------------------------------------------------------------------------------------------


def permutation(
    release: Path, rows: pd.DataFrame, case: UseCase, groups: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """By how much RMSE grows when the columns of a group are shuffled together: mean, least and greatest of five shuffles.

    Columns that tell the same thing belong into one group: shuffled alone, each would be replaced by the other.
    """
    rng = np.random.default_rng(SEED)
    known = rmse(predict(release / ONNX_MODEL, case.features, rows) - rows[case.label])
    found = []
    for name, columns in groups.items():
        growth = [_shuffled(release, rows, case, columns, rng) - known for _ in range(REPEATS)]
        found.append({"columns": name, "RMSE +": np.mean(growth), "least": min(growth), "most": max(growth)})
    return pd.DataFrame(found).sort_values("RMSE +", ascending=False, ignore_index=True)


def _shuffled(
    release: Path, rows: pd.DataFrame, case: UseCase, columns: Sequence[str], rng: np.random.Generator
) -> float:
    order = rng.permutation(len(rows))
    mixed = rows.assign(**{name: rows[name].to_numpy()[order] for name in columns})
    return rmse(predict(release / ONNX_MODEL, case.features, mixed) - rows[case.label])


def permutation_picture(importance: pd.DataFrame, unit: str) -> Figure:
    """The table of `permutation` as bars, the most important above."""
    figure, (axes,) = panels(height=0.33 * len(importance) + 0.8)
    places = range(len(importance))
    spread = [importance["RMSE +"] - importance["least"], importance["most"] - importance["RMSE +"]]
    axes.barh(places, importance["RMSE +"], 0.6, color=NEW, xerr=spread, ecolor=MUTED)
    axes.set_yticks(places, importance["columns"])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"RMSE grows by, {unit} an hour")
    axes.invert_yaxis()
    return figure


# --- Shapley values ------------------------------------------------------------------------------------------------


def attributed(release: Path, row: pd.DataFrame, case: UseCase) -> Contributions:
    """What each feature adds to the prediction of one row, as the served explainer says it."""
    detectors = read_detectors(release / DETECTORS)

    def model(columns: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
        return predict(release / ONNX_MODEL, case.features, pd.DataFrame(dict(columns)))

    return contributions(model, features_of(case, row), detectors.background, detectors.layout.features)


def attributions(release: Path, rows: pd.DataFrame, case: UseCase) -> pd.DataFrame:
    """The same for several rows: a row of contributions for each."""
    found = [attributed(release, rows.iloc[[place]], case).by_feature for place in range(len(rows))]
    return pd.DataFrame(found, index=rows.index)


def attributions_picture(values: pd.DataFrame, rows: pd.DataFrame, unit: str) -> Figure:
    """A point a row and feature: how much the feature added; dark where its value is great."""
    order = values.abs().mean().sort_values(ascending=False).index
    rng = np.random.default_rng(SEED)
    figure, (axes,) = panels(height=0.36 * len(order) + 0.9)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    for place, name in enumerate(order):
        ranks = rows[name].rank(pct=True)
        height = place + rng.uniform(-0.28, 0.28, len(rows))
        points = axes.scatter(
            values[name], height, c=ranks, cmap="viridis_r", s=10, vmin=0, vmax=1, linewidths=0
        )
    axes.set_yticks(range(len(order)), list(order))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"adds to the prediction, {unit}")
    axes.invert_yaxis()
    bar = figure.colorbar(points, ax=axes, shrink=0.85, pad=0.02, ticks=[0, 1])
    bar.ax.set_yticklabels(["small", "great"])
    bar.set_label("value of the feature", labelpad=-18)
    bar.outline.set_visible(False)
    return figure


def attributed_picture(explained: Contributions, row: pd.DataFrame, case: UseCase, unit: str) -> Figure:
    """From the mean prediction to that of one hour, feature by feature, the greatest step first."""
    steps = sorted(explained.by_feature.items(), key=lambda item: -abs(item[1]))
    figure, (axes,) = panels(height=0.32 * (len(steps) + 2) + 0.6)
    reached = explained.base
    for place, (_, step) in enumerate(steps, 1):
        axes.barh(place, step, left=reached, height=0.62, color=GOOD if step > 0 else BAD)
        reached += step
    axes.plot([explained.base, explained.base], [-0.4, 1.4], color=MUTED, linewidth=1)
    axes.barh(0, explained.base, height=0.62, color=MUTED)
    axes.barh(len(steps) + 1, explained.prediction, height=0.62, color=NEW)
    actual = float(row[case.label].iloc[0])
    axes.axvline(actual, color=MUTED, linestyle="--", linewidth=1)
    axes.text(actual, -0.75, f" actual {actual:.0f}", color=MUTED, va="bottom")
    named = [_named(row, case, name) for name, _ in steps]
    axes.set_yticks(range(len(steps) + 2), ["the background's mean", *named, "prediction"])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(unit)
    axes.invert_yaxis()
    return figure


def _named(row: pd.DataFrame, case: UseCase, name: str) -> str:
    if name == case.date:
        return f"date = {row['day'].iloc[0]:%Y-%m-%d}"
    return f"{name} = {row[name].iloc[0]:g}"


# --- what-ifs ------------------------------------------------------------------------------------------------------


def what_ifs(
    release: Path, row: pd.DataFrame, case: UseCase, changes: Mapping[str, Mapping[str, float]]
) -> pd.DataFrame:
    """What the release says of the hour as it was, and with each set of changes: values that were other than they were."""
    variants = {"as it was": row, **{name: row.assign(**values) for name, values in changes.items()}}
    said = [float(predict(release / ONNX_MODEL, case.features, each)[0]) for each in variants.values()]
    return pd.DataFrame(
        {
            "if": list(variants),
            "predicted": said,
            "difference": [value - said[0] for value in said],
            "%": [100.0 * (value / said[0] - 1.0) for value in said],
        }
    )
