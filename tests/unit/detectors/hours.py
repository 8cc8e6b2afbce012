"""The hours of the archive as the detectors take them, and a plain model of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from detectors.layout import Array, Columns, Layout

ARCHIVE = Path(__file__).resolve().parents[3] / "data" / "raw" / "hour.csv.gz"
LAYOUT = Layout(
    "dteday",
    "hr",
    "cnt",
    ("season", "hr", "holiday", "weekday", "workingday", "weathersit"),
    ("temp", "atemp", "hum", "windspeed"),
)


class Hours:
    """A table of hours as the detectors take it."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame.reset_index(drop=True)
        self.labels: Array = frame["cnt"].to_numpy(np.float64)

    @property
    def columns(self) -> Columns:
        return {
            name: self.frame[name].to_numpy(np.float64 if name in LAYOUT.numbers else np.int64)
            for name in LAYOUT.features
        }

    @property
    def months(self) -> np.ndarray:
        return self.frame["mnth"].to_numpy()

    def __getitem__(self, rows: Any) -> Hours:
        """The rows of a slice, a mask or an index."""
        return Hours(self.frame.iloc[rows] if isinstance(rows, slice) else self.frame.loc[rows])


def on(day: str) -> int:
    """Days since 1970-01-01."""
    return int(np.datetime64(day, "D").astype(int))


class PlainModel:
    """Least squares of the log count on hour × working day, season and weather."""

    def __init__(self, hours: Hours) -> None:
        self.weights = np.linalg.lstsq(self._terms(hours.columns), np.log1p(hours.labels), rcond=None)[0]

    def __call__(self, columns: Columns) -> Array:
        return np.maximum(np.expm1(self._terms(columns) @ self.weights), 0.0)

    def _terms(self, columns: Columns) -> Array:
        cell = np.clip(columns["hr"], 0, 23) * 2 + np.clip(columns["workingday"], 0, 1)
        season = np.clip(columns["season"], 1, 4) - 1
        numbers = [columns[name] for name in LAYOUT.numbers]
        more = np.stack([*numbers, columns["temp"] ** 2, columns["hum"] ** 2], axis=1)
        return np.concatenate([np.eye(48)[cell], np.eye(4)[season][:, 1:], more], axis=1)
