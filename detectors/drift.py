"""Have the inputs changed? One window of served rows against history of the same season, by the Kolmogorov-Smirnov statistic.

A week of weather always differs from a year of weather, so p-values alarm for ever. Here the statistic of every test is compared with
what contiguous windows of the training span showed when nothing had changed, and all tests share one rate of false alarms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import kolmogorov

from detectors.layout import (
    Array,
    Booleans,
    Columns,
    Integers,
    Layout,
    integer,
    number_matrix,
    row_count,
    take,
)
from detectors.relations import Moments, Relations, choose_knots, moments, solve, terms
from detectors.seasons import DAYS_OF_YEAR, day_of_year, near_in_season

SEASON_DAYS = 21  # history counts as the same season within as many days of the year
GUARD_DAYS = (
    3  # rows this near to a window share its weather, so a calibration window is not compared with them
)
FEWEST_SEASON_SHARE = 1 / 3  # of the days before, and of those after, that history has to hold
STEPS_PER_WINDOW = 4  # calibration windows overlap: four begin within one window's length
HELD_OUT_DAYS = 91  # for thresholds of an unseen season, calibration leaves out as many days around a window
FEWEST_ROWS_SHARE = (
    0.9  # of the window's rows, after exact repeats are taken out, for the tests of distributions
)
RANGE_MARGIN = 0.5  # of the training range, on both sides: beyond it a value has another unit
RUN_MARGIN = 1.5  # × the longest run of one value in training
MARGIN_SHARE = 0.05  # of a window's rows, that may be missing, or out of range, beyond what training had
FOLDS = 10
MOST_HELD_OUT = 60  # windows that calibrate unseen seasons

Statistic = Callable[[Array, Array], tuple[Array, Array]]
"""(reference float64[n, k], window float64[m, k]) → (distances float64[k], p-values float64[k]); no NaN goes in."""


@dataclass(frozen=True, eq=False)
class DriftReference:
    """History and thresholds, of k numbers. Rows are in time order and without missing numbers.

    `relation` [p, k], which bends at `knots` [q, k], predicts each number from the others and the hour. `seasonal_limits` [2, k] are
    thresholds of the statistics of values and of relations where history holds the window's season, `unseasonal_limits` [k] those of
    relations where it does not.
    """

    layout: Layout
    window_rows: int
    false_alarm_rate: float
    days: Integers
    hours: Integers
    numbers: Array
    knots: Array
    relation: Array
    seasonal_limits: Array
    unseasonal_limits: Array
    low: Array
    high: Array
    run_limits: Array
    missing_limits: Array

    @cached_property
    def relations(self) -> Relations:
        """Ready to be used."""
        return Relations(self.knots, self.relation)

    @cached_property
    def residuals(self) -> Array:
        """What the relations leave unexplained in history, [n, k]."""
        return self.relations.residuals(self.numbers, self.hours)

    @cached_property
    def days_of_year(self) -> Integers:
        """Of history, [n]."""
        return day_of_year(self.days)


@dataclass(frozen=True)
class FeatureDrift:
    """One test of one number: `score` is statistic ÷ threshold; `p_value` is information only, None where the test has none.

    `effect_size` is the difference of means in standard deviations of history, None where it says nothing.
    """

    name: str
    test: str
    statistic: float
    threshold: float
    score: float
    p_value: float | None
    effect_size: float | None


@dataclass(frozen=True)
class DriftJudgement:
    """One window's verdict. `score` is the greatest of all tests, `threshold` 1; `missing` is the share of each number."""

    is_drift: bool
    score: float
    threshold: float
    rows: int
    first_date: int | None
    last_date: int | None
    season_matched: bool
    missing: dict[str, float]
    features: tuple[FeatureDrift, ...]
    reasons: tuple[str, ...]


