"""What each feature adds to one prediction: exact interventional Shapley values over a few background rows.

Lundberg and Lee, "A unified approach to interpreting model predictions", 2017. Every set of features is taken from the row and the
others from each background row, so 11 features and 16 background rows are 2^11 · 16 predictions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from detectors.layout import Array, Columns, Integers, row_count, take

MOST_FEATURES = 12
BATCH_ROWS = 8192

Predict = Callable[[Columns], Array]


@dataclass(frozen=True)
class Contributions:
    """`base` is the mean prediction of the background; `base` and all of `by_feature` add up to `prediction`."""

    base: float
    prediction: float
    by_feature: dict[str, float]


def choose_background(columns: Columns, predictions: Array, rows: int) -> Columns:
    """Rows at evenly spaced ranks of the prediction: few rows whose mean prediction is near that of all."""
    order = np.argsort(predictions, kind="stable")
    count = min(rows, len(order))
    ranks = ((np.arange(count) + 0.5) / count * len(order)).astype(np.int64)
    return take(columns, order[ranks])


def contributions(
    predict: Predict, row: Columns, background: Columns, features: Sequence[str]
) -> Contributions:
    """The contributions of `features` to the prediction of the one row.

    Columns that are no feature keep the row's values.

    Raises:
        ValueError: more than 12 features, no background, or not exactly one row.
    """
    if len(features) > MOST_FEATURES:
        raise ValueError(
            f"{len(features)} features make 2^{len(features)} sets; exact contributions go up to {MOST_FEATURES}: "
            "name those that matter and leave the others as the row has them"
        )
    if row_count(row) != 1 or not row_count(background):
        raise ValueError(
            f"contributions explain exactly one row against at least one background row, not {row_count(row)} "
            f"against {row_count(background)}"
        )
    values = _values_of_sets(predict, row, background, features)
    shares = _weights(len(features)) @ values
    by_feature = dict(zip(features, shares.tolist()))
    return Contributions(float(values[0]), float(values[-1]), by_feature)


def _values_of_sets(predict: Predict, row: Columns, background: Columns, features: Sequence[str]) -> Array:
    """float64[2^k]: the mean prediction where the features whose bits are set come from the row."""
    size = row_count(background)
    sets_at_once = max(1, BATCH_ROWS // size)
    found = []
    for first in range(0, 2 ** len(features), sets_at_once):
        sets = np.arange(first, min(first + sets_at_once, 2 ** len(features)))
        predictions = predict(_mixed(row, background, features, sets))
        found.append(np.asarray(predictions, np.float64).reshape(len(sets), size).mean(axis=1))
    return np.concatenate(found)


def _mixed(row: Columns, background: Columns, features: Sequence[str], sets: Integers) -> Columns:
    size = row_count(background)
    places = {name: place for place, name in enumerate(features)}
    mixed = {}
    for name, values in row.items():
        if name not in places:
            mixed[name] = np.repeat(values, len(sets) * size)
            continue
        from_row = (sets >> places[name]) & 1 == 1
        mixed[name] = np.where(from_row[:, None], values, background[name]).reshape(-1)
    return mixed


def _weights(count: int) -> Array:
    """float64[k, 2^k]: Shapley's weight of each set's value, positive where the feature is in it."""
    sets = np.arange(2**count)
    members = (sets[None, :] >> np.arange(count)[:, None]) & 1
    sizes = members.sum(axis=0)
    factorial = [float(math.factorial(n)) for n in range(count + 1)]
    weight = np.array(
        [factorial[n] * factorial[max(count - n - 1, 0)] / factorial[count] for n in range(count + 1)]
    )
    return np.where(members == 1, weight[np.maximum(sizes - 1, 0)], -weight[sizes])
