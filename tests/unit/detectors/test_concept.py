"""A changed concept is found within days of labels; an unchanged one alarms no more often than stated."""

from __future__ import annotations

import json

import numpy as np
import pytest

from detectors.concept import ConceptBaseline, ConceptJudgement, ConceptState, advance, fit_concept, start
from detectors.layout import Array
from detectors.screening import log_residuals
from detectors.stored import Detectors
from tests.unit.detectors.hours import Hours, PlainModel


def series(rng: np.random.Generator, days: int, deviation: float = 0.2, follow: float = 0.4) -> Array:
    """Daily levels of a first-order series with the stated deviation."""
    steps = rng.normal(0.0, deviation * np.sqrt(1 - follow**2), days + 50)
    for day in range(1, len(steps)):
        steps[day] += follow * steps[day - 1]
    return steps[50:]


def fitted(rng: np.random.Generator, rate: float = 0.5) -> ConceptBaseline:
    train, evaluation = series(rng, 350, 0.2 / 1.9), series(rng, 14)
    return fit_concept(
        np.arange(350).repeat(24),
        train.repeat(24),
        np.arange(350, 364).repeat(24),
        evaluation.repeat(24),
        rate,
    )


def run(baseline: ConceptBaseline, means: Array, first: int = 1000) -> list[ConceptJudgement]:
    state, found = start(), []
    for day, mean in enumerate(means, first):
        state, judgement = advance(baseline, state, day, np.full(24, mean))
        found.append(judgement)
    return found


def by_day(hours: Hours, model: PlainModel) -> dict[int, Array]:
    residuals = log_residuals(hours.labels, model(hours.columns))
    days = hours.columns["dteday"]
    return {int(day): residuals[days == day] for day in np.unique(days)}


def test_the_growth_of_2012_is_found_within_a_month_of_labels_even_with_a_plain_model(
    detectors: Detectors, second_year: Hours, model: PlainModel
) -> None:
    state, days = start(), list(by_day(second_year[second_year.months == 1], model).items())
    for day, residuals in days:
        state, judgement = advance(detectors.concept, state, day, residuals)
        if judgement.is_drift:
            break
    assert judgement.is_drift
    assert judgement.shift is not None and 0.2 < judgement.shift < 1.0
    assert judgement.since is not None and judgement.since <= days[3][0]
    assert judgement.reasons[0].startswith("concept: labels are +")


def test_the_days_it_was_trained_on_raise_no_alarm(
    detectors: Detectors, split: tuple[Hours, Hours], model: PlainModel
) -> None:
    state = start()
    for day, residuals in by_day(split[0], model).items():
        state, judgement = advance(detectors.concept, state, day, residuals)
        assert not judgement.is_drift


def test_unchanged_years_alarm_no_more_often_than_stated() -> None:
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(20):
        alarms += any(j.is_drift for j in run(fitted(rng), series(rng, 365)))
    assert alarms / 20 <= 0.5


@pytest.mark.parametrize("shift", [0.5, -0.5])
def test_a_shift_to_either_side_is_found(shift: float) -> None:
    rng = np.random.default_rng(6)
    judgements = run(fitted(rng), series(rng, 60) + shift)
    assert any(j.is_drift for j in judgements[:30])
    assert all((j.shift or 0.0) * shift > 0 for j in judgements if j.is_drift)


def test_a_state_that_was_written_and_read_goes_on_as_before() -> None:
    rng = np.random.default_rng(7)
    baseline, means = fitted(rng), series(rng, 40) + 0.3
    straight, restarted = start(), start()
    for day, mean in enumerate(means):
        straight, one = advance(baseline, straight, day, np.full(24, mean))
        restarted, other = advance(
            baseline, ConceptState.from_json(restarted.to_json()), day, np.full(24, mean)
        )
        assert one == other and straight == restarted
    assert json.loads(straight.to_json())["seen"] == list(range(40))


def test_a_day_that_was_judged_counts_once() -> None:
    baseline = fitted(np.random.default_rng(8))
    state, first = advance(baseline, start(), 5, np.full(24, 2.0))
    again, second = advance(baseline, state, 5, np.full(24, 2.0))
    assert again == state and first.counted and not second.counted and second.score == first.score


def test_a_late_day_counts_when_it_comes() -> None:
    baseline = fitted(np.random.default_rng(9))
    state, _ = advance(baseline, start(), 10, np.full(24, 2.0))
    late, judgement = advance(baseline, state, 7, np.full(24, 2.0))
    assert judgement.counted and late.seen == (7, 10) and late.upper.sum > state.upper.sum
    assert judgement.since == 7


def test_a_day_with_few_labels_counts_in_proportion() -> None:
    baseline = fitted(np.random.default_rng(10))
    whole, _ = advance(baseline, start(), 1, np.full(24, 2.0))
    part, _ = advance(baseline, start(), 1, np.full(6, 2.0))
    assert part.upper.sum == pytest.approx(whole.upper.sum / 4)


def test_one_wild_day_is_no_new_concept() -> None:
    rng = np.random.default_rng(11)
    baseline = fitted(rng)
    assert not run(baseline, np.array([-20.0]))[0].is_drift


@pytest.mark.parametrize("residuals", [[], [np.nan], [np.inf, -np.inf]])
def test_a_day_without_a_finite_residual_counts_for_nothing(residuals: list[float]) -> None:
    baseline = fitted(np.random.default_rng(12))
    state, judgement = advance(baseline, start(), 1, np.array(residuals))
    assert state == start() and not judgement.counted and judgement.day_mean is None


def test_after_a_recovery_the_alarm_ends() -> None:
    baseline = fitted(np.random.default_rng(13))
    judgements = run(baseline, np.concatenate([np.full(60, 0.6), np.full(60, baseline.mean)]))
    assert judgements[59].is_drift and not judgements[-1].is_drift


def test_a_baseline_without_evaluation_days_or_with_one_training_day_can_be_used() -> None:
    none = np.zeros(0)
    baseline = fit_concept(np.zeros(24, np.int64), np.full(24, 0.1), none.astype(np.int64), none, 0.5)
    assert np.isfinite(baseline.limit) and baseline.deviation > 0


def test_a_baseline_without_any_residual_is_refused() -> None:
    none = np.zeros(0)
    with pytest.raises(ValueError, match="training day"):
        fit_concept(none.astype(np.int64), none, none.astype(np.int64), none, 0.5)


def test_fewer_allowed_alarms_mean_a_higher_limit() -> None:
    limits = [fitted(np.random.default_rng(14), rate).limit for rate in (0.2, 0.5, 2.0)]
    assert limits == sorted(limits, reverse=True) and len(set(limits)) == 3