def scipy_statistic(reference: Array, window: Array) -> tuple[Array, Array]:
    """Two-sample Kolmogorov-Smirnov: exact distance, asymptotic p-value."""
    distances = np.array(
        [_distance(np.sort(reference[:, k]), np.sort(window[:, k])) for k in range(window.shape[1])]
    )
    n, m = len(reference), len(window)
    return distances, kolmogorov(distances * math.sqrt(n * m / (n + m)))


def _distance(reference: Array, window: Array) -> float:
    """Greatest difference of the two empirical distributions; both sorted. It lies at, or just before, a value of the window."""
    n, m = len(reference), len(window)
    at = np.searchsorted(window, window, "right") / m - np.searchsorted(reference, window, "right") / n
    before = np.searchsorted(reference, window, "left") / n - np.searchsorted(window, window, "left") / m
    return float(max(at.max(), before.max()))


# --- fitting -------------------------------------------------------------------------------------------------------


def fit_drift(columns: Columns, layout: Layout, window_rows: int, false_alarm_rate: float) -> DriftReference:
    """Learn history and thresholds for windows of `window_rows` rows; `false_alarm_rate` is the share of windows that alarm unchanged."""
    ordered = _in_time_order(columns, layout)
    raw = number_matrix(ordered, layout)
    whole = np.isfinite(raw).all(axis=1)
    numbers = raw[whole]
    days, hours = integer(ordered, layout.date)[whole], integer(ordered, layout.hour)[whole]
    windows = _calibration_windows(len(numbers), window_rows)
    knots = choose_knots(numbers)
    design = terms(numbers, hours, knots)
    total = moments(design, numbers)
    seasonal = _seasonal_statistics(days, numbers, _cross_fitted(design, numbers, total), windows)
    unseasonal = _unseasonal_statistics(days, numbers, design, total, _thinned(windows[::STEPS_PER_WINDOW]))
    low, high = numbers.min(axis=0), numbers.max(axis=0)
    margin = RANGE_MARGIN * (high - low)
    level = _level(false_alarm_rate, max(1, len(numbers) // window_rows))
    return DriftReference(
        layout,
        window_rows,
        false_alarm_rate,
        days,
        hours,
        numbers,
        knots,
        solve(total),
        _limits(seasonal, level).reshape(2, -1),
        _limits(unseasonal, level),
        low - margin,
        high + margin,
        np.ceil(RUN_MARGIN * _longest_runs(numbers)) + 1.0,
        np.array(
            _missing_shares(raw, _calibration_windows(len(raw), window_rows)).max(axis=0) + MARGIN_SHARE
        ),
    )


def _in_time_order(columns: Columns, layout: Layout) -> Columns:
    return take(columns, np.lexsort((integer(columns, layout.hour), integer(columns, layout.date))))


def _calibration_windows(rows: int, window_rows: int) -> list[slice]:
    last = max(rows - window_rows, 0)
    step = max(1, window_rows // STEPS_PER_WINDOW)
    return [slice(start, start + window_rows) for start in range(0, last + 1, step)]


def _thinned(windows: Sequence[slice]) -> Sequence[slice]:
    """At most `MOST_HELD_OUT` of them, evenly spread: each costs a fit."""
    return windows[:: math.ceil(len(windows) / MOST_HELD_OUT)]


def _level(rate: float, windows: int) -> float:
    """The quantile that keeps `rate` for a new window although only so many independent ones were seen (split conformal prediction)."""
    return min(1.0, math.ceil((windows + 1) * (1.0 - rate)) / windows)


def _limits(statistics: Array, level: float) -> Array:
    """One threshold for each test [tests], so that the greatest of all scores of a window exceeds 1 at the stated rate."""
    if not len(statistics):
        return np.full(statistics.shape[1], np.inf)
    each = np.maximum(np.quantile(statistics, level, axis=0), 1e-9)
    together = float(np.quantile((statistics / each).max(axis=1), level))
    limits: Array = each * together
    return limits


def _seasonal_statistics(days: Integers, numbers: Array, residuals: Array, windows: Sequence[slice]) -> Array:
    """[windows, 2 k]: each window against its season without itself and its neighbours."""
    both = np.concatenate([numbers, residuals], axis=1)
    of_year = day_of_year(days)
    found = []
    for window in windows:
        apart = _apart(days, window, GUARD_DAYS)
        matched = _season_rows(of_year, of_year[window], apart)
        if matched is not None:
            found.append(scipy_statistic(both[matched], both[window])[0])
    return np.array(found).reshape(-1, both.shape[1])


def _cross_fitted(design: Array, numbers: Array, total: Moments) -> Array:
    """The residual of every row by relations that were fitted without its tenth of the span, [n, k]."""
    residuals = np.empty_like(numbers)
    for fold in np.array_split(np.arange(len(numbers)), FOLDS):
        relation = solve(total - moments(design[fold], numbers[fold]))
        residuals[fold] = numbers[fold] - design[fold] @ relation
    return residuals


def _unseasonal_statistics(
    days: Integers, numbers: Array, design: Array, total: Moments, windows: Sequence[slice]
) -> Array:
    """[windows, k]: each window against all rows but the quarter of a year around it.

    The relations, too, are fitted without that quarter, as they would be if its season had never been seen.
    """
    found: list[Array] = []
    for window in windows:
        apart = _apart(days, window, HELD_OUT_DAYS // 2)
        if apart.sum() < len(numbers) // 2:
            continue
        relation = solve(total - moments(design[~apart], numbers[~apart]))
        residuals = numbers - design @ relation
        found.append(scipy_statistic(residuals[apart], residuals[window])[0])
    return np.array(found).reshape(-1, numbers.shape[1])


def _apart(days: Integers, window: slice, guard: int) -> Booleans:
    """The rows more than `guard` days before or after the window."""
    return (days < days[window].min() - guard) | (days > days[window].max() + guard)


def _season_rows(history: Integers, window: Integers, usable: Booleans) -> Booleans | None:
    """The usable rows of the window's season, by day of the year; None where history lacks too many days before or after it."""
    present = np.zeros(DAYS_OF_YEAR, bool)
    present[history[usable]] = True
    inside = near_in_season(window, 0)
    near = near_in_season(window, SEASON_DAYS)
    for direction in (-1, 1):
        side = np.zeros(DAYS_OF_YEAR, bool)
        for shift in range(1, SEASON_DAYS + 1):
            side[(np.flatnonzero(inside) + direction * shift) % DAYS_OF_YEAR] = True
        side &= ~inside
        if side.any() and present[side].mean() < FEWEST_SEASON_SHARE:
            return None
    return usable & near[history]


def _missing_shares(numbers: Array, windows: Sequence[slice]) -> Array:
    return np.array([np.isnan(numbers[window]).mean(axis=0) for window in windows])


def _longest_runs(numbers: Array) -> Array:
    """[k]: how often one value follows itself at most; missing values are never alike."""
    longest = []
    for values in numbers.T:
        changes = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1], [True]]))
        longest.append(float(np.diff(changes).max()))
    return np.array(longest)


