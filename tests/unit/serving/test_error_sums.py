"""Sums over labelled rows, and the figures that follow from them."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest

from serving.error_sums import ErrorSums, error_sums

LABELS = np.array([10.0, 20.0, 30.0, 40.0])
PREDICTIONS = np.array([12.0, 16.0, 36.0, 40.0])


def test_the_figures_are_those_of_the_rows() -> None:
    errors = error_sums(LABELS, PREDICTIONS)
    assert errors.rows == 4
    assert errors.rmse == pytest.approx(math.sqrt(np.mean((PREDICTIONS - LABELS) ** 2)))
    assert errors.wape == pytest.approx(12 / 100)
    assert errors.bias == pytest.approx(1.0)


def test_sums_of_two_parts_add_up_to_those_of_the_whole() -> None:
    first, second = (asdict(error_sums(LABELS[part], PREDICTIONS[part])) for part in (slice(2), slice(2, 4)))
    added = ErrorSums(**{name: first[name] + second[name] for name in first})
    assert asdict(added) == pytest.approx(asdict(error_sums(LABELS, PREDICTIONS)))


def test_the_noise_is_what_many_draws_of_the_same_rows_show() -> None:
    rng = np.random.default_rng(7)
    labels = rng.gamma(1.5, 100.0, 100_000)
    predictions = labels * rng.normal(1.0, 0.3, len(labels))
    drawn = [
        error_sums(labels[places], predictions[places])
        for places in (rng.integers(0, len(labels), 72) for _ in range(400))
    ]
    spread = np.std([errors.wape for errors in drawn])
    assert np.mean([errors.noise for errors in drawn]) == pytest.approx(spread, rel=0.1)


@pytest.mark.parametrize(
    ("labels", "predictions", "noise"),
    [
        ([], [], math.inf),
        ([5.0], [6.0], math.inf),
        ([0.0, 0.0], [1.0, 2.0], math.inf),
        ([3.0, 4.0], [3.0, 4.0], 0.0),
    ],
)
def test_the_noise_of_rows_that_tell_nothing_is_infinite(
    labels: list[float], predictions: list[float], noise: float
) -> None:
    assert error_sums(np.array(labels), np.array(predictions)).noise == noise


def test_rows_that_are_no_numbers_or_beyond_all_sense_leave_the_sums_finite() -> None:
    errors = error_sums(np.array([1e200, 3.0, math.inf, 4.0]), np.array([1.0, math.nan, 2.0, 1e250]))
    assert errors.rows == 2
    assert all(map(math.isfinite, asdict(errors).values()))
    assert all(map(math.isfinite, (errors.rmse, errors.wape, errors.bias)))
