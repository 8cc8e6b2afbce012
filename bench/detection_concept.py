"""How many days of labels it takes to see that the demand of 2012 is another, and how often an unchanged year alarms.

Unchanged: 2011 by a peer (gradient boosted trees) that never saw the fortnight it predicts. Its residuals on its own training rows
make the baseline, each fortnight in turn stands as the evaluation days, and the whole year is watched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor

from bench.detection_model import OnnxModel
from bench.detection_windows import LAYOUT, Frame, columns
from bench.table import table
from detectors.concept import ConceptBaseline, advance, fit_concept, start
from detectors.screening import log_residuals
from detectors.stored import Detectors

Array = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]
Alarms = Callable[["History", Array], list[int]]
"""(what is known, daily means of log residuals) → places of the alarms; each starts anew after one."""

SIGMAS = 3.0
PAGE_HINKLEY_LIMIT, PAGE_HINKLEY_DELTA, PAGE_HINKLEY_FEWEST = 6.0, 0.1, 14
WEEK, FORTNIGHT = 7, 14


class History:
    """Daily means in training and evaluation, and our baseline of them."""

    def __init__(self, baseline: ConceptBaseline, train: Array, evaluation: Array) -> None:
        self.baseline, self.train, self.evaluation = baseline, train, evaluation


def ours(known: History, means: Array) -> list[int]:
    """The detector of the release."""
    found, state = [], start()
    for place, mean in enumerate(means):
        state, judgement = advance(
            known.baseline, state, place, np.full(round(known.baseline.rows_per_day), mean)
        )
        if judgement.is_drift:
            found.append(place)
            state = start()
    return found


def three_sigma(known: History, means: Array) -> list[int]:
    """A day beyond three deviations of the training days."""
    beyond = np.abs(means - known.train.mean()) > SIGMAS * known.train.std()
    return np.flatnonzero(beyond).tolist()


def weekly_mean(known: History, means: Array) -> list[int]:
    """The mean of seven days beyond three deviations of training's weekly means."""
    weeks = known.train[: len(known.train) // WEEK * WEEK].reshape(-1, WEEK).mean(axis=1)
    found, begin = [], 0
    for place in range(len(means)):
        if place - begin + 1 < WEEK:
            continue
        if abs(means[place - WEEK + 1 : place + 1].mean() - weeks.mean()) > SIGMAS * weeks.std():
            found.append(place)
            begin = place + 1
    return found


def page_hinkley(known: History, means: Array) -> list[int]:
    """Page-Hinkley on days in training deviations, begun on the evaluation days: threshold 6, delta 0.1, at least 14 days."""
    found: list[int] = []
    sums, lowest, highest, count, mean = np.zeros(2), 0.0, 0.0, 0, 0.0
    stream = np.concatenate([known.evaluation, means]) / known.train.std()
    for place, value in enumerate(stream, -len(known.evaluation)):
        count += 1
        mean += (value - mean) / count
        sums += (value - mean - PAGE_HINKLEY_DELTA, value - mean + PAGE_HINKLEY_DELTA)
        lowest, highest = min(lowest, sums[0]), max(highest, sums[1])
        over = max(sums[0] - lowest, highest - sums[1]) > PAGE_HINKLEY_LIMIT
        if over and count >= PAGE_HINKLEY_FEWEST:
            found.extend([place] if place >= 0 else [])
            sums, lowest, highest, count, mean = np.zeros(2), 0.0, 0.0, 0, 0.0
    return found


DETECTORS: Mapping[str, Alarms] = {
    "ours": ours,
    "3 σ, daily mean": three_sigma,
    "3 σ, weekly mean": weekly_mean,
    "Page-Hinkley (6, 0.1, 14)": page_hinkley,
}


def concept_table(
    hours: Frame, model: OnnxModel, detectors: Detectors, evaluation_days: int
) -> tuple[str, int | None]:
    """The table, and the days of labels that ours needs from 1 January 2012 on."""
    first, second = hours[hours["yr"] == 0], hours[hours["yr"] == 1]
    last = first["dteday"].max() - evaluation_days
    before = _daily(first["dteday"].to_numpy(), _residuals(model, first))
    train = int((np.unique(first["dteday"]) <= last).sum())
    known = History(detectors.concept, before[:train], before[train:])
    means = _daily(second["dteday"].to_numpy(), _residuals(model, second))
    begins = [
        int((np.unique(second["dteday"]) < second[second["mnth"] == m]["dteday"].min()).sum())
        for m in range(1, 13)
    ]
    unchanged = _unchanged(first, detectors.concept.false_alarms_per_year)
    rows, needed = [], {}
    for name, alarms in DETECTORS.items():
        days = [next(iter(alarms(known, means[begin:])), None) for begin in begins]
        found = [None if day is None else day + 1 for day in days]
        needed[name] = found[0]
        yearly = [len(alarms(own, year)) for own, year in unchanged]
        own_days = len(alarms(known, before))
        rows.append(
            [name, f"{np.mean(yearly):.2f}", own_days, *("-" if day is None else day for day in found)]
        )
    title = (
        f"Concept drift: alarms in an unchanged year (stated for ours: {detectors.concept.false_alarms_per_year:g}), alarms on the "
        "model's own 2011, and days of labels to the first alarm where labels begin on the first of each month of 2012."
    )
    headers = ["", "unchanged year", "own 2011", *(f"2012-{month:02d}" for month in range(1, 13))]
    return f"{title}\n\n{table(headers, rows)}", needed["ours"]


def _residuals(model: OnnxModel, rows: Frame) -> Array:
    return log_residuals(rows["cnt"].to_numpy(np.float64), model(columns(rows)))


def _daily(days: Days, residuals: Array) -> Array:
    _, places = np.unique(days, return_inverse=True)
    return np.bincount(places, residuals) / np.bincount(places)


def _unchanged(year: Frame, rate: float) -> list[tuple[History, Array]]:
    """What is known with each fortnight as the evaluation days, and the year by models that never saw the fortnight they predict."""
    days = year["dteday"].to_numpy()
    fortnights = (days - days.min()) // FORTNIGHT
    features = year[[name for name in LAYOUT.features if name != LAYOUT.date]].to_numpy(np.float64)
    target = np.log1p(year["cnt"].to_numpy(np.float64))
    honest = np.empty(len(target))
    for fortnight in np.unique(fortnights):
        inside = fortnights == fortnight
        honest[inside] = target[inside] - _peer().fit(features[~inside], target[~inside]).predict(
            features[inside]
        )
    own = target - _peer().fit(features, target).predict(features)
    whole = _daily(days, honest)
    found = []
    for fortnight in np.unique(fortnights)[:-1]:
        inside = fortnights == fortnight
        baseline = fit_concept(days[~inside], own[~inside], days[inside], honest[inside], rate)
        known = History(baseline, _daily(days[~inside], own[~inside]), _daily(days[inside], honest[inside]))
        found.append((known, whole))
    return found


def _peer() -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(max_iter=150, learning_rate=0.08)
