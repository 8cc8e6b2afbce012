"""The windows on which drift detectors are compared: weeks that did not change, and the same weeks with something broken in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from detectors.drift import GUARD_DAYS
from detectors.layout import Columns, Layout

ARCHIVE = Path(__file__).resolve().parents[1] / "data" / "raw" / "hour.csv.gz"
LAYOUT = Layout(
    "dteday",
    "hr",
    "cnt",
    ("season", "hr", "holiday", "weekday", "workingday", "weathersit"),
    ("temp", "atemp", "hum", "windspeed"),
)
CELSIUS_STEPS, FELT_STEPS, COLDEST = 47, 66, 8  # temp = (°C + 8) / 47, atemp = (°C + 16) / 66

Frame = pd.DataFrame
Change = Callable[[Frame], Frame]


@dataclass(frozen=True)
class Window:
    """One week, or 500 rows, to be judged against `reference`, the number of the history in `Protocol.histories`."""

    reference: int
    rows: Frame


@dataclass(frozen=True)
class Protocol:
    """What is known, and what is judged against it."""

    name: str
    histories: tuple[Frame, ...]
    windows: tuple[Window, ...]


def read_hours() -> Frame:
    """Both years; dates as days since 1970-01-01."""
    hours = pd.read_csv(ARCHIVE)
    hours["dteday"] = pd.to_datetime(hours["dteday"]).to_numpy().astype("datetime64[D]").astype(np.int64)
    return hours


def columns(rows: Frame) -> Columns:
    """Rows as detectors take them."""
    kinds = {name: np.float64 if name in LAYOUT.numbers else np.int64 for name in LAYOUT.features}
    return {name: rows[name].to_numpy(kind) for name, kind in kinds.items()}


def protocols(hours: Frame, size: int) -> tuple[Protocol, ...]:
    """Held-back windows of 2011, the unseen quarters of 2011, and 2012 against 2011."""
    first, second = (hours[hours["yr"] == year].reset_index(drop=True) for year in (0, 1))
    held, quarters = tuple(cut(first, size)), [first[(first["mnth"] - 1) // 3 == q] for q in range(4)]
    return (
        Protocol(
            "held back from 2011",
            tuple(_without(first, rows) for rows in held),
            tuple(Window(number, rows) for number, rows in enumerate(held)),
        ),
        Protocol(
            "unseen quarter of 2011",
            tuple(first.drop(quarter.index) for quarter in quarters),
            tuple(
                Window(number, rows) for number, quarter in enumerate(quarters) for rows in cut(quarter, size)
            ),
        ),
        Protocol("2012 against 2011", (first,), tuple(Window(0, rows) for rows in cut(second, size))),
    )


def cut(rows: Frame, size: int) -> Iterator[Frame]:
    """Contiguous windows, one after the other."""
    for start in range(0, len(rows) - size + 1, size):
        yield rows.iloc[start : start + size]


def _without(year: Frame, window: Frame) -> Frame:
    days = year["dteday"]
    return year[(days < window["dteday"].min() - GUARD_DAYS) | (days > window["dteday"].max() + GUARD_DAYS)]


def _shifted(by: dict[str, float]) -> Change:
    return lambda rows: rows.assign(**{name: rows[name] + value for name, value in by.items()})


def _stuck(name: str) -> Change:
    return lambda rows: rows.assign(**{name: rows[name].iloc[0]})


def _fahrenheit(rows: Frame) -> Frame:
    celsius = rows["temp"] * CELSIUS_STEPS - COLDEST
    return rows.assign(temp=(celsius * 1.8 + 32 + COLDEST) / CELSIUS_STEPS)


def _every_tenth_missing(rows: Frame) -> Frame:
    return rows.assign(hum=rows["hum"].where(np.arange(len(rows)) % 10 != 0))


def changes(hours: Frame) -> dict[str, tuple[Change, ...]]:
    """What is broken, by name; more than one change of a name are tried one by one. σ is that of 2011."""
    half = {name: 0.5 * float(hours[hours["yr"] == 0][name].std()) for name in LAYOUT.numbers}
    both = {name: half[name] for name in ("temp", "atemp")}
    degrees = half["temp"] * CELSIUS_STEPS
    same = {"temp": degrees / CELSIUS_STEPS, "atemp": degrees / FELT_STEPS}
    return {
        "stuck sensor (each of 4)": tuple(_stuck(name) for name in LAYOUT.numbers),
        "°F for °C": (_fahrenheit,),
        "% for share": (lambda rows: rows.assign(hum=rows["hum"] * 100),),
        "mph for km/h": (lambda rows: rows.assign(windspeed=rows["windspeed"] / 1.609),),
        "10 % of hum missing": (_every_tenth_missing,),
        "temp ± 0.5 σ": tuple(_shifted({"temp": sign * half["temp"]}) for sign in (1, -1)),
        "temp and atemp ± 0.5 σ each": tuple(
            _shifted({n: sign * v for n, v in both.items()}) for sign in (1, -1)
        ),
        "temp and atemp ± the same °C": tuple(
            _shifted({n: sign * v for n, v in same.items()}) for sign in (1, -1)
        ),
        "hum ± 0.5 σ": tuple(_shifted({"hum": sign * half["hum"]}) for sign in (1, -1)),
    }
