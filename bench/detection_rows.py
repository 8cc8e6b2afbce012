"""Outliers and screening: how many sound rows are flagged, and how many of those that were tampered with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.detection_model import OnnxModel
from bench.detection_windows import LAYOUT, Frame, columns
from bench.table import table
from detectors.layout import Columns, joined, take
from detectors.outliers import OutlierJudge, OutlierReference, fit_outliers
from detectors.screening import screen
from detectors.stored import Detectors

STUCK_DAY = int(np.datetime64("2012-08-17", "D").astype(int))
FORTNIGHT_ROWS = 336
POISONED_SHARE = 0.02
SEED = 20120101


def outlier_table(hours: Frame, flag_rate: float) -> str:
    """Share of rows that are flagged."""
    first, second = hours[hours["yr"] == 0].reset_index(drop=True), hours[hours["yr"] == 1]
    fortnights = [first.iloc[i : i + FORTNIGHT_ROWS] for i in range(0, len(first), FORTNIGHT_ROWS)]
    quarters = [first[(first["mnth"] - 1) // 3 == quarter] for quarter in range(4)]
    year = fit_outliers(columns(first), LAYOUT, flag_rate)
    sound, stuck = second[second["dteday"] != STUCK_DAY], second[second["dteday"] == STUCK_DAY]
    rows = [
        [
            f"sound: held-back fortnights of 2011 (stated {flag_rate:.1%})",
            _held_back(first, fortnights, flag_rate),
        ],
        [f"sound: unseen quarters of 2011 (stated {flag_rate:.1%})", _held_back(first, quarters, flag_rate)],
        [f"sound: 2012 without 17 August (stated {flag_rate:.1%})", _flagged(year, columns(sound))],
        ["real: 2012-08-17, felt temperature stuck", _flagged(year, columns(stuck))],
        *([name, _flagged(year, changed)] for name, changed in _tampered(columns(sound))),
    ]
    return table(["rows", "flagged"], [[name, f"{share:.2%}"] for name, share in rows])


def _held_back(year: Frame, parts: list[Frame], flag_rate: float) -> float:
    counts = [
        len(part) * _flagged(fit_outliers(columns(year.drop(part.index)), LAYOUT, flag_rate), columns(part))
        for part in parts
    ]
    return sum(counts) / len(year)


def _flagged(reference: OutlierReference, rows: Columns) -> float:
    return float(OutlierJudge(reference).rows(rows).flagged.mean())


def _tampered(rows: Columns) -> Iterator[tuple[str, Columns]]:
    first = {name: np.full_like(rows[name], np.median(rows[name])) for name in LAYOUT.numbers}
    yield "temp in °F by the formula for °C", {**rows, "temp": ((rows["temp"] * 47 - 8) * 1.8 + 40) / 47}
    yield "hum in %", {**rows, "hum": rows["hum"] * 100}
    yield "temp and hum exchanged", {**rows, "temp": rows["hum"], "hum": rows["temp"]}
    yield "temp and atemp exchanged", {**rows, "temp": rows["atemp"], "atemp": rows["temp"]}
    yield "atemp × 0.8", {**rows, "atemp": rows["atemp"] * 0.8}
    yield "atemp stuck at its median", {**rows, "atemp": first["atemp"]}
    yield "windspeed stuck at its median", {**rows, "windspeed": first["windspeed"]}
    yield "temp + 0.5 σ", {**rows, "temp": rows["temp"] + 0.5 * rows["temp"].std()}
    yield "hum + 0.05: a small targeted change", {**rows, "hum": np.clip(rows["hum"] + 0.05, 0.0, 1.0)}
    yield "weekday of the next day", {**rows, "weekday": (rows["weekday"] + 1) % 7}
    yield "workingday turned round", {**rows, "workingday": 1 - rows["workingday"]}
    yield "season turned by two", {**rows, "season": (rows["season"] + 1) % 4 + 1}


def screening_table(hours: Frame, model: OnnxModel, detectors: Detectors) -> str:
    """Share of the rows of 2012 that are kept out, as they are and with 2 % of the labels poisoned; and of a burst."""
    year = hours[hours["yr"] == 1]
    rows, labels = columns(year), year["cnt"].to_numpy(np.float64)
    predictions = model(rows)
    poisoned = np.random.default_rng(SEED).random(len(labels)) < POISONED_SHARE
    found = [["2012 as it is", _kept_out(screen(rows, labels, predictions, detectors)).mean()]]
    for factor in (10.0, 5.0, 3.0, 2.0, 0.2):
        attacked = np.where(poisoned, np.round(labels * factor), labels)
        refused = _kept_out(screen(rows, attacked, predictions, detectors))
        found.append([f"labels × {factor:g} in 2 % of rows: of those", refused[poisoned].mean()])
    burst = dict(take(rows, np.full(50, 3000)))
    burst["windspeed"] = burst["windspeed"] + np.linspace(0.0, 1e-4, 50)
    together = joined(rows, burst)
    refused = _kept_out(
        screen(together, np.concatenate([labels, np.full(50, 900.0)]), model(together), detectors)
    )
    found.append(["burst of 50 near-duplicates: of those", refused[-50:].mean()])
    return table(["rows", "kept out"], [[name, f"{share:.1%}"] for name, share in found])


def _kept_out(reasons: tuple[tuple[str, ...], ...]) -> np.ndarray:
    return np.array([bool(row) for row in reasons])
