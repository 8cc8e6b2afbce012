"""The three ways of testing a demand model on this data, without any leak from the days that are predicted.

Rolling retraining follows the deployed product: when a month has arrived, its last 14 days become the
evaluation set, a candidate is trained on everything before them, and the gate compares candidate and champion
on those 14 days and nothing else. The following month is then predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.peers import Predictor, rmse

EVALUATION_DAYS = 14
FIRST_MONTH, LAST_MONTH, HALF_YEAR = 13, 24, 18

Fit = Callable[[pd.DataFrame], Predictor]
Models = dict[int, Predictor]


@dataclass(frozen=True)
class Month:
    """What happened when one month was predicted. Errors are RMSE; `gate_*` are those on the 14 evaluation
    days.
    """

    month: int
    rows: int
    first: float
    """The model of 2011, never retrained."""
    champion: float
    """The model that served until then: what staying would give."""
    candidate: float
    """The newly trained model: what retraining without a gate would give."""
    promoted: bool
    gate_champion: float
    gate_candidate: float

    @property
    def served(self) -> float:
        """Error of the model that the gate chose."""
        return self.candidate if self.promoted else self.champion

    @property
    def promoted_worse(self) -> bool:
        """In hindsight the gate promoted a model that was worse than staying."""
        return self.promoted and self.candidate > self.champion

    @property
    def refused_better(self) -> bool:
        """In hindsight the gate refused a model that was better than staying."""
        return not self.promoted and self.candidate < self.champion


def first_year(hours: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training rows 2011, test rows 2012."""
    return hours[hours["month"] < FIRST_MONTH], hours[hours["month"] >= FIRST_MONTH]


def half_year(hours: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training rows to June 2012, test rows July to December 2012."""
    return hours[hours["month"] <= HALF_YEAR], hours[hours["month"] > HALF_YEAR]


def fit_each_month(
    hours: pd.DataFrame, fit: Fit, last_month: int = LAST_MONTH, refit: bool = False
) -> Models:
    """The model trained before each month of 2012, by month; with `refit` on every row that has arrived by
    then.
    """
    models = {}
    for month in range(FIRST_MONTH, last_month + 1):
        train, evaluation = _arrived(hours, month)
        models[month] = fit(pd.concat([train, evaluation]) if refit else train)
    return models


def play(hours: pd.DataFrame, models: Models, tolerance: float) -> list[Month]:
    """Let the gate choose before every month between the champion and the model that was trained before that
    month.

    `tolerance`: a candidate is promoted when its error on the evaluation days is at most 1 + tolerance times
    the champion's.
    """
    first = champion = models[FIRST_MONTH]
    months = [_first_month(hours, first)]
    for month in sorted(models)[1:]:
        candidate = models[month]
        evaluation = _arrived(hours, month)[1]
        before, after = rmse(evaluation, champion(evaluation)), rmse(evaluation, candidate(evaluation))
        promoted = after <= before * (1.0 + tolerance)
        test = hours[hours["month"] == month]
        errors = {"first": first, "champion": champion, "candidate": candidate}
        scores = {name: rmse(test, predict(test)) for name, predict in errors.items()}
        months.append(
            Month(month, len(test), **scores, promoted=promoted, gate_champion=before, gate_candidate=after)
        )
        champion = candidate if promoted else champion
    return months


def pooled(months: Iterable[Month], error: Callable[[Month], float]) -> float:
    """RMSE over all rows of all months, from the months' own."""
    listed = list(months)
    squares = sum(month.rows * error(month) ** 2 for month in listed)
    return float(np.sqrt(squares / sum(month.rows for month in listed)))


def _arrived(hours: pd.DataFrame, month: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and evaluation rows that exist on the first day of `month`."""
    known = hours[hours["month"] < month]
    first_evaluation_day = int(known["day"].max()) - EVALUATION_DAYS + 1
    return known[known["day"] < first_evaluation_day], known[known["day"] >= first_evaluation_day]


def _first_month(hours: pd.DataFrame, first: Predictor) -> Month:
    """January 2012: the first model is the candidate and the champion, so there is nothing to decide."""
    test = hours[hours["month"] == FIRST_MONTH]
    evaluation = _arrived(hours, FIRST_MONTH)[1]
    error, gate = rmse(test, first(test)), rmse(evaluation, first(evaluation))
    return Month(FIRST_MONTH, len(test), error, error, error, True, gate, gate)
