"""What the other numbers and the hour say of each number: least squares on many simple terms.

Sensors of one place belong together. A week of weather may differ from all history and yet its temperatures, as measured and as felt,
go together as ever; a sensor that is biased, stuck or sends another unit breaks that at once.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from detectors.layout import Array, Integers
from detectors.seasons import HOURS_OF_DAY, hour_harmonics

KNOTS = 6
MOST_BENT_PAIRS = (
    5  # with more numbers than this, pairs of them enter as plain products: there would be too many terms
)
HOUR_ORDER = 2
RIDGE = 1e-6


@dataclass(frozen=True, eq=False)
class Relations:
    """Fitted relations of k numbers: `knots` [q, k] where the terms bend, `coefficients` [p, k]."""

    knots: Array
    coefficients: Array

    def residuals(self, numbers: Array, hours: Integers) -> Array:
        """What the relations leave unexplained, float64[rows, k]; no number may be missing."""
        unexplained: Array = numbers - terms(numbers, hours, self.knots) @ self.coefficients
        return unexplained


@dataclass(frozen=True, eq=False)
class Moments:
    """The sums that least squares need; those of some rows can be taken from those of all."""

    square: Array
    products: Array
    rows: int

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.square - other.square, self.products - other.products, self.rows - other.rows)


def choose_knots(numbers: Array) -> Array:
    """float64[KNOTS, k]: quantiles of each number."""
    levels = np.linspace(0.0, 1.0, KNOTS + 2)[1:-1]
    knots: Array = np.quantile(numbers, levels, axis=0)
    return knots


def terms(numbers: Array, hours: Integers, knots: Array) -> Array:
    """float64[rows, p]: constant, the day's harmonics, then the terms of each number and of each pair, in the order of `_owners`."""
    k = numbers.shape[1]
    bends = [_bends(numbers[:, i], knots[:, i]) for i in range(k)]
    pairs = [_pair(bends[i], bends[j], k <= MOST_BENT_PAIRS) for i, j in itertools.combinations(range(k), 2)]
    hours = np.clip(hours, 0, HOURS_OF_DAY - 1)
    return np.concatenate(
        [np.ones((len(numbers), 1)), hour_harmonics(hours, HOUR_ORDER), *bends, *pairs], axis=1
    )


def _bends(values: Array, knots: Array) -> Array:
    """A number, and how far it is beyond each knot: beyond the outer ones, where training never was, it goes on straight."""
    return np.concatenate([values[:, None], np.maximum(0.0, values[:, None] - knots)], axis=1)


def _pair(first: Array, second: Array, bent: bool) -> Array:
    if not bent:
        return first[:, :1] * second[:, :1]
    return (first[:, :, None] * second[:, None, :]).reshape(len(first), -1)


def _owners(k: int) -> list[frozenset[int]]:
    """Which numbers each term is made of."""
    each = 1 + KNOTS
    both = each**2 if k <= MOST_BENT_PAIRS else 1
    single = [frozenset({i}) for i in range(k) for _ in range(each)]
    pairs = [frozenset(pair) for pair in itertools.combinations(range(k), 2) for _ in range(both)]
    return [frozenset()] * (1 + 2 * HOUR_ORDER) + single + pairs


def moments(design: Array, numbers: Array) -> Moments:
    """The sums over the rows of a design made by `terms`."""
    return Moments(design.T @ design, design.T @ numbers, len(numbers))


def solve(sums: Moments) -> Array:
    """Coefficients [p, k]: each number from the terms that it is no part of, with zeros for the others."""
    k = sums.products.shape[1]
    owners = _owners(k)
    coefficients = np.zeros((len(owners), k))
    for target in range(k):
        places = [place for place, of in enumerate(owners) if target not in of]
        square = sums.square[np.ix_(places, places)]
        square = square + np.diag(RIDGE * np.diag(square) + 1e-9 * sums.rows)
        coefficients[places, target] = np.linalg.solve(square, sums.products[places, target])
    return coefficients
