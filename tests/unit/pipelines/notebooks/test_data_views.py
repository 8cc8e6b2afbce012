"""Figures about the data: what is absent, what is like what, and how two halves differ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bikeshare.use_case import USE_CASE
from pedalflow.use_case import SliceFeature
from pipelines.notebooks import quality, quick_model, seasons


def hours(days: int, first: str = "2011-01-01") -> pd.DataFrame:
    """Whole days with a label that is its hour."""
    when = pd.date_range(first, periods=24 * days, freq="h")
    frame = pd.DataFrame(
        {"when": when, "day": when.normalize(), "hr": when.hour, "cnt": when.hour.astype(float)}
    )
    return frame.assign(kind=0, span=1, temp=np.linspace(0, 1, len(frame)))


def test_an_hour_without_a_row_is_found() -> None:
    rows = hours(2).drop(index=[5, 30])
    assert quality.absent_hours(rows).tolist() == [
        pd.Timestamp("2011-01-01 05:00"),
        pd.Timestamp("2011-01-02 06:00"),
    ]


def test_the_checks_count_what_is_wrong() -> None:
    rows = hours(1).assign(dteday=1, part=0.0, rest=1.0)
    found = dict(zip(*quality.checks(rows, USE_CASE, ["part", "rest"]).to_dict("list").values()))
    assert found["rows in which part + rest is not cnt"] == 23
    assert found["hours without a row"] == found["rows that repeat an hour"] == 0


def test_balance_counts_each_slice_of_each_part() -> None:
    feature = SliceFeature("half", "hr", {"early": tuple(range(12)), "late": tuple(range(12, 24))})
    early = hours(1).query("hr < 12")
    found = quality.balance({"all": hours(1), "early": early}, [feature])
    assert found["all: %"].tolist() == [50.0, 50.0]
    assert found["early: rows"].tolist() == [12, 0]


def test_growth_compares_like_hours_of_the_same_month() -> None:
    later = hours(31, "2012-01-01")
    both = pd.concat([hours(31), later.assign(cnt=later["cnt"] * 1.5)], ignore_index=True)
    assert seasons.growth(both, "cnt", ["hr"]).tolist() == pytest.approx([50.0])
    assert seasons.difference(both, "cnt", ["hr"]).tolist() == pytest.approx([0.5 * 11.5])


def test_halves_that_are_equal_have_no_distance() -> None:
    found = seasons.halves(hours(3), hours(3), ["cnt"])
    assert found["KS distance"].tolist() == [0.0]


def test_a_naive_test_alarms_on_weeks_of_a_slow_drift() -> None:
    alarms = seasons.naive_alarms(hours(21), ["temp"])
    assert len(alarms) == 3 and (alarms["p"] < 1e-6).all()


def test_the_last_days_judge_and_never_train() -> None:
    training, evaluation = quick_model.split(hours(10), [1], days=3)
    assert training["day"].max() < evaluation["day"].min()
    assert evaluation["day"].nunique() == 3 and len(training) + len(evaluation) == 240
