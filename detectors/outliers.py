"""Is one row plausible? Ranges of numbers, combinations of integers, and the distance of the numbers from season and hour.

Fitted once, on rows that were checked and trained on; served rows never change it, so nobody can teach it an attack.
Distance: Mahalanobis, "On the generalised distance in statistics", 1936.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from detectors.layout import Array, Booleans, Columns, Integers, Layout, integer, row_count, take
from detectors.seasons import (
    DAY_IN_CYCLE,
    DAYS_OF_YEAR,
    HOURS_OF_DAY,
    LEAP_CYCLE,
    MONTH_IN_CYCLE,
    day_of_year,
    hour_harmonics,
    month_of,
    near_in_season,
    weekday_of,
    year_harmonics,
)

RANGE_MARGIN = 0.25  # a number may lie this share of its training range outside of it
FEWEST_EXPECTED = (
    5.0  # days (and rows) in which independence expects a combination that never came: p = exp(-5)
)
NEAR_DAYS = 21  # a day of the year counts as seen if training has one within as many days
MOST_SCORE = 1e6  # scores stay finite: they travel as JSON
ORDER = 2  # harmonics of the year and of the day
RIDGE = 1e-6  # keeps the covariance of numbers that never varied invertible
FITS = ((ORDER, 12), (0, 4))  # harmonics of the year, and stretches of time, for seen and for unseen days
WEEKDAY, MONTH = "the date's weekday", "the date's month"


@dataclass(frozen=True, eq=False)
class OutlierReference:
    """What training taught. k numbers, p harmonics.

    `coefficients` [2, p, k], `whitening` [2, k, k] (lower triangle) and `distance_limit` [2]: first for days of the year that training
    came near to, then for all others, where the mean knows the hour only. `seen_days` [366]. `combinations` [c, 3] is (pair, value,
    value) of what never came together although `expected` [c] days of it were, by `pairs` of names; `excuses` [e, 3] is (combination,
    place in `names_of_codes`, value): a rarer value that explains it.
    """

    layout: Layout
    flag_rate: float
    low: Array
    high: Array
    coefficients: Array
    whitening: Array
    distance_limit: Array
    seen_days: Booleans
    pairs: tuple[tuple[str, str], ...]
    combinations: Integers
    expected: Array
    excuses: Integers


@dataclass(frozen=True, eq=False)
class OutlierJudgement:
    """By row: `score` (above 1 where flagged), `flagged`, and why in words, each beginning with the rule's name and a colon."""

    score: Array
    flagged: Booleans
    reasons: tuple[tuple[str, ...], ...]


def fit_outliers(columns: Columns, layout: Layout, flag_rate: float) -> OutlierReference:
    """Learn from checked rows. `flag_rate` is the share of them whose distance is beyond the limit."""
    columns = take(columns, np.lexsort((integer(columns, layout.hour), integer(columns, layout.date))))
    numbers = _raw_numbers(columns, layout)
    kept = np.isfinite(numbers).all(axis=1)
    numbers, days, hours = (
        numbers[kept],
        integer(columns, layout.date)[kept],
        integer(columns, layout.hour)[kept],
    )
    low, high = numbers.min(axis=0), numbers.max(axis=0)
    margin = RANGE_MARGIN * (high - low)
    of_year = day_of_year(days)
    models = [
        _fit_distance(_design(of_year, hours, order), numbers, flag_rate, folds) for order, folds in FITS
    ]
    codes = _codes(columns, layout)
    pairs, combinations, expected = _impossible(codes, integer(columns, layout.date))
    excuses = _excuses(codes, integer(columns, layout.date), pairs, combinations)
    return OutlierReference(
        layout,
        flag_rate,
        low - margin,
        high + margin,
        np.stack([model[0] for model in models]),
        np.stack([model[1] for model in models]),
        np.array([model[2] for model in models]),
        near_in_season(of_year, NEAR_DAYS),
        pairs,
        combinations,
        expected,
        excuses,
    )


