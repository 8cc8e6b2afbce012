"""How rows travel through the detectors, and what they have to know of the columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Columns = Mapping[str, npt.NDArray[Any]]
"""Name → 1-D array, all of equal length; dates int64 days since 1970-01-01, integers int64, numbers float64 (NaN is missing)."""


@dataclass(frozen=True)
class Layout:
    """The columns that detectors look at; `integers` holds the hour too, the label is no feature."""

    date: str
    hour: str
    label: str
    integers: tuple[str, ...]
    numbers: tuple[str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Every feature: date, integers, numbers."""
        return (self.date, *self.integers, *self.numbers)


def row_count(columns: Columns) -> int:
    """How many rows there are."""
    return len(next(iter(columns.values()))) if columns else 0


def take(columns: Columns, rows: npt.NDArray[Any]) -> Columns:
    """The rows that an index or a mask picks."""
    return {name: values[rows] for name, values in columns.items()}


def joined(first: Columns, second: Columns) -> Columns:
    """The rows of `first`, then those of `second`; both need the same columns."""
    return {name: np.concatenate([values, second[name]]) for name, values in first.items()}


def integer(columns: Columns, name: str) -> Integers:
    """One column as int64; what is missing or not finite becomes -1."""
    values = np.asarray(columns[name])
    if values.dtype.kind in "iu":
        return values.astype(np.int64, copy=False)
    floats = values.astype(np.float64)
    usable = np.isfinite(floats) & (np.abs(floats) < 2**53)
    return np.where(usable, floats, -1.0).astype(np.int64)


def number_matrix(columns: Columns, layout: Layout) -> Array:
    """The numbers as float64[rows, numbers], rounded to float32.

    Training reads 0.24 from float32 and a request brings it as float64. Without the rounding these are two values, and every
    comparison of distributions of measurements with few digits would see a difference.
    """
    with np.errstate(over="ignore"):
        matrix = np.stack([np.asarray(columns[name], np.float64) for name in layout.numbers], axis=1)
        rounded: Array = matrix.astype(np.float32).astype(np.float64)
    return np.where(np.isfinite(rounded), rounded, np.nan)
