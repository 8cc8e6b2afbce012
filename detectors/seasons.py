"""Where a row stands in the year and in the day. Days count from 1970-01-01; exact from 1901 to February 2100."""

from __future__ import annotations

import numpy as np

from detectors.layout import Array, Booleans, Integers

LEAP_CYCLE = 1461  # days of four years, one of them a leap year
DAYS_OF_YEAR = 366
HOURS_OF_DAY = 24
DAYS_PER_YEAR = 365.25
_CYCLE = np.arange(LEAP_CYCLE).astype("datetime64[D]")
MONTH_IN_CYCLE: Integers = (_CYCLE.astype("datetime64[M]").astype(np.int64) % 12 + 1).astype(np.int64)
DAY_IN_CYCLE: Integers = (_CYCLE - _CYCLE.astype("datetime64[Y]")).astype(np.int64)


def weekday_of(days: Integers) -> Integers:
    """0 is Sunday."""
    return (days + 4) % 7


def month_of(days: Integers) -> Integers:
    """1 to 12."""
    return MONTH_IN_CYCLE[days % LEAP_CYCLE]


def day_of_year(days: Integers) -> Integers:
    """0 to 365."""
    return DAY_IN_CYCLE[days % LEAP_CYCLE]


def near_in_season(days_of_year: Integers, within: int) -> Booleans:
    """bool[366]: the days of the year at most `within` days from one of `days_of_year`, round the end of the year."""
    present = np.zeros(DAYS_OF_YEAR, bool)
    for shift in range(-within, within + 1):
        present[(days_of_year + shift) % DAYS_OF_YEAR] = True
    return present


def year_harmonics(days_of_year: Integers, order: int) -> Array:
    """Sines and cosines of the year, float64[rows, 2 · order]."""
    return _harmonics(days_of_year / DAYS_PER_YEAR, order)


def hour_harmonics(hours: Integers, order: int) -> Array:
    """Sines and cosines of the day, float64[rows, 2 · order]."""
    return _harmonics(hours / HOURS_OF_DAY, order)


def _harmonics(phase: Array, order: int) -> Array:
    angles = 2.0 * np.pi * phase[:, None] * np.arange(1, order + 1)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