# --- judging -------------------------------------------------------------------------------------------------------


def judge_window(
    reference: DriftReference, window: Columns, statistic: Statistic = scipy_statistic
) -> DriftJudgement:
    """Judge one window of served rows, in any order. Never raises on odd values; exact repeats of a row count once."""
    layout = reference.layout
    distinct = _distinct(_in_time_order(window, layout), layout)
    numbers = number_matrix(distinct, layout)
    days = integer(distinct, layout.date)
    whole = np.isfinite(numbers).all(axis=1)
    matched = _matched(reference, days) if whole.any() else None
    found = [*_simple_tests(reference, numbers)]
    if whole.sum() >= FEWEST_ROWS_SHARE * reference.window_rows:
        hours = integer(distinct, layout.hour)[whole]
        found.extend(_distribution_tests(reference, numbers[whole], hours, matched, statistic))
    found.sort(key=lambda feature: -feature.score)
    score = max((feature.score for feature in found), default=0.0)
    return DriftJudgement(
        score > 1.0,
        score,
        1.0,
        row_count(window),
        int(days.min()) if len(days) else None,
        int(days.max()) if len(days) else None,
        matched is not None,
        dict(zip(layout.numbers, np.isnan(numbers).mean(axis=0).tolist())) if len(numbers) else {},
        tuple(found),
        tuple(_reason(feature) for feature in found if feature.score > 1.0),
    )


