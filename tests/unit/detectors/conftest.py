"""Hours of both years, and detectors fitted on 2011: made once for all tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from detectors.fitting import FittingSettings, fit_detectors
from detectors.stored import Detectors
from tests.unit.detectors.hours import ARCHIVE, LAYOUT, Hours, PlainModel

EVALUATION_DAYS = 14


@pytest.fixture(scope="session")
def both_years() -> Hours:
    frame = pd.read_csv(ARCHIVE)
    frame["dteday"] = pd.to_datetime(frame["dteday"]).to_numpy().astype("datetime64[D]").astype(np.int64)
    return Hours(frame)


@pytest.fixture(scope="session")
def first_year(both_years: Hours) -> Hours:
    return both_years[both_years.frame["yr"] == 0]


@pytest.fixture(scope="session")
def second_year(both_years: Hours) -> Hours:
    return both_years[both_years.frame["yr"] == 1]


@pytest.fixture(scope="session")
def split(first_year: Hours) -> tuple[Hours, Hours]:
    """Training and evaluation."""
    last = first_year.frame["dteday"].max() - EVALUATION_DAYS
    return first_year[first_year.frame["dteday"] <= last], first_year[first_year.frame["dteday"] > last]


@pytest.fixture(scope="session")
def model(split: tuple[Hours, Hours]) -> PlainModel:
    return PlainModel(split[0])


@pytest.fixture(scope="session")
def detectors(split: tuple[Hours, Hours], model: PlainModel) -> Detectors:
    train, evaluation = split
    return fit_detectors(
        train.columns, train.labels, evaluation.columns, evaluation.labels, model, LAYOUT, FittingSettings()
    )
