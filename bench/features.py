"""A NumPy twin of the preprocessing, for benchmarks that leave TFX out: raw hours in, the network's features
out.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bikeshare.calendar import DAYS_PER_YEAR

CODES = ("hr", "weekday", "workingday", "holiday", "weathersit", "season")
NUMBERS = ("temp", "atemp", "hum", "windspeed")

Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of the weather numbers over the training rows."""

    mean: dict[str, float]
    deviation: dict[str, float]


def read_hours(path: Path) -> pd.DataFrame:
    """Read UCI's hour table, gzipped or plain, and add `day`, whole days since 2011-01-01, and `month`, 1 to
    24.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", newline="") as file:
        hours = pd.read_csv(file)
    dates = pd.to_datetime(hours["dteday"])
    hours["day"] = (dates - pd.Timestamp("2011-01-01")).dt.days
    hours["month"] = (dates.dt.year - 2011) * 12 + dates.dt.month
    return hours


def fit_scaling(rows: pd.DataFrame) -> Scaling:
    """Scaling of the training rows."""
    mean = {name: float(rows[name].mean()) for name in NUMBERS}
    return Scaling(mean, {name: float(rows[name].std(ddof=0)) for name in NUMBERS})


def network_features(rows: pd.DataFrame, scaling: Scaling) -> Columns:
    """Columns as the network takes them, each [rows, 1]."""
    columns: Columns = {"t": (rows["day"].to_numpy() / DAYS_PER_YEAR).astype(np.float32)}
    columns |= {name: rows[name].to_numpy().astype(np.int64) for name in CODES}
    for name in NUMBERS:
        scaled = (rows[name].to_numpy() - scaling.mean[name]) / scaling.deviation[name]
        columns[name] = scaled.astype(np.float32)
    return {name: values.reshape(-1, 1) for name, values in columns.items()}
