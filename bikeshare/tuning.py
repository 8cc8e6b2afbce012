"""TFX's Tuner calls `tuner_fn`: a random search over the network's shape and training, judged by the last training days.

The evaluation days of the run stay unseen: they judge the model that comes of it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from bikeshare.columns import LABEL
from bikeshare.network import Hyperparameters, build, fit, seed_everything
from bikeshare.training import Rows, estimate_growth, read_rows, transform_rows

CHOICES: dict[str, list[Any]] = {
    "learning_rate": [0.002, 0.004, 0.006, 0.01],
    "weight_decay": [0.03, 0.1, 0.3, 1.0],
    "embedding": [4, 8, 16],
    "frequencies": [4, 8],
    "epochs": [20, 30, 45],
}


class NetworkTuner(keras_tuner.RandomSearch):
    """A trial fits the network as the Trainer does and reports the Poisson deviance of the validation days."""

    def __init__(self, start: Hyperparameters, folder: Path, trials: int) -> None:
        self.start = start
        super().__init__(
            hypermodel=None,
            objective=keras_tuner.Objective("deviance", "min"),
            max_trials=trials,
            seed=start.seed,
            hyperparameters=search_space(start),
            tune_new_entries=False,
            directory=str(folder),
            project_name="search",
            overwrite=True,
        )

    def run_trial(
        self, trial: Any, train: dict[str, Any], validation: dict[str, Any], growth_rate: float
    ) -> float:
        """Fit one set of hyperparameters; returns the mean Poisson deviance on `validation`, lower is better."""
        hyperparameters = replace(self.start, **trial.hyperparameters.values)
        seed_everything(hyperparameters)
        model = build(hyperparameters, growth_rate)
        fit(model, train["features"], train["count"], hyperparameters)
        predicted = model.predict_on_batch(validation["features"])
        return poisson_deviance(validation["count"], predicted)


def search_space(start: Hyperparameters) -> keras_tuner.HyperParameters:
    """The choices, with the values of `params.yaml` as the first trial."""
    space = keras_tuner.HyperParameters()
    for name, values in CHOICES.items():
        current = getattr(start, name)
        space.Choice(name, sorted({*values, current}), default=current)
    return space


def poisson_deviance(count: np.ndarray, predicted: np.ndarray) -> float:
    """Mean unit deviance (McCullagh and Nelder, "Generalized Linear Models", 1989); a count of 0 contributes its rate alone."""
    safe = np.where(count > 0, count, 1.0)
    return float(
        np.mean(2.0 * (np.where(count > 0, count * np.log(safe / predicted), 0.0) - (count - predicted)))
    )


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """The search that TFX's Tuner runs."""
    config = fn_args.custom_config
    rows = read_rows(fn_args, fn_args.train_files)
    train, validation = split_last_days(rows, config["tuner"]["validation_days"])
    transform = tf.saved_model.load(str(Path(fn_args.transform_graph_path) / "transform_fn"))
    parts = [
        {"features": transform_rows(transform, part), "count": part[LABEL.name].astype(np.float32)}
        for part in (train, validation)
    ]
    start = Hyperparameters.from_mapping(config["hyperparameters"])
    tuner = NetworkTuner(start, Path(fn_args.working_dir), config["tuner"]["trials"])
    return TunerFnResult(
        tuner=tuner,
        fit_kwargs={"train": parts[0], "validation": parts[1], "growth_rate": estimate_growth(train).rate},
    )


def split_last_days(rows: Rows, days: int) -> tuple[Rows, Rows]:
    """The rows before the last `days` days, and those days."""
    last = rows["dteday"][:, 0] > rows["dteday"].max() - days
    return {k: v[~last] for k, v in rows.items()}, {k: v[last] for k, v in rows.items()}