def _design(days_of_year: Integers, hours: Integers, year_order: int) -> Array:
    """float64[rows, p]: 1, the year, the day, and the day's first harmonic as it changes over the year. No year: zeros for it."""
    year = year_harmonics(days_of_year, ORDER) * float(year_order > 0)
    day = hour_harmonics(hours, ORDER)
    first = [0, ORDER]
    crossed = (year[:, first][:, :, None] * day[:, first][:, None, :]).reshape(len(year), 4)
    return np.concatenate([np.ones((len(year), 1)), year, day, crossed], axis=1)


def _fit_distance(design: Array, numbers: Array, flag_rate: float, folds: int) -> tuple[Array, Array, float]:
    """Coefficients, whitening, and the limit, which the stated share of rows exceeds when each is judged by a fit without its stretch
    of time.
    """
    coefficients, whitening = _mean_and_spread(design, numbers)
    distances = np.empty(len(numbers))
    for fold in np.array_split(np.arange(len(numbers)), folds):
        others = np.setdiff1d(np.arange(len(numbers)), fold)
        chosen = others if len(others) > design.shape[1] else fold
        own, spread = _mean_and_spread(design[chosen], numbers[chosen])
        distances[fold] = np.sqrt((((numbers[fold] - design[fold] @ own) @ spread.T) ** 2).sum(axis=1))
    return coefficients, whitening, max(float(np.quantile(distances, 1.0 - flag_rate)), 1e-9)


def _mean_and_spread(design: Array, numbers: Array) -> tuple[Array, Array]:
    coefficients = np.linalg.lstsq(design, numbers, rcond=None)[0]
    residuals = numbers - design @ coefficients
    covariance = residuals.T @ residuals / len(residuals)
    covariance += np.diag(RIDGE * np.diag(covariance) + 1e-12)
    return coefficients, np.linalg.inv(np.linalg.cholesky(covariance))


def _codes(columns: Columns, layout: Layout) -> dict[str, Integers]:
    """Every integer of a row, the two that follow from its date included."""
    days = integer(columns, layout.date)
    return {
        **{name: integer(columns, name) for name in layout.integers},
        WEEKDAY: weekday_of(days),
        MONTH: month_of(days),
    }


def _impossible(
    codes: Mapping[str, Integers], days: Integers
) -> tuple[tuple[tuple[str, str], ...], Integers, Array]:
    """What never came together though independence expects it, counted in rows and, since the rows of a day are alike, in days."""
    pairs: list[tuple[str, str]] = []
    found: list[tuple[int, int, int]] = []
    expectations: list[float] = []
    for first, second in itertools.combinations(codes, 2):
        cells = list(_never_together(codes[first], codes[second], days))
        if cells:
            found.extend((len(pairs), a, b) for a, b, _ in cells)
            expectations.extend(expected for _, _, expected in cells)
            pairs.append((first, second))
    return tuple(pairs), np.array(found, np.int64).reshape(-1, 3), np.array(expectations, np.float64)


def _never_together(first: Integers, second: Integers, days: Integers) -> Iterator[tuple[int, int, float]]:
    a_values, a = np.unique(first, return_inverse=True)
    b_values, b = np.unique(second, return_inverse=True)
    together = np.zeros((len(a_values), len(b_values)), bool)
    together[a, b] = True
    rows = np.outer(np.bincount(a), np.bincount(b)) / len(days)
    in_days = np.outer(_days_with(a, days), _days_with(b, days)) / len(np.unique(days))
    expected = np.minimum(rows, in_days)
    for i, j in zip(*np.nonzero(~together & (expected >= FEWEST_EXPECTED))):
        yield int(a_values[i]), int(b_values[j]), float(expected[i, j])


