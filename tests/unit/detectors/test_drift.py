"""Windows that have changed are found, those that have not are left in peace, season seen or unseen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy import stats

from detectors.drift import DriftJudgement, DriftReference, fit_drift, judge_window, scipy_statistic
from detectors.layout import Columns, take
from detectors.stored import Detectors
from tests.unit.detectors.hours import LAYOUT, Hours

WINDOW, RATE = 168, 0.05


def windows(hours: Hours, step: int = WINDOW) -> Iterator[Columns]:
    for start in range(0, len(hours.labels) - WINDOW + 1, step):
        yield hours[start : start + WINDOW].columns


def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Columns], Columns]:
    return lambda window: {**window, name: change(window[name])}


@pytest.fixture(scope="module")
def reference(detectors: Detectors) -> DriftReference:
    return detectors.drift


@pytest.fixture(scope="module")
def week(second_year: Hours) -> Columns:
    """A plain week: the second of June 2012."""
    first = int(np.searchsorted(second_year.frame["dteday"], np.datetime64("2012-06-08", "D").astype(int)))
    return second_year[first : first + WINDOW].columns


def test_weeks_of_another_year_alarm_within_the_stated_rate(
    reference: DriftReference, second_year: Hours
) -> None:
    judgements = [judge_window(reference, window) for window in windows(second_year)]
    assert all(judgement.season_matched for judgement in judgements)
    assert np.mean([judgement.is_drift for judgement in judgements]) <= RATE


def test_weeks_of_seasons_that_were_never_seen_alarm_within_the_stated_rate(first_year: Hours) -> None:
    judgements: list[DriftJudgement] = []
    for quarter in range(4):
        out = (first_year.months - 1) // 3 == quarter
        own = fit_drift(first_year[~out].columns, LAYOUT, WINDOW, RATE)
        judgements.extend(judge_window(own, window) for window in windows(first_year[out]))
    assert not any(judgement.season_matched for judgement in judgements)
    assert {feature.test for judgement in judgements for feature in judgement.features} == {
        "missing", "range", "repeats", "relation",
    }  # fmt: skip
    assert np.mean([judgement.is_drift for judgement in judgements]) <= RATE


@pytest.mark.parametrize(
    ("change", "name"),
    [
        *((changed(name, lambda values: np.full_like(values, values[0])), name) for name in LAYOUT.numbers),
        (changed("temp", lambda values: ((values * 47 - 8) * 1.8 + 32 + 8) / 47), "temp"),
        (changed("hum", lambda values: values * 100), "hum"),
        (changed("temp", lambda values: values + 0.5 * 0.198), "temp"),
        (changed("temp", lambda values: values - 0.5 * 0.198), "temp"),
        (changed("windspeed", lambda values: np.where(np.arange(len(values)) % 3 == 0, math.nan, values)), "windspeed"),
    ],
    ids=["stuck temp", "stuck atemp", "stuck hum", "stuck wind", "Fahrenheit", "percent", "+0.5 sigma", "-0.5 sigma", "missing"],
)  # fmt: skip
def test_every_week_with_a_broken_sensor_is_found_and_the_sensor_is_named(
    reference: DriftReference, second_year: Hours, change: Callable[[Columns], Columns], name: str
) -> None:
    for window in windows(second_year, 4 * WINDOW):
        judgement = judge_window(reference, change(window))
        assert judgement.is_drift and judgement.score > judgement.threshold == 1.0
        assert any(name in reason for reason in judgement.reasons), judgement.reasons


def test_missing_values_alarm_and_do_not_silence_the_other_tests(
    reference: DriftReference, week: Columns
) -> None:
    window = {
        **week,
        "hum": np.where(np.arange(WINDOW) == 3, math.nan, week["hum"]),
        "temp": week["temp"] + 0.1,
    }
    judgement = judge_window(reference, window)
    assert judgement.missing["hum"] == pytest.approx(1 / WINDOW)
    assert judgement.is_drift and {f.test for f in judgement.features} >= {"missing", "values", "relation"}


def test_a_number_that_is_missing_altogether_is_the_first_reason(
    reference: DriftReference, week: Columns
) -> None:
    judgement = judge_window(reference, {**week, "hum": np.full(WINDOW, math.nan)})
    assert judgement.is_drift and judgement.reasons[0].startswith("missing: hum")


def test_the_order_of_served_rows_does_not_matter(reference: DriftReference, week: Columns) -> None:
    shuffled = take(week, np.random.default_rng(3).permutation(WINDOW))
    assert judge_window(reference, shuffled) == judge_window(reference, week)


def test_exact_repeats_of_a_row_count_once(reference: DriftReference, week: Columns) -> None:
    polled = take(week, np.concatenate([np.arange(WINDOW), np.zeros(500, np.int64)]))
    once, again = judge_window(reference, week), judge_window(reference, polled)
    assert again.features == once.features and again.rows == WINDOW + 500


def test_too_few_different_rows_are_not_compared_with_history(
    reference: DriftReference, week: Columns
) -> None:
    judgement = judge_window(reference, take(week, np.arange(30)))
    assert {feature.test for feature in judgement.features} == {"missing", "range", "repeats"}


def test_odd_windows_never_raise(reference: DriftReference, week: Columns) -> None:
    empty = judge_window(reference, take(week, np.arange(0)))
    assert not empty.is_drift and empty.first_date is None
    huge = judge_window(reference, {**week, "temp": np.full(WINDOW, 1e300), "hr": np.full(WINDOW, -7)})
    assert huge.is_drift and math.isfinite(huge.score)
    nothing = judge_window(
        reference, {**week, **{name: np.full(WINDOW, math.nan) for name in LAYOUT.numbers}}
    )
    assert nothing.is_drift


def test_values_that_went_through_float32_are_the_same_values(
    reference: DriftReference, week: Columns
) -> None:
    rounded = {**week, **{n: week[n].astype(np.float32).astype(np.float64) for n in LAYOUT.numbers}}
    assert judge_window(reference, rounded) == judge_window(reference, week)


def test_another_statistic_can_take_the_place_of_ours(reference: DriftReference, week: Columns) -> None:
    seen = []

    def always_far(history: np.ndarray, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append((history.shape[1], window.shape))
        assert np.isfinite(history).all() and np.isfinite(window).all()
        return np.ones(4), np.zeros(4)

    assert judge_window(reference, week, always_far).is_drift
    assert seen == [(4, (WINDOW, 4))] * 2


def test_our_statistic_is_that_of_scipy() -> None:
    rng = np.random.default_rng(4)
    history, window = rng.normal(size=(900, 3)).round(1), rng.normal(0.2, 1.0, size=(168, 3)).round(1)
    distances, p_values = scipy_statistic(history, window)
    for k in range(3):
        theirs = stats.ks_2samp(history[:, k], window[:, k], method="asymp")
        assert distances[k] == pytest.approx(theirs.statistic, abs=1e-12)
        assert p_values[k] == pytest.approx(theirs.pvalue, rel=0.2, abs=1e-6)


def test_effect_sizes_have_a_sign_and_a_scale(reference: DriftReference, week: Columns) -> None:
    judgement = judge_window(reference, {**week, "temp": week["temp"] - 0.5})
    (values,) = [f for f in judgement.features if (f.name, f.test) == ("temp", "values")]
    assert values.effect_size is not None and values.effect_size < -2.0
    assert values.p_value is not None and values.p_value < 0.01


def test_a_history_shorter_than_a_window_still_fits_and_judges_what_it_can(
    first_year: Hours, week: Columns
) -> None:
    own = fit_drift(first_year[:100].columns, LAYOUT, WINDOW, RATE)
    assert judge_window(own, {**week, "temp": week["temp"] * 100}).is_drift
    assert math.isfinite(judge_window(own, week).score)


def test_several_years_of_history_are_all_used(both_years: Hours) -> None:
    own = fit_drift(both_years.columns, LAYOUT, WINDOW, RATE)
    assert len(own.days) == len(both_years.labels)
