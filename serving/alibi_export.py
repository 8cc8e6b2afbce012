"""Detectors of a release in alibi-detect's own saved form, for the vendor's server (`seldonio/alibi-detect-server`).

    drift/      a KSDrift: config.toml, x_ref.npy and how columns are picked
    outlier/    a Mahalanobis, in the only form that alibi-detect has for it: state and metadata as dill

What that form cannot carry is said in `readme`; `pedalflow detectors export` writes it beside the detectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dill
import numpy as np
import numpy.typing as npt
from scipy.stats import ks_2samp

from detectors.drift import SEASON_DAYS, DriftReference, scipy_statistic
from detectors.layout import Integers
from detectors.outliers import OutlierReference
from detectors.seasons import day_of_year, near_in_season
from pedalflow.errors import RunFailed, SettingsError

Array = npt.NDArray[np.float64]

DRIFT, OUTLIER = "drift", "outlier"
GUARD_DAYS = 3  # calibration does not compare a window with rows this near to it, which share its weather
STEPS_PER_WINDOW = 4  # calibration windows overlap: four begin within one window's length
USUAL_P_VALUE = 0.05
LEAST_P_VALUE = 1e-36  # alibi-detect holds p-values as float32, where smaller ones become 0
# alibi-detect's Mahalanobis weighs each new row with 1 ÷ the rows it has seen: after so many a row changes nothing it can represent.
ROWS_SEEN = 10**15
# Its scores stay 0 for ever where the determinant of the covariance is not above 1e-8 (EPSILON in alibi_detect.od.mahalanobis).
LEAST_DETERMINANT = 2e-8
SAME_DISTANCE = 1e-6  # alibi-detect holds distances as float32


@dataclass(frozen=True)
class DriftExport:
    """What the KSDrift is made of: reference rows [n, k], the p-value, the columns of a request it looks at, and the false alarms
    that contiguous windows of the training span give with this p-value, and with the usual 0.05, each against its own season.
    """

    reference: Array
    p_value: float
    positions: tuple[int, ...]
    names: tuple[str, ...]
    window_rows: int
    season_rows: int
    calibration_windows: int
    calibration_alarms: int
    usual_alarms: int


@dataclass(frozen=True)
class OutlierExport:
    """The state of the Mahalanobis: mean and covariance over all columns of a request, where all but the numbers are constant."""

    mean: Array
    covariance: Array
    components: int
    threshold: float
    flag_rate: float


def drift_export(reference: DriftReference, features: Sequence[str], day: int) -> DriftExport:
    """The KSDrift for requests near `day` (days since 1970-01-01) whose columns are `features`.

    Raises SettingsError where history holds no rows of that season.
    """
    of_year = day_of_year(reference.days)
    season = near_in_season(day_of_year(np.array([day])), SEASON_DAYS)[of_year]
    if season.sum() < reference.window_rows:
        raise SettingsError(
            f"history holds {int(season.sum())} rows within {SEASON_DAYS} days of that date's season, fewer than one window of "
            f"{reference.window_rows}; give a --date that training has seen"
        )
    smallest = _smallest_p_values(reference, of_year)
    p_value = max(_at_rate(smallest, reference), LEAST_P_VALUE)
    numbers = reference.layout.numbers
    return DriftExport(
        shortest(thinned(reference.numbers[season], reference.window_rows)),
        p_value * len(numbers),
        tuple(list(features).index(name) for name in numbers),
        numbers,
        reference.window_rows,
        int(season.sum()),
        len(smallest),
        int((smallest < p_value).sum()),
        int((smallest < USUAL_P_VALUE / len(numbers)).sum()),
    )


def thinned(rows: Array, most: int) -> Array:
    """At most so many rows, evenly spaced in time. More would drive p-values below what float32 holds."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)]


def shortest(rows: Array) -> Array:
    """The shortest decimals of values that were rounded to float32: 0.24, as a request brings it, and not 0.23999999463558197."""
    texts = rows.astype(np.float32).astype(str)
    return texts.astype(np.float64)


