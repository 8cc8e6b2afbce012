"""Contributions are exact, add up, and stay within memory."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from detectors import contributions as module
from detectors.contributions import choose_background, contributions
from detectors.layout import Array, Columns, take
from detectors.stored import Detectors
from tests.unit.detectors.hours import LAYOUT, Hours, PlainModel

NAMES = ("a", "b", "c", "d")


def bent(columns: Columns) -> Array:
    return columns["a"] * columns["b"] + np.sin(columns["c"]) + np.where(columns["d"] > 0, 2.0, columns["a"])


@pytest.fixture
def table() -> Columns:
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=40) for name in NAMES}


def by_permutations(row: Columns, background: Columns) -> dict[str, float]:
    """Shapley's definition, word for word."""
    totals = dict.fromkeys(NAMES, 0.0)
    for order in itertools.permutations(NAMES):
        mixed = dict(background)
        before = bent(mixed).mean()
        for name in order:
            mixed[name] = np.full_like(background[name], row[name][0])
            after = bent(mixed).mean()
            totals[name] += (after - before) / math.factorial(len(NAMES))
            before = after
    return totals


def test_contributions_are_those_of_the_definition(table: Columns) -> None:
    row, background = take(table, np.array([0])), take(table, np.arange(1, 9))
    found = contributions(bent, row, background, NAMES)
    expected = by_permutations(row, background)
    assert found.by_feature == pytest.approx(expected, abs=1e-12)


def test_they_add_up_to_the_prediction_minus_the_base(
    detectors: Detectors, model: PlainModel, second_year: Hours
) -> None:
    for place in (0, 4000, 8000):
        row = second_year[place : place + 1].columns
        found = contributions(model, row, detectors.background, LAYOUT.features)
        assert found.prediction == pytest.approx(model(row)[0], rel=1e-9)
        assert found.base + sum(found.by_feature.values()) == pytest.approx(found.prediction, rel=1e-6)


def test_a_feature_the_model_does_not_use_contributes_nothing(table: Columns) -> None:
    columns = {**table, "unused": np.arange(40.0)}
    found = contributions(bent, take(columns, np.array([3])), take(columns, np.arange(8)), (*NAMES, "unused"))
    assert found.by_feature["unused"] == pytest.approx(0.0, abs=1e-12)


def test_a_column_that_is_no_feature_keeps_the_rows_value(table: Columns) -> None:
    row, background = take(table, np.array([0])), take(table, np.arange(1, 9))
    found = contributions(bent, row, background, ("a", "c"))
    expected = bent(
        {**row, "a": background["a"], "c": background["c"], "b": row["b"].repeat(8), "d": row["d"].repeat(8)}
    )
    assert found.base == pytest.approx(expected.mean())


def test_batches_are_bounded(table: Columns, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counted(columns: Columns) -> Array:
        sizes.append(len(columns["a"]))
        return bent(columns)

    row, background = take(table, np.array([0])), take(table, np.arange(1, 9))
    whole = contributions(bent, row, background, NAMES)
    monkeypatch.setattr(module, "BATCH_ROWS", 24)
    assert contributions(counted, row, background, NAMES) == whole
    assert max(sizes) <= 24 and sum(sizes) == 2**4 * 8


def test_too_many_features_no_background_or_several_rows_are_refused(table: Columns) -> None:
    one, none = take(table, np.array([0])), take(table, np.arange(0))
    with pytest.raises(ValueError, match="13 features"):
        contributions(bent, one, table, [f"f{i}" for i in range(13)])
    with pytest.raises(ValueError, match="background"):
        contributions(bent, one, none, NAMES)
    with pytest.raises(ValueError, match="exactly one row"):
        contributions(bent, table, table, NAMES)


def test_the_background_predicts_on_average_what_all_rows_do(
    detectors: Detectors, model: PlainModel, split: tuple[Hours, Hours]
) -> None:
    everything = model(split[0].columns).mean()
    assert model(detectors.background).mean() == pytest.approx(everything, rel=0.05)
    assert len(detectors.background["hr"]) == 16


def test_a_background_larger_than_the_table_is_the_table(table: Columns) -> None:
    assert len(choose_background(table, bent(table), 1000)["a"]) == 40
