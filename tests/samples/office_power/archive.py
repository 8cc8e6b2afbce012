"""The raw archive, which here is a formula: the same rows at every call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from office_power.columns import NAMES
from office_power.spans import span_dates


def cut_span(archive: Path, number: int) -> bytes:
    """The CSV of one span."""
    first, last = span_dates(number)
    moments = pd.date_range(f"{first} 00:00", f"{last} 23:00", freq="h")
    return rows_of(moments).to_csv(index=False, lineterminator="\n").encode("ascii")


def rows_of(moments: pd.DatetimeIndex) -> pd.DataFrame:
    """The hours: mild winters, dark nights, people from 7 to 19 on working days, heating below 15 °C, and some noise."""
    noise = np.random.default_rng(int(moments[0].strftime("%Y%m")))
    hour, year = moments.hour.to_numpy(), moments.dayofyear.to_numpy() / 365.25
    weather = np.repeat(noise.normal(0.0, 2.5, len(moments) // 24), 24)
    outside = 10.0 - 9.0 * np.cos(2 * np.pi * year) - 4.0 * np.cos(2 * np.pi * (hour - 3) / 24) + weather
    height = np.clip(np.sin(np.pi * (hour - 6) / 13), 0.0, None) * (0.6 - 0.4 * np.cos(2 * np.pi * year))
    sun = 900.0 * height * noise.uniform(0.3, 1.0, len(moments))
    is_open = ((moments.weekday < 5) & (hour >= 7) & (hour < 19)).astype(int)
    power = 20.0 + 60.0 * is_open + 2.0 * np.clip(15.0 - outside, 0.0, None) - 0.02 * sun
    kwh = np.clip(np.rint(power * noise.lognormal(0.0, 0.05, len(moments))), 0, None).astype(int)
    values = (
        moments.strftime("%Y-%m-%d"),
        hour,
        moments.weekday,
        is_open,
        outside.round(1),
        sun.round(),
        kwh,
    )
    return pd.DataFrame(dict(zip(NAMES, values, strict=True)))