def _smallest_p_values(reference: DriftReference, of_year: Integers) -> Array:
    """The smallest p-value of any number in each contiguous window of the training span against its season, [windows]."""
    found = []
    days, size = reference.days, reference.window_rows
    for start in range(0, len(days) - size + 1, max(1, size // STEPS_PER_WINDOW)):
        window = slice(start, start + size)
        apart = (days < days[window].min() - GUARD_DAYS) | (days > days[window].max() + GUARD_DAYS)
        season = near_in_season(of_year[window], SEASON_DAYS)[of_year] & apart
        if season.sum() >= size:
            history = thinned(reference.numbers[season], size)
            found.append(min(p_values(history, reference.numbers[window])))
    return np.array(found)


def p_values(history: Array, window: Array) -> list[float]:
    """Of each column, as alibi-detect's KSDrift computes them."""
    return [
        float(ks_2samp(history[:, k], window[:, k], method="asymp").pvalue) for k in range(history.shape[1])
    ]


def _at_rate(smallest: Array, reference: DriftReference) -> float:
    """The p-value below which the stated share of unchanged windows falls (split conformal prediction, as our own thresholds)."""
    if not len(smallest):
        return LEAST_P_VALUE
    independent = max(1, len(reference.days) // reference.window_rows)
    level = min(1.0, math.ceil((independent + 1) * (1.0 - reference.false_alarm_rate)) / independent)
    return float(np.quantile(smallest, 1.0 - level))


def outlier_export(
    outliers: OutlierReference, history: DriftReference, features: Sequence[str]
) -> OutlierExport:
    """The Mahalanobis of the numbers over history; its threshold flags the share of history that ours was fitted to flag."""
    positions = [list(features).index(name) for name in history.layout.numbers]
    covariance = np.zeros((len(features), len(features)))
    covariance[np.ix_(positions, positions)] = np.cov(history.numbers, rowvar=False)
    mean = np.zeros(len(features))
    mean[positions] = history.numbers.mean(axis=0)
    variances, axes = np.linalg.eigh(covariance)
    components = _usable_components(variances, len(positions))
    rows = np.zeros((len(history.numbers), len(features)))
    rows[:, positions] = history.numbers
    distances = ((((rows - mean) @ axes[:, -components:]) ** 2) / variances[-components:]).sum(axis=1)
    threshold = float(np.quantile(distances, 1.0 - outliers.flag_rate))
    return OutlierExport(mean, covariance, components, threshold, outliers.flag_rate)


def _usable_components(variances: Array, most: int) -> int:
    """How many of the greatest components alibi-detect can invert; `variances` ascend."""
    counts = (count for count in range(most, 0, -1) if np.prod(variances[-count:]) > LEAST_DETERMINANT)
    return next(counts, 1)


def save_drift(export: DriftExport, folder: Path) -> None:
    """Write it with alibi-detect's `save_detector`, and load it back."""
    from alibi_detect.cd import KSDrift
    from alibi_detect.saving import save_detector

    pick = partial(np.take, indices=list(export.positions), axis=1)
    folder.mkdir(parents=True, exist_ok=True)
    detector = KSDrift(export.reference, p_val=export.p_value, x_ref_preprocessed=True, preprocess_fn=pick)
    save_detector(detector, folder)


def save_outlier(export: OutlierExport, folder: Path) -> None:
    """Write the two files that alibi-detect's `save_detector` writes where TensorFlow is installed, which it needs for nothing here."""
    from alibi_detect.od import Mahalanobis

    detector = Mahalanobis(threshold=export.threshold, n_components=export.components)
    state = {
        **{
            name: getattr(detector, name)
            for name in (
                "threshold",
                "n_components",
                "std_clip",
                "start_clip",
                "max_n",
                "cat_vars",
                "ohe",
                "d_abs",
            )
        },
        "clip": _clip(export, detector.std_clip),
        "mean": export.mean,
        "C": export.covariance,
        "n": ROWS_SEEN,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("meta", detector.meta), (detector.meta["name"], state)):
        (folder / f"{name}.dill").write_bytes(dill.dumps(content))


def _clip(export: OutlierExport, deviations: float) -> list[Array]:
    spread = deviations * np.sqrt(np.diag(export.covariance))
    return [export.mean - spread, export.mean + spread]


def load_outlier(folder: Path) -> Any:
    """A Mahalanobis from its two files, as alibi-detect's `load_detector` makes it where TensorFlow is installed."""
    from alibi_detect.od import Mahalanobis

    state = dill.loads((folder / "Mahalanobis.dill").read_bytes())
    given = ("threshold", "n_components", "std_clip", "start_clip", "max_n", "cat_vars", "ohe")
    detector = Mahalanobis(**{name: state[name] for name in given})
    for name in state.keys() - set(given):
        setattr(detector, name, state[name])
    return detector


def check_drift(export: DriftExport, folder: Path, requests: Array) -> None:
    """Raises RunFailed where the detector, loaded back, finds other distances in a window of `requests` than our own statistic."""
    from alibi_detect.saving import load_detector

    found = load_detector(folder).predict(requests)["data"]["distance"]
    expected = scipy_statistic(export.reference, requests[:, list(export.positions)])[0]
    _compare(folder, found, expected, SAME_DISTANCE)


def check_outlier(export: OutlierExport, folder: Path, requests: Array) -> None:
    """Raises RunFailed where the detector, loaded back, gives other scores than the distances by themselves, or has learned."""
    detector = load_outlier(folder)
    variances, axes = np.linalg.eigh(export.covariance)
    used = slice(-export.components, None)
    expected = ((((requests - export.mean) @ axes[:, used]) ** 2) / variances[used]).sum(axis=1)
    for _ in range(2):  # the second time would differ if it learned from the first
        _compare(folder, detector.predict(requests)["data"]["instance_score"], expected, 1e-3)


def _compare(folder: Path, found: Array, expected: Array, tolerance: float) -> None:
    if not np.allclose(found, expected, rtol=tolerance, atol=tolerance):
        difference = float(np.abs(np.asarray(found) - expected).max())
        raise RunFailed(
            f"{folder}: loaded back, the detector differs by {difference:.3g} from what it was made of; "
            "this version of alibi-detect is another one than the export was written for"
        )


def request_rows(reference: DriftReference, features: Sequence[str], rows: int) -> Array:
    """The last rows of history as a client's tensor has them: numbers and the date; codes, which history does not hold, are 0."""
    named: dict[str, Callable[[], Array]] = {
        reference.layout.date: lambda: reference.days[-rows:].astype(np.float64),
        reference.layout.hour: lambda: reference.hours[-rows:].astype(np.float64),
        **{
            name: lambda k=k: shortest(reference.numbers[-rows:, k])  # type: ignore[misc]
            for k, name in enumerate(reference.layout.numbers)
        },
    }
    return np.column_stack([named[name]() if name in named else np.zeros(rows) for name in features])
