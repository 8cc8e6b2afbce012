"""The growth rule: no rate from one year, and the planted rate from matched seasons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bikeshare.growth import (
    COVARIATES,
    MINIMUM_MATCHED_DAYS,
    WINDOW_MATCHED_DAYS,
    Growth,
    estimate,
    matched_days,
)

Columns = dict[str, np.ndarray]
HOURS = Path(__file__).parents[3] / "data" / "raw" / "hour.csv.gz"


def demand(
    days: int, rate: float = 0.0, warmer: float = 0.0, seed: int = 7
) -> tuple[np.ndarray, Columns, np.ndarray]:
    """Seasonal demand of every hour of `days` days, growing by `rate` a year; `warmer` raises the second
    year's weather.
    """
    random = np.random.default_rng(seed)
    t_days = np.repeat(np.arange(days), 24)
    weekday = (t_days + 6) % 7
    temp = 0.5 - 0.3 * np.cos(2 * np.pi * t_days / 365.25) + random.normal(0, 0.05, t_days.size)
    temp = temp + warmer * (t_days >= 365)
    columns = {
        "hr": np.tile(np.arange(24), days),
        "weekday": weekday,
        "workingday": ((weekday > 0) & (weekday < 6)).astype(int),
        "holiday": np.zeros(t_days.size, int),
        "weathersit": random.integers(1, 4, t_days.size),
        "temp": temp,
        "hum": random.uniform(0.2, 1.0, t_days.size),
        "windspeed": random.uniform(0.0, 0.6, t_days.size),
    }
    log_mean = (
        4.0 + np.sin(columns["hr"] / 4.0) + 1.5 * temp - 0.2 * columns["weathersit"] + rate * t_days / 365.25
    )
    return t_days, columns, random.poisson(np.exp(log_mean))


def keep(
    rows: np.ndarray, data: tuple[np.ndarray, Columns, np.ndarray]
) -> tuple[np.ndarray, Columns, np.ndarray]:
    t_days, columns, count = data
    return t_days[rows], {name: values[rows] for name, values in columns.items()}, count[rows]


def test_one_year_gives_no_growth_however_steep_and_says_why() -> None:
    growth = estimate(*demand(365, rate=0.8))
    assert (growth.rate, growth.identified, growth.matched_days) == (0.0, False, 0)
    assert "cannot be told from season" in growth.reason


@pytest.mark.parametrize(
    ("matched", "identified"), [(MINIMUM_MATCHED_DAYS - 1, False), (MINIMUM_MATCHED_DAYS, True)]
)
def test_growth_is_identified_from_the_stated_number_of_matched_days_on(
    matched: int, identified: bool
) -> None:
    growth = estimate(*demand(365 + matched, rate=0.4))
    assert (growth.identified, growth.matched_days) == (identified, matched)
    assert (growth.rate != 0.0) is identified


@pytest.mark.parametrize("rate", [-0.5, 0.0, 0.4, 0.9])
@pytest.mark.parametrize("days", [365 + 28, 365 + 181, 731])
def test_the_planted_rate_is_found_in_seasonal_demand(rate: float, days: int) -> None:
    assert estimate(*demand(days, rate)).rate == pytest.approx(rate, abs=0.03)


def test_a_warmer_second_year_is_not_taken_for_growth() -> None:
    assert estimate(*demand(365 + 90, rate=0.3, warmer=0.05)).rate == pytest.approx(0.3, abs=0.06)


def test_two_stretches_without_a_common_season_give_no_growth() -> None:
    data = demand(700, rate=0.4)
    winter_then_summer = (data[0] < 90) | (data[0] >= 365 + 150)
    assert not estimate(*keep(winter_then_summer, data)).identified


def test_only_the_most_recent_matched_days_count() -> None:
    t_days, columns, count = demand(731, rate=0.4)
    old_boom = (t_days > 365) & (t_days < 731 - WINDOW_MATCHED_DAYS)
    distorted = np.where(old_boom, count * 3, count)
    assert estimate(t_days, columns, distorted) == estimate(t_days, columns, count)


def test_neither_the_scale_of_the_weather_nor_the_order_of_rows_matters() -> None:
    t_days, columns, count = demand(365 + 60, rate=0.4)
    scaled = {**columns, "temp": (columns["temp"] - 0.5) / 0.2, "hum": columns["hum"] * 100}
    backwards = np.arange(t_days.size)[::-1]
    expected = estimate(t_days, columns, count).rate
    assert estimate(t_days, scaled, count).rate == pytest.approx(expected, abs=1e-5)
    assert estimate(*keep(backwards, (t_days, columns, count))).rate == pytest.approx(expected, abs=1e-5)


def test_columns_of_shape_rows_by_one_are_taken_too() -> None:
    t_days, columns, count = demand(365 + 30, rate=0.4)
    tall = {name: values.reshape(-1, 1) for name, values in columns.items()}
    assert estimate(t_days.reshape(-1, 1), tall, count.reshape(-1, 1)) == estimate(t_days, columns, count)


def test_matched_days_are_those_seen_a_year_before() -> None:
    assert matched_days(np.array([3, 5, 368, 369, 370, 370])).tolist() == [368, 370]


def test_a_missing_covariate_a_wrong_length_and_a_negative_count_are_named() -> None:
    t_days, columns, count = demand(10)
    with pytest.raises(ValueError, match="hum"):
        estimate(t_days, {name: values for name, values in columns.items() if name != "hum"}, count)
    with pytest.raises(ValueError, match="temp has 3 rows"):
        estimate(t_days, {**columns, "temp": columns["temp"][:3]}, count)
    with pytest.raises(ValueError, match="-1"):
        estimate(t_days, columns, count * 0.0 - 1.0)


def test_demand_that_is_zero_everywhere_is_refused_rather_than_fitted() -> None:
    t_days, columns, count = demand(400)
    with pytest.raises(ValueError, match="every count"):
        estimate(t_days, columns, count * 0)


@pytest.mark.parametrize(("until", "low", "high"), [("2012-01-17", 0.5, 1.0), ("2012-06-30", 0.25, 0.45)])
def test_the_real_hours_show_growth_that_slows(until: str, low: float, high: float) -> None:
    growth = real_growth(until)
    assert growth.identified
    assert low < growth.rate < high


def test_the_real_first_year_carries_no_growth() -> None:
    assert not real_growth("2011-12-31").identified


def real_growth(until: str) -> Growth:
    import pandas as pd

    hours = pd.read_csv(HOURS)
    hours = hours[hours["dteday"] <= until]
    t_days = (pd.to_datetime(hours["dteday"]) - pd.Timestamp("2011-01-01")).dt.days
    return estimate(t_days, {name: hours[name] for name in COVARIATES}, hours["cnt"])