def _excuses(
    codes: Mapping[str, Integers],
    days: Integers,
    pairs: tuple[tuple[str, str], ...],
    combinations: Integers,
) -> Integers:
    """Values rarer than both sides of a combination that never came without one of them.

    A holiday never came with workingday 1. So a Wednesday with workingday 0, which never came, is explained by a holiday.
    """
    found = []
    days_with = {
        name: {int(v): len(np.unique(days[c == v])) for v in np.unique(c)} for name, c in codes.items()
    }
    for index, (pair, a, b) in enumerate(combinations.tolist()):
        first, second = pairs[pair]
        rarest = min(days_with[first][a], days_with[second][b])
        for place, name in enumerate(codes):
            for value, count in days_with[name].items():
                if name in (first, second) or not FEWEST_EXPECTED <= count < rarest:
                    continue
                inside = codes[name] == value
                if (codes[first][inside] == a).all() or (codes[second][inside] == b).all():
                    found.append((index, place, value))
    return np.array(found, np.int64).reshape(-1, 3)


def _days_with(codes: Integers, days: Integers) -> Integers:
    """How many days hold each code."""
    together = np.zeros((codes.max() + 1, np.ptp(days) + 1), bool)
    together[codes, days - days.min()] = True
    return together.sum(axis=1)


