"""What TFDV and TFMA wrote, as tables and pictures that a saved notebook keeps: their own widgets need a browser with scripts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from google.protobuf import text_format
from matplotlib.figure import Figure
from tensorflow_metadata.proto.v0 import schema_pb2

from pedalflow.release import SCHEMA
from pedalflow.run_record import Anomaly, FeatureStatistics
from pipelines.notebooks.style import MUTED, NEW, PALE, PREVIOUS, panels

TRAIN, EVALUATION = "train", "eval"
UNBOUNDED = 2**62  # the schema writes the greatest int64 where there is no upper end


def statistics_table(statistics: Sequence[FeatureStatistics]) -> pd.DataFrame:
    """TFDV's statistics of each feature: the training split beside the evaluation days."""
    by_split = {(s.name, s.split): s for s in statistics}
    return pd.DataFrame(
        [
            {
                "feature": name,
                "rows": by_split[name, TRAIN].count,
                "missing": by_split[name, TRAIN].missing,
                "range": f"{by_split[name, TRAIN].low:g} to {by_split[name, TRAIN].high:g}",
                "mean": by_split[name, TRAIN].mean,
                "deviation": by_split[name, TRAIN].std,
                "mean, evaluation": by_split[name, EVALUATION].mean,
                "shift, deviations": _shift(by_split[name, TRAIN], by_split[name, EVALUATION]),
            }
            for name in dict.fromkeys(s.name for s in statistics)
        ]
    )


def _shift(train: FeatureStatistics, evaluation: FeatureStatistics) -> float | None:
    if train.mean is None or evaluation.mean is None or not train.std:
        return None
    return (evaluation.mean - train.mean) / train.std


def histograms(statistics: Sequence[FeatureStatistics], names: Sequence[str]) -> Figure:
    """TFDV's histograms of some features: training filled, evaluation days as a line."""
    figure, axes = panels(-(-len(names) // 4), 4, 1.9)
    for axis, name in zip(axes, names):
        for each in (s for s in statistics if s.name == name):
            edges, density = _density(each)
            if each.split == TRAIN:
                axis.stairs(density, edges, fill=True, color=PALE, label="training")
            else:
                axis.stairs(density, edges, color=NEW, linewidth=1.6, label="evaluation")
        axis.set_title(name)
        axis.set_yticks([])
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2)
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    return figure


def _density(statistics: FeatureStatistics) -> tuple[list[float], list[float]]:
    """Edges of the buckets, and the share of rows in each ÷ its width."""
    buckets = [(float(low), float(high), count) for low, high, count in statistics.histogram]
    total = sum(count for _, _, count in buckets) or 1.0
    edges = [low for low, _, _ in buckets] + [buckets[-1][1]]
    return edges, [count / total / max(high - low, 1e-9) for low, high, count in buckets]


def anomalies_said(anomalies: Sequence[Anomaly]) -> str:
    """What ExampleValidator found, in a sentence."""
    if not anomalies:
        return "ExampleValidator found **no anomaly**: every example fits the curated schema."
    return "ExampleValidator found " + "; ".join(f"{a.feature} ({a.split}): {a.short}" for a in anomalies)


def schema_table(release: Path) -> pd.DataFrame:
    """The curated schema that a release carries: what each feature must be."""
    schema = text_format.Parse((release / SCHEMA).read_text(encoding="utf-8"), schema_pb2.Schema())
    return pd.DataFrame([_feature(feature) for feature in schema.feature])


def _feature(feature: schema_pb2.Feature) -> dict[str, str]:
    whole = feature.HasField("int_domain")
    domain = feature.int_domain if whole else feature.float_domain
    return {
        "feature": feature.name,
        "type": schema_pb2.FeatureType.Name(feature.type).lower(),
        "from": f"{domain.min:g}",
        "to": f"{domain.max:g}" if domain.max < UNBOUNDED else "…",
        "in": "every example" if feature.presence.min_fraction == 1.0 else "some examples",
    }


def tfma_slices(evaluation: Path, column: str, *, with_champion: bool) -> pd.DataFrame:
    """TFMA's figures by the values of one column: examples, and RMSE of the candidate and, where there was one, of the champion."""
    from tensorflow_model_analysis import load_eval_result  # here, since it takes seconds

    models = {"candidate": "candidate", "champion": "champion"} if with_champion else {"candidate": None}
    parts = []
    for model, name in models.items():
        metrics = load_eval_result(str(evaluation), model_name=name).slicing_metrics
        rows = {key[0][1]: value[""][""] for key, value in metrics if key and key[0][0] == column}
        parts.append(
            pd.DataFrame(
                {
                    "examples": {k: int(v["example_count"]["doubleValue"]) for k, v in rows.items()},
                    model: {k: math.sqrt(v["mean_squared_error"]["doubleValue"]) for k, v in rows.items()},
                }
            )
        )
    joined = pd.concat(parts, axis=1)
    return joined.loc[:, ~joined.columns.duplicated()].sort_index().rename_axis(column).reset_index()


def tfma_picture(slices: pd.DataFrame, unit: str) -> Figure:
    """The table of `tfma_slices`: RMSE by the column's values."""
    figure, (axes,) = panels(height=2.7)
    column = slices.columns[0]
    places = np.arange(len(slices))
    models = [name for name in ("champion", "candidate") if name in slices]
    width = 0.8 / len(models)
    for index, (name, colour) in enumerate(zip(models, (PREVIOUS, NEW)[-len(models) :])):
        offset = (index - (len(models) - 1) / 2) * width
        axes.bar(places + offset, slices[name], width, color=colour, label=name)
    axes.set_xticks(places, slices[column])
    axes.tick_params(axis="x", colors=MUTED)
    axes.set_xlabel(column)
    axes.set_ylabel(f"RMSE, {unit} an hour")
    axes.legend(loc="upper left")
    return figure
