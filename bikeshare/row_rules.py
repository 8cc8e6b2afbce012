"""What has to hold within one row of the bike-sharing hours, and which units its weather comes in.

Each rule is vectorised and pure: a pandas frame of typed columns (dates as datetime64) in, a boolean mask of the broken rows out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pedalflow.row_rule import RowRule

# A single wild value is an outlier; most of a column outside [0, 1] is another unit.
SHARE_THAT_MEANS_ANOTHER_UNIT = 0.5
# The months' medians lie between 1 and 28 °C, which is 35 to 82 °F. (Medians of felt temperatures overlap:
# 27 °F in winter, 30 °C in summer.)
CELSIUS_MEDIAN_AT_MOST = 31.0


def _rows_outside_unit_interval(values: pd.Series) -> pd.Series:
    """The rows outside [0, 1] if they are most of the column, and none otherwise."""
    outside = ~values.between(0.0, 1.0)
    return outside if outside.mean() > SHARE_THAT_MEANS_ANOTHER_UNIT else outside & False


def _is_celsius(values: pd.Series) -> pd.Series:
    return _rows_outside_unit_interval(values) & (values.median() <= CELSIUS_MEDIAN_AT_MOST)


def _is_fahrenheit(values: pd.Series) -> pd.Series:
    return _rows_outside_unit_interval(values) & (values.median() > CELSIUS_MEDIAN_AT_MOST)


def season_of(days: pd.Series) -> pd.Series:
    """The season code of dates, as UCI assigns it: 1 from 21 December, 2 from 21 March, 3 from 21 June, 4 from 23 September."""
    month_and_day = days.dt.month * 100 + days.dt.day
    season: pd.Series = (
        1 + (month_and_day >= 321).astype(int) + (month_and_day >= 621) + (month_and_day >= 923)
    )
    return season.where(month_and_day < 1221, 1)


def working_day_of(frame: pd.DataFrame) -> pd.Series:
    """1 on Monday to Friday that is no holiday, else 0; from `weekday` (Sunday is 0) and `holiday`."""
    return (frame["weekday"].between(1, 5) & (frame["holiday"] == 0)).astype(int)


def _holiday_changes_within_day(frame: pd.DataFrame) -> pd.Series:
    return frame["holiday"] != frame.groupby("dteday")["holiday"].transform("max")


def _instant_not_next(frame: pd.DataFrame) -> pd.Series:
    """Compared with the lines of the file (the frame's index), since rows whose values cannot be read are not in the frame."""
    ahead_of_line = frame["instant"].to_numpy() - frame.index.to_numpy()
    return pd.Series(np.diff(ahead_of_line, prepend=ahead_of_line[:1]) != 0, index=frame.index)


ROW_RULES: tuple[RowRule, ...] = (
    RowRule(
        "temp_in_celsius",
        "temp",
        "temp looks like °C: send (°C + 8) / 47",
        lambda f: _is_celsius(f["temp"]),
        True,
    ),
    RowRule(
        "temp_in_fahrenheit",
        "temp",
        "temp looks like °F: send ((°F - 32) / 1.8 + 8) / 47",
        lambda f: _is_fahrenheit(f["temp"]),
        True,
    ),
    RowRule(
        "atemp_in_degrees",
        "atemp",
        "atemp looks like degrees: send (°C + 16) / 66",
        lambda f: _rows_outside_unit_interval(f["atemp"]),
        True,
    ),
    RowRule(
        "hum_in_percent",
        "hum",
        "hum looks like percent: send it divided by 100",
        lambda f: _rows_outside_unit_interval(f["hum"]),
        True,
    ),
    RowRule(
        "windspeed_in_kmh",
        "windspeed",
        "windspeed looks like km/h: send it divided by 67",
        lambda f: _rows_outside_unit_interval(f["windspeed"]),
        True,
    ),
    RowRule(
        "cnt_is_sum",
        "cnt",
        "cnt has to be casual + registered",
        lambda f: f["cnt"] != f["casual"] + f["registered"],
        needs=("casual", "registered"),
    ),
    RowRule(
        "weekday_of_date",
        "weekday",
        "weekday has to be that of dteday, Sunday is 0",
        lambda f: f["weekday"] != (f["dteday"].dt.dayofweek + 1) % 7,
    ),
    RowRule(
        "workingday_of_weekday",
        "workingday",
        "workingday is 1 on Monday to Friday where holiday is 0, else 0",
        lambda f: f["workingday"] != working_day_of(f),
    ),
    RowRule(
        "holiday_same_all_day",
        "holiday",
        "all hours of a day carry the same holiday",
        _holiday_changes_within_day,
    ),
    RowRule(
        "season_of_date",
        "season",
        "season begins on 21 December (1), 21 March (2), 21 June (3), 23 September (4)",
        lambda f: f["season"] != season_of(f["dteday"]),
    ),
    RowRule(
        "mnth_of_date",
        "mnth",
        "mnth has to be the month of dteday",
        lambda f: f["mnth"] != f["dteday"].dt.month,
    ),
    RowRule(
        "yr_of_date",
        "yr",
        "yr has to be the year of dteday minus 2011",
        lambda f: f["yr"] != f["dteday"].dt.year - 2011,
    ),
    RowRule("instant_counts_on", "instant", "instant counts on by 1 from row to row", _instant_not_next),
)