class OutlierJudge:
    """Judges rows against a reference. `row` is plain Python for the hot path, `rows` NumPy; both give the very same answers."""

    def __init__(self, reference: OutlierReference) -> None:
        self.reference = reference
        layout = reference.layout
        self._layout = layout
        every = np.arange(DAYS_OF_YEAR).repeat(HOURS_OF_DAY), np.tile(np.arange(HOURS_OF_DAY), DAYS_OF_YEAR)
        means = [_design(*every, order) @ reference.coefficients[i] for i, (order, _) in enumerate(FITS)]
        seen = reference.seen_days[every[0]]
        self._model = np.where(reference.seen_days, 0, 1)
        expected = np.where(seen[:, None], means[0], means[1])
        weights = np.tril(reference.whitening / reference.distance_limit[:, None, None])
        self._mean_rows = expected.tolist()
        self._weight_rows = [
            [(i, j, float(w[i, j])) for i in range(len(w)) for j in range(i + 1)] for w in weights
        ]
        self._means = np.ascontiguousarray(expected.T)  # [k, hours of the year]
        self._weights = np.ascontiguousarray(weights.T)  # [k, k, model]; each is the transpose of a whitening
        self._low, self._high = reference.low[:, None], reference.high[:, None]
        self._bounds = list(zip(layout.numbers, reference.low.tolist(), reference.high.tolist()))
        self._model_of_day = self._model.tolist()
        self._day_in_cycle, self._month_in_cycle = DAY_IN_CYCLE.tolist(), MONTH_IN_CYCLE.tolist()
        self._index_combinations()
        self._impossible = [(a, b, self._cells(i)) for i, (a, b) in enumerate(reference.pairs)]

    def _cells(self, pair: int) -> dict[tuple[float, float], tuple[float, list[tuple[str, int]]]]:
        """(value, value) → expected days, and what would explain it as (name, value)."""
        names = (*self._layout.integers, WEEKDAY, MONTH)
        cells = {}
        for index in np.flatnonzero(self.reference.combinations[:, 0] == pair).tolist():
            _, a, b = self.reference.combinations[index].tolist()
            own = self.reference.excuses[self.reference.excuses[:, 0] == index]
            excuses = [(names[place], value) for _, place, value in own.tolist()]
            cells[a, b] = (float(self.reference.expected[index]), excuses)
        return cells

    def row(self, values: Mapping[str, float]) -> tuple[float, tuple[str, ...]]:
        """Score and reasons of one row; what is missing, no number or not finite is a reason, never an error."""
        try:
            score = self._plain_score(values)
        except (KeyError, TypeError, ValueError, OverflowError, IndexError):
            score = MOST_SCORE
        if score <= 1.0:
            return score, ()
        cleaned = {name: _as_float(values.get(name)) for name in self._layout.features}
        return self._explained(cleaned)

    def _plain_score(self, values: Mapping[str, float]) -> float:
        """The distance ÷ its limit where nothing else is wrong, and something above 1 where `_explained` has to look."""
        day, hour = int(values[self._layout.date]), values[self._layout.hour]
        if not 0 <= hour < HOURS_OF_DAY:
            return MOST_SCORE
        place = day % LEAP_CYCLE
        codes = {**values, WEEKDAY: (day + 4) % 7, MONTH: self._month_in_cycle[place]}
        for first, second, cells in self._impossible:
            if (codes[first], codes[second]) in cells:
                return MOST_SCORE
        for name in self._layout.integers:
            if values[name] != values[name]:
                return MOST_SCORE
        of_year = self._day_in_cycle[place]
        mean = self._mean_rows[of_year * HOURS_OF_DAY + int(hour)]
        residuals = []
        for (name, low, high), expected in zip(self._bounds, mean):
            value = values[name]
            if not low <= value <= high:
                return MOST_SCORE
            residuals.append(value - expected)
        return self._distance(residuals, self._model_of_day[of_year])

    def _distance(self, residuals: list[float], model: int) -> float:
        sums = [0.0] * len(residuals)
        for i, j, weight in self._weight_rows[model]:
            sums[i] += weight * residuals[j]
        total = 0.0
        for value in sums:
            total += value * value
        return math.sqrt(total)

    def _explained(self, values: Mapping[str, float]) -> tuple[float, tuple[str, ...]]:
        """All that is wrong with a row whose values are floats."""
        found = [*self._missing(values), *self._out_of_range(values), *self._combinations(values)]
        if found:
            return max(score for score, _ in found), tuple(reason for _, reason in found)
        return self._too_far(values)

    def _missing(self, values: Mapping[str, float]) -> Iterator[tuple[float, str]]:
        for name in self._layout.features:
            if not math.isfinite(values[name]):
                yield 2.0, f"missing: {name} has no finite value"

    def _out_of_range(self, values: Mapping[str, float]) -> Iterator[tuple[float, str]]:
        hour = values[self._layout.hour]
        if math.isfinite(hour) and not 0 <= hour < HOURS_OF_DAY:
            yield 2.0, f"range: {self._layout.hour} is {hour:g}, outside 0 to {HOURS_OF_DAY - 1}"
        for name, low, high in self._bounds:
            value = values[name]
            outside = max(low - value, value - high)
            if math.isfinite(value) and outside > 0:
                score = min(MOST_SCORE, 1.0 + outside / max(high - low, 1e-9))
                yield max(score, 1.0 + 1e-9), f"range: {name} is {value:g}, outside {low:.3g} to {high:.3g}"

    def _combinations(self, values: Mapping[str, float]) -> Iterator[tuple[float, str]]:
        date = values[self._layout.date]
        codes = dict(values)
        if math.isfinite(date):
            day = int(date)
            codes |= {WEEKDAY: (day + 4) % 7, MONTH: self._month_in_cycle[day % LEAP_CYCLE]}
        for first, second, cells in self._impossible:
            a, b = codes.get(first, math.nan), codes.get(second, math.nan)
            expected, excuses = cells.get((a, b), (0.0, []))
            if expected and not any(codes[name] == value for name, value in excuses):
                reason = (
                    f"combination: {first} {a:g} with {second} {b:g} never came in training, where chance alone would "
                    f"have brought it on {expected:.0f} days"
                )
                yield 1.0 + expected, reason

    def _too_far(self, values: Mapping[str, float]) -> tuple[float, tuple[str, ...]]:
        of_year = self._day_in_cycle[int(values[self._layout.date]) % LEAP_CYCLE]
        mean = self._mean_rows[of_year * HOURS_OF_DAY + int(values[self._layout.hour])]
        residuals = [values[name] - expected for (name, _, _), expected in zip(self._bounds, mean)]
        model = self._model_of_day[of_year]
        score = self._distance(residuals, model)
        if score <= 1.0:
            return score, ()
        weights = self._weights[:, :, model]
        precision = weights @ weights.T
        surprise = np.abs(precision @ np.array(residuals)) / np.sqrt(np.diag(precision))
        most = self._layout.numbers[int(np.argmax(surprise))]
        names = ", ".join(self._layout.numbers)
        reason = f"distance: {names} do not go together at this season and hour ({score:.2f} × the limit, mostly {most})"
        return score, (reason,)

    def rows(self, columns: Columns) -> OutlierJudgement:
        """Judge all rows at once."""
        count = row_count(columns)
        score = self._plain_scores(columns)
        reasons: list[tuple[str, ...]] = [()] * count
        names = self._layout.features
        for index in np.flatnonzero(~(score <= 1.0)).tolist():
            values = {name: _as_float(columns[name][index]) for name in names}
            score[index], reasons[index] = self._explained(values)
        return OutlierJudgement(score, score > 1.0, tuple(reasons))

    def _plain_scores(self, columns: Columns) -> Array:
        layout = self._layout
        codes = _codes(columns, layout)
        hours = codes[layout.hour]
        numbers = np.array([columns[name] for name in layout.numbers], np.float64)
        right = ((self._low <= numbers) & (numbers <= self._high)).all(axis=0)
        right &= (hours >= 0) & (hours < HOURS_OF_DAY)
        for name in (layout.date, *layout.integers):
            values = np.asarray(columns[name])
            if values.dtype.kind not in "iu":
                right &= np.isfinite(values.astype(np.float64))
        right &= ~self._suspicious(codes)
        of_year = day_of_year(integer(columns, layout.date))
        with np.errstate(all="ignore"):
            residuals = numbers - self._means[:, of_year * HOURS_OF_DAY + hours % HOURS_OF_DAY]
            distance = self._distances(residuals, self._model[of_year])
        return np.where(right, distance, MOST_SCORE)

    def _suspicious(self, codes: Mapping[str, Integers]) -> Booleans:
        """Rows that hold any combination that never came, excused or not."""
        places = np.array(list(codes.values())) - self._lowest
        places = np.minimum(np.maximum(places, 0), self._highest)
        cells = self._starts + places[self._first] * self._widths + places[self._second]
        found: Booleans = self._table[cells].any(axis=0)
        return found

    def _index_combinations(self) -> None:
        """One flat table of all pairs: each has a rectangle of its names' values, with a rim of False for all others."""
        names = [*self._layout.integers, WEEKDAY, MONTH]
        pairs = np.array([[names.index(one) for one in pair] for pair in self.reference.pairs], np.int64)
        self._first, self._second = pairs.reshape(-1, 2).T
        pair, values = self.reference.combinations[:, 0], self.reference.combinations[:, 1:]
        lowest, sizes = np.zeros(len(names), np.int64), np.ones(len(names), np.int64)
        sides = np.stack([self._first[pair], self._second[pair]], axis=1)
        for name in np.unique(sides):
            own = values[sides == name]
            lowest[name], sizes[name] = own.min() - 1, own.max() - own.min() + 3
        areas = sizes[self._first] * sizes[self._second]
        starts, widths = np.cumsum(areas) - areas, sizes[self._second]
        inside = values - lowest[sides]
        self._table = np.zeros(int(areas.sum()), bool)
        self._table[starts[pair] + inside[:, 0] * widths[pair] + inside[:, 1]] = True
        self._lowest, self._highest = lowest[:, None], sizes[:, None] - 1
        self._starts, self._widths = starts[:, None], widths[:, None]

    def _distances(self, residuals: Array, models: Integers) -> Array:
        """The sums in the order of `_distance`, so that both give the same bits. `residuals` is [k, rows]."""
        sums: Array = sum(self._weights[:, :, models] * residuals[:, None])
        total: Array = sum(sums * sums)
        return np.sqrt(total)


def _as_float(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _raw_numbers(columns: Columns, layout: Layout) -> Array:
    return np.stack([np.asarray(columns[name], np.float64) for name in layout.numbers], axis=1)
