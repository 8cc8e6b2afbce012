"""Sums over labelled rows, from which every error figure follows: small enough to keep, and sums of days add up to those of months."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from detectors.layout import Array

_MOST = 1e12  # in a sum: keeps squares of many rows finite


@dataclass(frozen=True)
class Errors:
    """Sums over labelled rows: how many, the squared and the absolute errors, and the labels."""

    rows: int
    squared: float
    absolute: float
    labels: float

    @property
    def rmse(self) -> float:
        return math.sqrt(self.squared / max(self.rows, 1))

    @property
    def wape(self) -> float:
        """Mean absolute error ÷ mean label; the mean absolute error itself where all labels are 0."""
        return self.absolute / self.labels if self.labels > 0 else self.absolute / max(self.rows, 1)


@dataclass(frozen=True)
class ErrorSums(Errors):
    """With the sums that say how sure the error is: predictions, absolute error × label, and squared labels."""

    predictions: float
    absolute_labels: float
    squared_labels: float

    @property
    def bias(self) -> float:
        """Mean of prediction - label."""
        return (self.predictions - self.labels) / max(self.rows, 1)

    @property
    def noise(self) -> float:
        """Standard error of `wape`, as if rows erred independently; infinite where it cannot be told.

        It is that of a ratio of two means (W. G. Cochran, "Sampling Techniques", 1977, chapter 6): the squares of |error| - wape × label.
        """
        if self.rows < 2 or self.labels <= 0:
            return math.inf
        left = self.squared - 2 * self.wape * self.absolute_labels + self.wape**2 * self.squared_labels
        return math.sqrt(max(left, 0.0) * self.rows / (self.rows - 1)) / self.labels


def error_sums(labels: Array, predictions: Array) -> ErrorSums:
    """Over the rows whose label and prediction are finite."""
    finite = np.isfinite(predictions) & np.isfinite(labels)
    labels = np.minimum(labels[finite], _MOST)
    error = np.clip(predictions[finite] - labels, -_MOST, _MOST)
    absolute = np.abs(error)
    return ErrorSums(
        rows=len(labels),
        squared=float(np.sum(error**2)),
        absolute=float(np.sum(absolute)),
        labels=float(np.sum(labels)),
        predictions=float(np.sum(labels + error)),
        absolute_labels=float(np.sum(absolute * labels)),
        squared_labels=float(np.sum(labels**2)),
    )
