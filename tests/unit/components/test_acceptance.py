"""The acceptance rules, one by one: passing, failing, at the limit, and where nothing can be measured."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from components.acceptance import (
    Evaluation,
    Rules,
    evaluate,
    failures,
    judge,
    naive_predictions,
    score,
)
from pedalflow.errors import ReleaseBroken
from pedalflow.run_record import GateResult, Score, SliceScore
from pedalflow.use_case import SliceFeature

RULES = Rules(
    minimum_rows=100,
    maximum_wape=0.4,
    minimum_skill=0.25,
    slice_minimum_rows=24,
    slice_maximum_ratio=1.5,
    champion_tolerance=0.25,
    champion_slice_tolerance=0.5,
)
GOOD = Score(rows=200, rmse=50.0, mae=30.0, wape=0.2, bias=1.0)
NAIVE = replace(GOOD, rmse=100.0)
DAY = SliceFeature("day", "day", {"off": (0,), "working": (1,)})
NAN, INF = math.nan, math.inf


def decision(evaluation: Evaluation, rule: str, where: str = "overall") -> GateResult:
    (found,) = [r for r in judge(evaluation, RULES) if (r.rule, r.slice) == (rule, where)]
    return found


def in_slice(candidate: Score, champion: Score | None = None, naive: Score = NAIVE) -> Evaluation:
    return Evaluation(GOOD, NAIVE, None, (SliceScore("hour", "night", candidate, naive, champion),))


@pytest.mark.parametrize(
    ("rule", "change", "passed"),
    [
        ("enough rows", {"rows": 101}, True),
        ("enough rows", {"rows": 100}, True),
        ("enough rows", {"rows": 99}, False),
        ("absolute error", {"wape": 0.39}, True),
        ("absolute error", {"wape": 0.4}, True),
        ("absolute error", {"wape": 0.4000001}, False),
        ("absolute error", {"wape": NAN}, False),
        ("absolute error", {"wape": INF}, False),
        ("absolute error", {"wape": -INF}, False),
        ("skill over naive", {"rmse": 74.0}, True),
        ("skill over naive", {"rmse": 75.0}, True),
        ("skill over naive", {"rmse": 75.1}, False),
        ("skill over naive", {"rmse": NAN}, False),
        ("skill over naive", {"rmse": INF}, False),
    ],
)
def test_overall_rule(rule: str, change: dict[str, float], passed: bool) -> None:
    assert decision(Evaluation(replace(GOOD, **change), NAIVE, None, ()), rule).passed is passed


@pytest.mark.parametrize(
    ("rmse", "champion", "passed"),
    [
        (50.0, 50.0, True),
        (62.5, 50.0, True),
        (62.6, 50.0, False),
        (NAN, 50.0, False),
        (50.0, NAN, False),
        (50.0, 0.0, False),
        (0.0, 0.0, True),
    ],
)
def test_candidate_against_champion(rmse: float, champion: float, passed: bool) -> None:
    evaluation = Evaluation(replace(GOOD, rmse=rmse), NAIVE, replace(GOOD, rmse=champion), ())
    assert decision(evaluation, "no worse than champion").passed is passed


def test_first_run_has_no_champion_and_passes_that_rule_saying_so() -> None:
    found = decision(Evaluation(GOOD, NAIVE, None, ()), "no worse than champion")
    assert found.passed
    assert found.value is None
    assert found.note.startswith("first release")


def test_perfect_naive_model_fails_a_candidate_that_errs() -> None:
    found = decision(Evaluation(GOOD, replace(NAIVE, rmse=0.0), None, ()), "skill over naive")
    assert (found.passed, found.value) == (False, None)
    assert "could not be measured" in found.note


@pytest.mark.parametrize(("rmse", "passed"), [(149.0, True), (150.0, True), (150.1, False), (NAN, False)])
def test_slice_against_naive(rmse: float, passed: bool) -> None:
    found = decision(in_slice(replace(GOOD, rmse=rmse)), "skill over naive", "hour=night")
    assert found.passed is passed


@pytest.mark.parametrize(("rmse", "passed"), [(75.0, True), (75.1, False), (NAN, False)])
def test_slice_against_champion_has_its_own_tolerance(rmse: float, passed: bool) -> None:
    found = decision(in_slice(replace(GOOD, rmse=rmse), GOOD), "no worse than champion", "hour=night")
    assert found.passed is passed
    assert found.limit == 1.5


def test_slice_with_too_few_rows_is_reported_and_not_judged() -> None:
    results = judge(in_slice(replace(GOOD, rows=23, rmse=1e9), GOOD), RULES)
    (found,) = [result for result in results if result.slice == "hour=night"]
    assert (found.passed, found.value, found.limit) == (True, None, None)
    assert "reported, not judged" in found.note


def test_slice_with_just_enough_rows_is_judged() -> None:
    results = judge(in_slice(replace(GOOD, rows=24, rmse=1e9), GOOD), RULES)
    assert [r.passed for r in results if r.slice == "hour=night"] == [False, False]


def test_unmeasurable_figures_are_written_as_null_so_that_the_record_stays_json() -> None:
    bad = replace(GOOD, rmse=NAN, wape=INF)
    for result in judge(Evaluation(bad, NAIVE, GOOD, (SliceScore("a", "b", bad, NAIVE, GOOD),)), RULES):
        assert result.value is None or math.isfinite(result.value)


def test_failures_are_the_rules_that_said_no_overall_first() -> None:
    bad = replace(GOOD, wape=1.0, rmse=1000.0)
    results = judge(Evaluation(bad, NAIVE, None, (SliceScore("a", "b", bad, NAIVE, None),)), RULES)
    assert [(r.rule, r.slice) for r in failures(results)] == [
        ("absolute error", "overall"),
        ("skill over naive", "overall"),
        ("skill over naive", "a=b"),
    ]


def test_score_of_a_known_case() -> None:
    found = score(np.array([10.0, 20.0, 30.0]), np.array([13.0, 16.0, 30.0]))
    assert found.rows == 3
    assert found.rmse == pytest.approx(math.sqrt(25 / 3))
    assert found.mae == pytest.approx(7 / 3)
    assert found.wape == pytest.approx(7 / 60)
    assert found.bias == pytest.approx(-1 / 3)


def test_wape_without_demand_is_the_mean_absolute_error() -> None:
    assert score(np.zeros(2), np.array([3.0, 5.0])).wape == 4.0


def test_naive_prediction_is_the_group_mean_and_the_overall_mean_for_an_unseen_group() -> None:
    train = pd.DataFrame({"hr": [0, 0, 1], "workingday": [0, 0, 0], "cnt": [2, 4, 9]})
    asked = pd.DataFrame({"hr": [1, 0, 1, 5], "workingday": [0, 0, 1, 0]}, index=[7, 3, 3, 1])
    found = naive_predictions(train, asked, ("hr", "workingday"), "cnt")
    np.testing.assert_allclose(found, [9.0, 3.0, 5.0, 5.0])


def test_naive_prediction_knows_nothing_of_the_evaluation_rows_labels() -> None:
    train = pd.DataFrame({"hr": [0], "cnt": [2]})
    with_label = naive_predictions(train, pd.DataFrame({"hr": [0], "cnt": [99]}), ("hr",), "cnt")
    np.testing.assert_allclose(with_label, [2.0])


def rows(**changes: list[float]) -> pd.DataFrame:
    table = {"actual": [10.0, 20.0], "candidate": [11.0, 20.0], "naive": [15.0, 15.0], "day": [0, 1]}
    return pd.DataFrame({**table, **changes})


def test_every_slice_with_rows_is_scored_on_its_rows_alone() -> None:
    found = evaluate(rows(), (DAY,))
    assert [(s.feature, s.value, s.candidate.rows, s.candidate.mae) for s in found.slices] == [
        ("day", "off", 1, 1.0),
        ("day", "working", 1, 0.0),
    ]
    assert found.champion is None


def test_slice_without_rows_is_left_out() -> None:
    assert [s.value for s in evaluate(rows(day=[1, 1]), (DAY,)).slices] == ["working"]


def test_champion_is_scored_where_it_predicted() -> None:
    found = evaluate(rows(champion=[10.0, 22.0]), (DAY,))
    assert found.champion is not None
    assert found.champion.mae == 1.0
    assert [s.champion.mae for s in found.slices if s.champion] == [0.0, 2.0]


def test_no_rows_cannot_be_judged() -> None:
    with pytest.raises(ReleaseBroken, match="no evaluation rows"):
        evaluate(rows().iloc[:0], (DAY,))


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("model", ["candidate", "naive", "champion"])
def test_prediction_that_is_no_finite_number_names_its_model(model: str, value: float) -> None:
    with pytest.raises(ReleaseBroken, match=f"the {model} predicts no finite number for 1 of 2"):
        evaluate(rows(**{model: [value, 1.0]}), (DAY,))
