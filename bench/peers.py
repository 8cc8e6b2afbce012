"""What the network is compared with: gradient-boosted trees with a fair set-up, and the naive mean by hour.

The trees see the network's features, get the same growth rate, and choose their settings by validation inside
the training rows: whole weeks are held out, because neighbouring hours are too alike to be fair to anyone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.features import CODES, DAYS_PER_YEAR, NUMBERS

Array = npt.NDArray[np.float64]
Predictor = Callable[[pd.DataFrame], Array]
HELD_OUT_WEEKS = (0, 2)
FOLDS = 5


@dataclass(frozen=True)
class TreeSettings:
    """One way to grow the trees. `season`: by `day`, `waves` or `codes`; `clock` is the day and the years."""

    objective: str = "poisson"
    season: str = "day"
    leaves: int = 31
    rounds: int = 400
    learning_rate: float = 0.05
    rows_per_leaf: int = 20

    @property
    def name(self) -> str:
        """Short name for tables."""
        size = f"{self.leaves} leaves x {self.rounds} at {self.learning_rate}"
        return f"{self.objective}, season by {self.season}, {size}, {self.rows_per_leaf} rows a leaf"


GRID = (
    TreeSettings(),
    TreeSettings(objective="regression"),
    TreeSettings(season="clock"),
    TreeSettings(season="clock", leaves=15, rounds=800),
    TreeSettings(objective="regression", season="clock"),
    TreeSettings(season="codes", leaves=15, rounds=800),
    TreeSettings(season="waves"),
)
PLAIN = TreeSettings(objective="regression", season="clock", rounds=100, learning_rate=0.1)


def rmse(rows: pd.DataFrame, prediction: Array) -> float:
    """Root mean squared error of a prediction of `cnt`, in rentals an hour."""
    return float(np.sqrt(np.mean((rows["cnt"].to_numpy() - prediction) ** 2)))


def fit_trees(train: pd.DataFrame, growth_rate: float, settings: TreeSettings) -> Predictor:
    """Train LightGBM on the counts divided by exp(growth_rate * t), weighted by that exposure; predict with
    it put back.
    """
    exposure = _exposure(train, growth_rate)
    data = lightgbm.Dataset(
        _features(train, settings.season), train["cnt"].to_numpy() / exposure, weight=exposure
    )
    booster = lightgbm.train(_parameters(settings), data, settings.rounds)

    def predict(rows: pd.DataFrame) -> Array:
        raw = np.asarray(booster.predict(_features(rows, settings.season)), np.float64)
        return np.clip(raw, 0.0, None) * _exposure(rows, growth_rate)

    return predict


def tune_trees(
    train: pd.DataFrame, growth_rate: float, grid: tuple[TreeSettings, ...] = GRID
) -> TreeSettings:
    """The settings of `grid` with the least mean RMSE over held-out weeks of the training rows."""
    return min(
        grid, key=lambda settings: week_validation(train, lambda rows: fit_trees(rows, growth_rate, settings))
    )


def week_validation(train: pd.DataFrame, fit: Callable[[pd.DataFrame], Predictor]) -> float:
    """Mean RMSE over two folds, each holding out every fifth week of the training rows."""
    fold = (train["day"] // 7) % FOLDS
    scores = []
    for held_out in HELD_OUT_WEEKS:
        predict = fit(train[fold != held_out])
        validation = train[fold == held_out]
        scores.append(rmse(validation, predict(validation)))
    return float(np.mean(scores))


def fit_naive(train: pd.DataFrame) -> Predictor:
    """The mean of the training rows by hour and working day."""
    mean = train.groupby(["hr", "workingday"])["cnt"].mean().rename("prediction").reset_index()

    def predict(rows: pd.DataFrame) -> Array:
        joined = rows[["hr", "workingday"]].merge(mean, how="left", on=["hr", "workingday"])
        return joined["prediction"].to_numpy(np.float64)

    return predict


def _features(rows: pd.DataFrame, season: str) -> Array:
    columns = rows[[*CODES, *NUMBERS]].to_numpy(np.float64)
    if season == "codes":
        return columns
    year = rows["day"].to_numpy() / DAYS_PER_YEAR
    if season == "clock":
        return np.column_stack([columns, year % 1.0, year])
    if season == "day":
        return np.column_stack([columns, year % 1.0])
    waves = [wave(2.0 * np.pi * k * year) for k in (1, 2) for wave in (np.sin, np.cos)]
    return np.column_stack([columns, *waves])


def _exposure(rows: pd.DataFrame, growth_rate: float) -> Array:
    return np.exp(growth_rate * rows["day"].to_numpy() / DAYS_PER_YEAR)


def _parameters(settings: TreeSettings) -> dict[str, Any]:
    return {
        "objective": settings.objective,
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_child_samples": settings.rows_per_leaf,
        "feature_fraction": 0.8,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "num_threads": 1,
        "deterministic": True,
        "seed": 1,
        "verbose": -1,
    }