def _distinct(columns: Columns, layout: Layout) -> Columns:
    """Without exact repeats of a row, in the same order."""
    rows = np.stack([np.asarray(columns[name], np.float64) for name in layout.features], axis=1)
    keys = (
        np.ascontiguousarray(rows).view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).reshape(-1)
    )
    return take(columns, np.sort(np.unique(keys, return_index=True)[1]))


def _matched(reference: DriftReference, days: Integers) -> Booleans | None:
    return _season_rows(reference.days_of_year, day_of_year(days), np.ones(len(reference.days), bool))


def _simple_tests(reference: DriftReference, numbers: Array) -> Iterator[FeatureDrift]:
    """Missing values first, then values of another unit, then one value again and again."""
    if not len(numbers):
        return
    missing = np.isnan(numbers).mean(axis=0)
    outside = ((numbers < reference.low) | (numbers > reference.high)).mean(axis=0)
    allowed = np.full(len(missing), MARGIN_SHARE)
    tests = (
        ("missing", missing, reference.missing_limits),
        ("range", outside, allowed),
        ("repeats", _longest_runs(numbers), reference.run_limits),
    )
    for test, statistics, limits in tests:
        for name, value, limit in zip(reference.layout.numbers, statistics.tolist(), limits.tolist()):
            yield FeatureDrift(name, test, value, limit, value / limit, None, None)


def _distribution_tests(
    reference: DriftReference,
    numbers: Array,
    hours: Integers,
    matched: Booleans | None,
    statistic: Statistic,
) -> Iterator[FeatureDrift]:
    names = reference.layout.numbers
    residuals = reference.relations.residuals(numbers, hours)
    if matched is None:
        yield from _compared(
            "relation", names, reference.residuals, residuals, reference.unseasonal_limits, statistic
        )
        return
    values_limits, relation_limits = reference.seasonal_limits
    yield from _compared("values", names, reference.numbers[matched], numbers, values_limits, statistic)
    yield from _compared(
        "relation", names, reference.residuals[matched], residuals, relation_limits, statistic
    )


def _compared(
    test: str, names: Sequence[str], history: Array, window: Array, limits: Array, statistic: Statistic
) -> Iterator[FeatureDrift]:
    distances, p_values = statistic(history, window)
    deviations = np.maximum(history.std(axis=0), 1e-12)
    effects = (window.mean(axis=0) - history.mean(axis=0)) / deviations
    columns = (names, distances.tolist(), limits.tolist(), p_values.tolist(), effects.tolist())
    for name, distance, limit, p_value, effect in zip(*columns):
        if not math.isfinite(limit):
            continue  # there was too little history to calibrate this test
        yield FeatureDrift(name, test, distance, limit, distance / limit, p_value, effect)


_WORDS = {
    "missing": "{name} is missing in {statistic:.1%} of the rows (limit {threshold:.1%})",
    "range": "{name} lies far outside of everything in training in {statistic:.1%} of the rows (limit {threshold:.1%}): another unit?",
    "repeats": "{name} keeps one value {statistic:.0f} times in a row (limit {threshold:.0f}): a stuck sensor?",
    "values": "{name} is {statistic:.2f} away from the history of this season (limit {threshold:.2f})",
    "relation": "{name} is {statistic:.2f} away from what the other numbers and the hour say (limit {threshold:.2f}): a biased sensor?",
}


def _reason(feature: FeatureDrift) -> str:
    words = _WORDS[feature.test]
    said = words.format(name=feature.name, statistic=feature.statistic, threshold=feature.threshold)
    return f"{feature.test}: {said}"
