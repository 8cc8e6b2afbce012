"""A first model within seconds: gradient-boosted trees, watched as they grow, and tracked in MLflow and TensorBoard."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from mlflow import MlflowClient
from sklearn.ensemble import HistGradientBoostingRegressor
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary import Writer
from tensorboard.util.tensor_util import make_ndarray

from pedalflow.use_case import UseCase
from pedalflow.workspace import Workspace
from pipelines.notebooks.style import GOOD, MUTED, NEW, PREVIOUS, panels
from pipelines.promotion import registry_of
from pipelines.settings import read_settings

SETTINGS: Mapping[str, Any] = {
    "loss": "poisson",
    "max_iter": 150,
    "learning_rate": 0.1,
    "max_leaf_nodes": 31,
    "min_samples_leaf": 20,
    "random_state": 0,
    "early_stopping": False,
}


@dataclass(frozen=True)
class QuickModel:
    """The fitted trees, their settings, the columns they take, and RMSE by round on both parts of the data."""

    trees: HistGradientBoostingRegressor
    settings: Mapping[str, Any]
    columns: tuple[str, ...]
    curve: pd.DataFrame

    def predict(self, rows: pd.DataFrame) -> np.ndarray[Any, Any]:
        """A prediction for each row."""
        return np.asarray(self.trees.predict(rows[list(self.columns)]))


def fit_quick(
    train: pd.DataFrame, evaluation: pd.DataFrame, case: UseCase, settings: Mapping[str, Any] = SETTINGS
) -> QuickModel:
    """Fit on `train`; the curve says when `evaluation` no longer gains. Trees cannot extrapolate, so the date is left out."""
    columns = tuple(column.name for column in case.features if column.name != case.date)
    trees = HistGradientBoostingRegressor(**settings).fit(train[list(columns)], train[case.label])
    curve = {
        name: [rmse(predicted - rows[case.label]) for predicted in trees.staged_predict(rows[list(columns)])]
        for name, rows in (("train", train), ("evaluation", evaluation))
    }
    return QuickModel(trees, settings, columns, pd.DataFrame(curve).rename_axis("round"))


def rmse(errors: Any) -> float:
    """The root of the mean square."""
    return math.sqrt(float(np.mean(np.square(np.asarray(errors, np.float64)))))


def split(hours: pd.DataFrame, spans: Sequence[int], days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of some spans, without their last `days` days and only those: what the pipeline trains on and judges by."""
    rows = hours[hours["span"].isin(spans)]
    first = rows["day"].max() - pd.Timedelta(days=days - 1)
    return rows[rows["day"] < first], rows[rows["day"] >= first]


def track(workspace: Workspace, quick: QuickModel, logs: Path) -> str:
    """Record the settings and the curve as an MLflow run, and as scalars that TensorBoard reads in `logs`; returns the experiment's name.

    The experiment stands beside the pipeline's, so that an idea is never taken for a release.
    """
    registry = registry_of(workspace, read_settings(workspace.params))
    experiment = f"{registry.name}-quick"
    mlflow.set_tracking_uri(registry.tracking_uri)
    _ensure(experiment, registry.artifacts)
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name="trees"), closing(Writer(str(logs))) as board:
        mlflow.log_params(dict(quick.settings))
        for place, row in enumerate(quick.curve.to_dict("records")):
            mlflow.log_metrics({f"rmse/{name}": float(value) for name, value in row.items()}, step=place)
            for name, value in row.items():
                board.add_scalar(f"rmse/{name}", float(value), place)
    return experiment


def _ensure(experiment: str, artifacts: str) -> None:
    """MLflow on SQLite keeps artifacts in the working directory unless the experiment says where."""
    client = MlflowClient()
    if client.get_experiment_by_name(experiment) is None:
        local = mlflow.get_tracking_uri().startswith("sqlite:")
        client.create_experiment(experiment, artifact_location=artifacts if local else None)


def tracked(workspace: Workspace, experiment: str) -> pd.DataFrame:
    """What MLflow knows of the newest run of an experiment: its parameters, and the last value of each metric."""
    registry = registry_of(workspace, read_settings(workspace.params))
    client = MlflowClient(registry.tracking_uri)
    found = client.get_experiment_by_name(experiment)
    run = client.search_runs([found.experiment_id], order_by=["attributes.start_time DESC"], max_results=1)[0]
    kept = [("parameter", name, value) for name, value in sorted(run.data.params.items())]
    kept += [("metric", name, f"{value:.1f}") for name, value in sorted(run.data.metrics.items())]
    return pd.DataFrame(kept, columns=["kind", "name", "value"])


def scalars(logs: Path) -> pd.DataFrame:
    """TensorBoard's scalars below a folder, as columns `run`, `name`, `step` and `value`."""
    rows = []
    for folder in sorted({path.parent for path in logs.rglob("events.out.tfevents.*")}):
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()
        run = "." if folder == logs else str(folder.relative_to(logs))
        rows += [(run, name, step, value) for name, step, value in _values(events)]
    return pd.DataFrame(rows, columns=["run", "name", "step", "value"])


def _values(events: EventAccumulator) -> list[tuple[str, int, float]]:
    """Scalars of both kinds that TensorBoard knows: its own, and tensors of one number."""
    tags = events.Tags()
    plain = [(name, e.step, float(e.value)) for name in tags["scalars"] for e in events.Scalars(name)]
    tensors = [
        (name, e.step, make_ndarray(e.tensor_proto)) for name in tags["tensors"] for e in events.Tensors(name)
    ]
    return plain + [(name, step, float(value)) for name, step, value in tensors if value.shape == ()]


def curve_picture(curve: pd.DataFrame, unit: str) -> Figure:
    """RMSE by round, and the round that was best on the evaluation days."""
    figure, (axes,) = panels(height=2.7)
    axes.plot(curve.index + 1, curve["train"], color=MUTED, label="training rows")
    axes.plot(curve.index + 1, curve["evaluation"], color=NEW, linewidth=2, label="evaluation days")
    best = int(curve["evaluation"].idxmin())
    axes.plot(best + 1, curve["evaluation"][best], "o", color=GOOD)
    axes.annotate(
        f"round {best + 1}: {curve['evaluation'][best]:.1f}",
        (best + 1, curve["evaluation"][best]),
        xytext=(0, 12),
        textcoords="offset points",
        ha="center",
        color=GOOD,
    )
    axes.set_ylim(bottom=0)
    axes.set_xlabel("round")
    axes.set_ylabel(f"RMSE, {unit} an hour")
    axes.legend(loc="upper right")
    return figure


def losses_picture(logs: pd.DataFrame) -> Figure:
    """What TensorBoard shows of the pipeline's training: the loss by epoch."""
    figure, (axes,) = panels(height=2.5)
    for (name, values), colour in zip(logs.groupby("name"), (NEW, PREVIOUS, GOOD)):
        axes.plot(values["step"], values["value"], "o-", markersize=3, color=colour, label=str(name))
    axes.set_xlabel("epoch")
    axes.set_ylabel("Poisson loss")
    axes.legend(loc="upper right")
    return figure
