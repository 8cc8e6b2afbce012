"""The row rules hold on all real hours."""

from __future__ import annotations

import io
from collections.abc import Callable

import pandas as pd
import pytest

from bikeshare.archive import ARCHIVE, unpack
from bikeshare.row_rules import ROW_RULES
from pedalflow.row_rule import RowRule


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(unpack(ARCHIVE)), parse_dates=["dteday"])


@pytest.mark.parametrize("rule", ROW_RULES, ids=lambda rule: rule.name)
def test_no_real_hour_breaks_the_rule(rule: RowRule, frame: pd.DataFrame) -> None:
    assert not rule.breaks(frame).any()


@pytest.mark.parametrize(
    ("unit", "other", "slope", "offset"),
    [("celsius", "fahrenheit", 1.0, 0.0), ("fahrenheit", "celsius", 1.8, 32.0)],
)
def test_degrees_are_told_apart_in_every_month(
    frame: pd.DataFrame, unit: str, other: str, slope: float, offset: float
) -> None:
    degrees = frame.assign(temp=(frame.temp * 47 - 8) * slope + offset)
    named = {rule.name: rule for rule in ROW_RULES}
    for _, month in degrees.groupby([degrees.yr, degrees.mnth]):
        assert named[f"temp_in_{unit}"].breaks(month).any()
        assert not named[f"temp_in_{other}"].breaks(month).any()


@pytest.mark.parametrize(
    ("rule", "column", "to_unit"),
    [
        ("atemp_in_degrees", "atemp", lambda values: values * 66 - 16),
        ("atemp_in_degrees", "atemp", lambda values: (values * 66 - 16) * 1.8 + 32),
        ("hum_in_percent", "hum", lambda values: values * 100),
        ("windspeed_in_kmh", "windspeed", lambda values: values * 67),
    ],
)
def test_other_units_are_noticed_in_every_month(
    frame: pd.DataFrame, rule: str, column: str, to_unit: Callable[[pd.Series], pd.Series]
) -> None:
    named = {rule.name: rule for rule in ROW_RULES}
    scaled = frame.assign(**{column: to_unit(frame[column])})
    assert all(named[rule].breaks(month).any() for _, month in scaled.groupby([scaled.yr, scaled.mnth]))
