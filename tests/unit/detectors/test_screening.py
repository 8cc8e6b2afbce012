"""What would mislead the next model stays out of its data; ordinary rows, a new concept and polling do not."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.layout import Array, Columns, joined, take
from detectors.screening import screen
from detectors.stored import Detectors
from tests.unit.detectors.hours import LAYOUT, Hours, PlainModel, on


@pytest.fixture
def month(second_year: Hours) -> Hours:
    return second_year[second_year.months == 5]


def refused(reasons: tuple[tuple[str, ...], ...], rule: str) -> np.ndarray:
    return np.array([any(reason.startswith(f"{rule}:") for reason in row) for row in reasons])


def with_labels(
    month: Hours, model: PlainModel, columns: Columns, labels: Array
) -> tuple[Columns, Array, Array]:
    """The month's rows and labels followed by more."""
    together = joined(month.columns, columns)
    return together, np.concatenate([month.labels, labels]), model(together)


def test_nearly_all_of_an_honest_year_is_kept_though_demand_has_grown(
    detectors: Detectors, second_year: Hours, model: PlainModel
) -> None:
    columns = second_year.columns
    reasons = screen(columns, second_year.labels, model(columns), detectors)
    assert np.mean([not row for row in reasons]) > 0.97
    assert not refused(reasons, "burst").any() and not refused(reasons, "repeat").any()


def test_an_implausible_row_is_refused_with_the_outlier_detectors_reason(
    detectors: Detectors, month: Hours
) -> None:
    columns = {**month.columns, "hum": month.columns["hum"] * 100}
    assert refused(screen(columns, None, None, detectors), "range").mean() > 0.99


def test_a_stuck_sensor_is_refused_from_its_first_hour_on_and_its_neighbours_are_kept(
    detectors: Detectors, month: Hours
) -> None:
    wind = month.columns["windspeed"].copy()
    wind[100:160] = 0.0896
    wind[[99, 160]] = 0.2985
    reasons = refused(screen({**month.columns, "windspeed": wind}, None, None, detectors), "stuck")
    assert reasons[100:160].all() and reasons.sum() == 60


def test_rows_need_not_be_in_order_of_time(detectors: Detectors, month: Hours) -> None:
    wind = month.columns["windspeed"].copy()
    wind[100:160] = 0.0896
    columns = {**month.columns, "windspeed": wind}
    order = np.random.default_rng(1).permutation(len(wind))
    straight = refused(screen(columns, None, None, detectors), "stuck")
    assert (refused(screen(take(columns, order), None, None, detectors), "stuck") == straight[order]).all()


def test_polling_leaves_one_row_and_speaks_against_no_other(
    detectors: Detectors, month: Hours, model: PlainModel
) -> None:
    polled = take(month.columns, np.zeros(1000, np.int64))
    reasons = screen(*with_labels(month, model, polled, np.full(1000, month.labels[0])), detectors)
    assert (
        refused(reasons, "repeat").sum() == 1000 and not refused(reasons, "repeat")[: len(month.labels)].any()
    )
    assert not refused(reasons, "burst").any()


def test_a_burst_of_near_duplicates_is_refused(detectors: Detectors, month: Hours, model: PlainModel) -> None:
    rng = np.random.default_rng(2)
    burst = dict(take(month.columns, np.full(50, 250)))
    burst["windspeed"] = burst["windspeed"] + rng.uniform(0.0, 1e-4, 50)
    reasons = screen(*with_labels(month, model, burst, np.full(50, 900.0)), detectors)
    assert refused(reasons, "burst")[-50:].all() and refused(reasons, "burst")[:-50].sum() <= 1


def test_a_few_near_duplicates_are_refused_where_all_their_labels_lie_to_one_side(
    detectors: Detectors, month: Hours, model: PlainModel
) -> None:
    pair = dict(take(month.columns, np.full(2, 250)))
    pair["windspeed"] = pair["windspeed"] + np.array([1e-5, 2e-5])
    columns, labels, predictions = with_labels(month, model, pair, np.zeros(2))
    labels[-2:] = np.expm1(np.log1p(predictions[-2:]) + 1.9)
    assert refused(screen(columns, labels, predictions, detectors), "burst")[-2:].all()
    labels[-2:] = month.labels[250] + np.array([1.0, 2.0])
    assert not refused(screen(columns, labels, predictions, detectors), "burst")[-2:].any()


@pytest.mark.parametrize("label", [np.nan, -1.0, np.inf])
def test_a_label_that_is_none_is_refused(
    detectors: Detectors, month: Hours, model: PlainModel, label: float
) -> None:
    labels = month.labels.copy()
    labels[7] = label
    reasons = screen(month.columns, labels, model(month.columns), detectors)
    assert refused(reasons, "label")[7] and refused(reasons, "label").mean() < 0.05


def test_most_labels_poisoned_by_a_factor_of_ten_are_refused(
    detectors: Detectors, month: Hours, model: PlainModel
) -> None:
    rng = np.random.default_rng(3)
    poisoned = rng.random(len(month.labels)) < 0.02
    labels = np.where(poisoned, 10 * month.labels, month.labels)
    reasons = screen(month.columns, labels, model(month.columns), detectors)
    assert refused(reasons, "label")[poisoned].mean() > 0.8


def test_labels_are_not_judged_without_predictions_and_no_rows_are_fine(
    detectors: Detectors, month: Hours
) -> None:
    assert not refused(screen(month.columns, month.labels * 1000, None, detectors), "label").any()
    assert screen(month[:0].columns, None, None, detectors) == ()


def test_the_stuck_day_of_2012_is_refused(detectors: Detectors, second_year: Hours) -> None:
    day = second_year[second_year.frame["dteday"] == on("2012-08-17")]
    assert all(screen(day.columns, None, None, detectors))


def test_missing_and_odd_numbers_never_raise(detectors: Detectors, month: Hours) -> None:
    odd = np.resize(np.array([np.nan, np.inf, -1e300]), len(month.labels))
    columns = {**month.columns, **dict.fromkeys(LAYOUT.numbers, odd)}
    assert all(screen(columns, odd, odd, detectors))
