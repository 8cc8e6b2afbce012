"""Is the candidate good enough? Scores on the evaluation rows, and the rules that judge them. Arrays in, verdict out.

Every rule fails closed: a figure that is not a finite number has not passed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pedalflow.errors import ReleaseBroken
from pedalflow.run_record import GateResult, Score, SliceScore
from pedalflow.use_case import SliceFeature

Array = npt.NDArray[np.float64]
MODELS = ("candidate", "naive", "champion")


@dataclass(frozen=True)
class Rules:
    """The limits of the gates; `pipelines.settings.GateSettings` explains each field."""

    minimum_rows: int
    maximum_wape: float
    minimum_skill: float
    slice_minimum_rows: int
    slice_maximum_ratio: float
    champion_tolerance: float
    champion_slice_tolerance: float


@dataclass(frozen=True)
class Evaluation:
    """Scores of the candidate, the naive mean and, where there is one, the champion, on the same rows."""

    candidate: Score
    naive: Score
    champion: Score | None
    slices: tuple[SliceScore, ...]


def naive_predictions(
    train: pd.DataFrame, evaluation: pd.DataFrame, by: tuple[str, ...], label: str
) -> Array:
    """The mean label of the training rows in each group; the overall mean for a group that was never seen."""
    means = train.groupby(list(by))[label].mean().rename("naive")
    joined = evaluation[list(by)].join(means, on=list(by))["naive"]
    return joined.fillna(train[label].mean()).to_numpy(np.float64)


def score(actual: Array, predicted: Array) -> Score:
    """RMSE, MAE, WAPE and bias over at least one row. WAPE is MAE itself where there was no demand at all."""
    error = predicted - actual
    mae = float(np.mean(np.abs(error)))
    mean = float(np.mean(actual))
    wape = mae / mean if mean > 0 else mae
    return Score(len(actual), float(np.sqrt(np.mean(error**2))), mae, wape, float(np.mean(error)))


def evaluate(rows: pd.DataFrame, slices: tuple[SliceFeature, ...]) -> Evaluation:
    """Score all rows and every slice. `rows` has `actual`, `candidate`, `naive`, perhaps `champion`, and the slices' columns.

    Raises:
        ReleaseBroken: there are no rows, or a prediction is not a finite number.
    """
    if rows.empty:
        raise ReleaseBroken(
            "there are no evaluation rows, so nothing can be judged; check window.evaluation_days in params.yaml"
        )
    for model in MODELS:
        if model in rows and not np.isfinite(rows[model]).all():
            count = int((~np.isfinite(rows[model])).sum())
            raise ReleaseBroken(
                f"the {model} predicts no finite number for {count} of {len(rows)} evaluation rows"
            )
    overall = _scores(rows)
    return Evaluation(
        overall["candidate"],
        overall["naive"],
        overall.get("champion"),
        tuple(_slice_scores(rows, slices)),
    )


def judge(evaluation: Evaluation, rules: Rules) -> tuple[GateResult, ...]:
    """Apply every rule, overall first and then slice by slice."""
    return (
        *_overall(evaluation, rules),
        *(result for s in evaluation.slices for result in _in_slice(s, rules)),
    )


def _overall(evaluation: Evaluation, rules: Rules) -> Iterator[GateResult]:
    candidate, naive = evaluation.candidate, evaluation.naive
    yield _at_least(
        "enough rows",
        "overall",
        float(candidate.rows),
        float(rules.minimum_rows),
        "hours",
        "evaluation hours",
    )
    yield _at_most(
        "absolute error", "overall", candidate.wape, rules.maximum_wape, "WAPE", "MAE ÷ mean demand"
    )
    skill = 1.0 - _ratio(candidate.rmse, naive.rmse)
    yield _at_least(
        "skill over naive",
        "overall",
        skill,
        rules.minimum_skill,
        "skill",
        "1 - RMSE ÷ RMSE of the naive mean",
    )
    yield _against_champion("overall", candidate, evaluation.champion, rules.champion_tolerance)


def _in_slice(scores: SliceScore, rules: Rules) -> Iterator[GateResult]:
    name = f"{scores.feature}={scores.value}"
    if scores.candidate.rows < rules.slice_minimum_rows:
        note = f"{scores.candidate.rows} hours, fewer than {rules.slice_minimum_rows}: reported, not judged"
        yield GateResult("skill over naive", name, None, None, "RMSE ratio", True, note)
        return
    ratio = _ratio(scores.candidate.rmse, scores.naive.rmse)
    yield _at_most(
        "skill over naive",
        name,
        ratio,
        rules.slice_maximum_ratio,
        "RMSE ratio",
        "RMSE ÷ RMSE of the naive mean",
    )
    yield _against_champion(name, scores.candidate, scores.champion, rules.champion_slice_tolerance)


def _against_champion(name: str, candidate: Score, champion: Score | None, tolerance: float) -> GateResult:
    rule = "no worse than champion"
    if champion is None:
        return GateResult(
            rule, name, None, None, "RMSE ratio", True, "first release: there is no champion to compare with"
        )
    ratio = _ratio(candidate.rmse, champion.rmse)
    return _at_most(
        rule, name, ratio, 1.0 + tolerance, "RMSE ratio", "RMSE ÷ RMSE of the champion on the same hours"
    )


def _at_most(rule: str, name: str, value: float, limit: float, unit: str, what: str) -> GateResult:
    return _result(
        rule, name, value, limit, unit, math.isfinite(value) and value <= limit, f"{what}, at most {limit:g}"
    )


def _at_least(rule: str, name: str, value: float, limit: float, unit: str, what: str) -> GateResult:
    return _result(
        rule, name, value, limit, unit, math.isfinite(value) and value >= limit, f"{what}, at least {limit:g}"
    )


def _result(
    rule: str, name: str, value: float, limit: float, unit: str, passed: bool, note: str
) -> GateResult:
    if not math.isfinite(value):
        return GateResult(
            rule, name, None, limit, unit, False, f"{note}: could not be measured, which counts as failed"
        )
    return GateResult(rule, name, value, limit, unit, passed, note)


def _ratio(value: float, reference: float) -> float:
    """`value ÷ reference`; two perfect scores are equal, anything else over a perfect one has no finite ratio."""
    if reference == 0:
        return 1.0 if value == 0 else math.inf
    return value / reference


def _scores(rows: pd.DataFrame) -> dict[str, Score]:
    actual = rows["actual"].to_numpy(np.float64)
    return {model: score(actual, rows[model].to_numpy(np.float64)) for model in MODELS if model in rows}


def _slice_scores(rows: pd.DataFrame, slices: tuple[SliceFeature, ...]) -> Iterator[SliceScore]:
    for feature in slices:
        for value, codes in feature.bands.items():
            inside = rows[rows[feature.column].isin(codes)]
            if not inside.empty:
                scores = _scores(inside)
                yield SliceScore(
                    feature.name, value, scores["candidate"], scores["naive"], scores.get("champion")
                )


def failures(results: tuple[GateResult, ...]) -> tuple[GateResult, ...]:
    """The rules that said no."""
    return tuple(result for result in results if not result.passed)
