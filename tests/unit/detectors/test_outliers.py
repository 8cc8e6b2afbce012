"""Implausible rows are flagged with reasons; plausible ones, odd or new as they may be, are not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from detectors.layout import Columns, take
from detectors.outliers import OutlierJudge, OutlierReference, fit_outliers
from detectors.stored import Detectors
from tests.unit.detectors.hours import LAYOUT, Hours, on

FLAG_RATE = 0.002


@pytest.fixture(scope="module")
def judge(detectors: Detectors) -> OutlierJudge:
    return OutlierJudge(detectors.outliers)


@pytest.fixture
def noon(first_year: Hours) -> dict[str, float]:
    """A plain hour: Wednesday 2011-06-15, 12:00."""
    frame = first_year.frame
    row = frame[(frame["dteday"] == on("2011-06-15")) & (frame["hr"] == 12)].iloc[0]
    return {name: row[name].item() for name in LAYOUT.features}


def rules(reasons: tuple[str, ...]) -> set[str]:
    return {reason.partition(":")[0] for reason in reasons}


def records(columns: Columns) -> list[dict[str, float]]:
    lists = {name: columns[name].tolist() for name in LAYOUT.features}
    return [dict(zip(lists, values)) for values in zip(*lists.values())]


def test_a_plain_hour_is_not_flagged(judge: OutlierJudge, noon: dict[str, float]) -> None:
    score, reasons = judge.row(noon)
    assert score <= 1.0 and reasons == ()


@pytest.mark.parametrize(
    ("change", "rule", "word"),
    [
        ({"temp": 75.0}, "range", "temp"),
        ({"hum": 62.0}, "range", "hum"),
        ({"temp": math.nan}, "missing", "temp"),
        ({"hr": math.nan}, "missing", "hr"),
        ({"dteday": math.inf}, "missing", "dteday"),
        ({"hr": 24}, "range", "hr"),
        ({"weekday": 2}, "combination", "weekday"),
        ({"workingday": 0}, "combination", "workingday"),
        ({"season": 4}, "combination", "season"),
        ({"atemp": 0.2424}, "distance", "atemp"),
        ({"temp": 0.1, "atemp": 0.1}, "distance", "temp"),
    ],
)
def test_an_implausible_hour_is_flagged_with_its_reason(
    judge: OutlierJudge, noon: dict[str, float], change: dict[str, float], rule: str, word: str
) -> None:
    score, reasons = judge.row({**noon, **change})
    assert score > 1.0 and math.isfinite(score)
    assert any(reason.startswith(f"{rule}: ") and word in reason for reason in reasons), reasons


def test_a_holiday_that_is_a_working_day_is_flagged(judge: OutlierJudge, noon: dict[str, float]) -> None:
    assert rules(judge.row({**noon, "holiday": 1})[1]) == {"combination"}


def test_a_holiday_on_a_weekday_that_never_had_one_is_explained_by_the_holiday(
    judge: OutlierJudge, noon: dict[str, float]
) -> None:
    assert judge.row({**noon, "holiday": 1, "workingday": 0})[1] == ()


def test_fahrenheit_sent_by_the_formula_for_celsius_is_flagged_in_most_rows(
    judge: OutlierJudge, second_year: Hours
) -> None:
    columns = dict(second_year.columns)
    celsius = columns["temp"] * 47 - 8
    columns["temp"] = (celsius * 1.8 + 32 + 8) / 47
    assert judge.rows(columns).flagged.mean() > 0.9


def test_permuted_numbers_are_flagged_in_most_rows(judge: OutlierJudge, second_year: Hours) -> None:
    columns = dict(second_year.columns)
    columns["temp"], columns["hum"] = columns["hum"], columns["temp"]
    assert judge.rows(columns).flagged.mean() > 0.5


def test_a_shifted_scale_is_flagged_in_most_rows(judge: OutlierJudge, second_year: Hours) -> None:
    columns = dict(second_year.columns)
    columns["atemp"] = columns["atemp"] * 0.5
    assert judge.rows(columns).flagged.mean() > 0.5


def test_small_targeted_perturbations_pass_since_they_are_plausible_weather(
    judge: OutlierJudge, second_year: Hours
) -> None:
    columns = dict(second_year.columns)
    columns["hum"] = np.clip(columns["hum"] + 0.05, 0.0, 1.0)
    assert judge.rows(columns).flagged.mean() < 0.02


def test_the_stuck_temperature_of_17_august_2012_is_flagged_all_day(
    judge: OutlierJudge, second_year: Hours
) -> None:
    day = second_year[second_year.frame["dteday"] == on("2012-08-17")]
    judged = judge.rows(day.columns)
    assert len(judged.flagged) == 24 and judged.flagged.all()
    assert all("atemp" in reasons[0] for reasons in judged.reasons)


def test_a_stuck_sensor_is_not_seen_in_a_row_that_it_happens_to_fit(
    judge: OutlierJudge, first_year: Hours
) -> None:
    day = first_year[first_year.frame["dteday"] == on("2011-06-15")]
    columns = {**day.columns, "windspeed": np.full(24, 0.194)}
    assert not judge.rows(columns).flagged.any()


def test_false_flags_in_another_year_stay_near_the_stated_rate(
    judge: OutlierJudge, second_year: Hours
) -> None:
    sound = second_year[second_year.frame["dteday"] != on("2012-08-17")]
    assert judge.rows(sound.columns).flagged.mean() < 2 * FLAG_RATE


def test_false_flags_in_an_unseen_season_stay_few(first_year: Hours) -> None:
    rates = []
    for quarter in range(4):
        out = (first_year.months - 1) // 3 == quarter
        judge = OutlierJudge(fit_outliers(first_year[~out].columns, LAYOUT, FLAG_RATE))
        rates.append(judge.rows(first_year[out].columns).flagged.mean())
    assert np.mean(rates) < 3 * FLAG_RATE


def test_one_row_and_many_rows_give_the_very_same_answers(judge: OutlierJudge, second_year: Hours) -> None:
    columns = dict(take(second_year.columns, np.arange(0, 8000, 9)))
    rng = np.random.default_rng(1)
    for name in ("temp", "hum"):
        columns[name] = np.where(
            rng.random(len(columns[name])) < 0.1, rng.normal(0, 50, len(columns[name])), columns[name]
        )
    columns["atemp"] = np.where(rng.random(len(columns["atemp"])) < 0.1, np.nan, columns["atemp"])
    columns["weekday"] = np.where(rng.random(len(columns["hr"])) < 0.1, 3, columns["weekday"])
    judged = judge.rows(columns)
    alone = [judge.row(record) for record in records(columns)]
    assert [score for score, _ in alone] == judged.score.tolist()
    assert tuple(reasons for _, reasons in alone) == judged.reasons
    assert [bool(reasons) for reasons in judged.reasons] == judged.flagged.tolist()
    assert 0.2 < judged.flagged.mean() < 0.6


@pytest.mark.parametrize(
    "values",
    [
        {},
        dict.fromkeys(LAYOUT.features),
        dict.fromkeys(LAYOUT.features, "text"),
        dict.fromkeys(LAYOUT.features, math.nan),
        dict.fromkeys(LAYOUT.features, 10**30),
        dict.fromkeys(LAYOUT.features, -(10.0**300)),
        dict.fromkeys(LAYOUT.features, math.inf),
        dict.fromkeys(LAYOUT.features, -1),
    ],
)
def test_odd_values_are_flagged_and_never_raise(judge: OutlierJudge, values: dict[str, float]) -> None:
    score, reasons = judge.row(values)
    assert reasons and math.isfinite(score) and score > 1.0


def test_odd_columns_never_raise(judge: OutlierJudge, noon: dict[str, float]) -> None:
    odd = np.array([math.nan, math.inf, -math.inf, 1e300, -1e300, -1.0, 2.5])
    judged = judge.rows(dict.fromkeys(LAYOUT.features, odd))
    assert judged.flagged.all() and np.isfinite(judged.score).all()


def test_no_rows_are_no_outliers(judge: OutlierJudge, second_year: Hours) -> None:
    assert judge.rows(second_year[:0].columns).reasons == ()


def test_judging_never_changes_the_reference(detectors: Detectors, second_year: Hours) -> None:
    before = arrays(detectors.outliers)
    attacked = {**second_year.columns, "temp": second_year.columns["temp"] * 3}
    OutlierJudge(detectors.outliers).rows(attacked)
    assert arrays(detectors.outliers) == before


def test_the_order_of_the_training_rows_does_not_matter(first_year: Hours) -> None:
    shuffled = take(first_year.columns, np.random.default_rng(2).permutation(len(first_year.labels)))
    one, other = (fit_outliers(columns, LAYOUT, FLAG_RATE) for columns in (first_year.columns, shuffled))
    np.testing.assert_allclose(one.distance_limit, other.distance_limit, rtol=1e-6)
    assert one.pairs == other.pairs


def test_a_number_that_never_varied_does_no_harm(first_year: Hours) -> None:
    columns = {**first_year.columns, "windspeed": np.zeros(len(first_year.labels))}
    judge = OutlierJudge(fit_outliers(columns, LAYOUT, FLAG_RATE))
    assert judge.rows(columns).flagged.mean() < 0.01


def test_training_rows_with_missing_numbers_are_left_out(first_year: Hours) -> None:
    columns = dict(first_year.columns)
    columns["hum"] = columns["hum"].copy()
    columns["hum"][::50] = math.nan
    reference = fit_outliers(columns, LAYOUT, FLAG_RATE)
    assert np.isfinite(reference.distance_limit).all()
    assert replace(reference, flag_rate=0.5).low.shape == (4,)


def arrays(reference: OutlierReference) -> list[bytes]:
    return [value.tobytes() for value in vars(reference).values() if isinstance(value, np.ndarray)]
