"""Has the relation of inputs to label changed? Two-sided CUSUM of daily mean residuals, judged as labels arrive.

Residuals are log1p(label) - log1p(prediction), averaged by day: hours of a day err alike, so an hourly test alarms too often. The limit
comes from simulated years in which nothing changes. CUSUM: Page, "Continuous inspection schemes", 1954; the simulation is the sieve
bootstrap of Bühlmann, "Sieve bootstrap for time series", 1997, of first order.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

import numpy as np

from detectors.layout import Array, Integers

SLACK = 1.0  # standard deviations of a day that count as no change; best for finding shifts of twice as many
CLIP = 4.0  # standard deviations that one day may count for at most: one storm is no new concept
CAP = 1.5  # × the limit, where the sum stops, so that it comes back within days of a recovery
# From models of 2011 that never saw the month they were judged on (docs/detectors.md): a day's deviation is so many times that of training
# days, and `LEVEL` of it, in deviations of a day, stays for weeks: even a good model is off by something.
INFLATION, INFLATION_SPREAD = 1.9, 1.2
LEVEL = 0.5
MOST_AUTOCORRELATION = 0.8
SIMULATED_YEARS = 400
DAYS_IN_YEAR = 365
REMEMBERED_DAYS = 400  # a day that was judged is known again for as long
SEED = 20110101
BURN_IN_DAYS = 30


@dataclass(frozen=True)
class ConceptBaseline:
    """What daily residuals look like while nothing changes, and the `limit` of the sums in standard deviations of a day.

    `rows_per_day` is what a whole day holds; a day with fewer counts in proportion. `inflation` is how much more the model errs on
    days it was not trained on.
    """

    mean: float
    deviation: float
    autocorrelation: float
    inflation: float
    rows_per_day: float
    slack: float
    limit: float
    false_alarms_per_year: float
    train_days: int
    evaluation_days: int


@dataclass(frozen=True)
class Side:
    """One side's sum, in standard deviations of a day, and since it was last 0: residuals beyond the baseline, days, and the first day."""

    sum: float = 0.0
    beyond: float = 0.0
    days: int = 0
    since: int | None = None


@dataclass(frozen=True)
class ConceptState:
    """What is remembered between days: both sides, and the days that were judged."""

    upper: Side = Side()
    lower: Side = Side()
    seen: tuple[int, ...] = ()

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ConceptState:
        """The state that `to_json` wrote. Raises ValueError, KeyError or TypeError where it is none."""
        fields = json.loads(text)
        return cls(Side(**fields["upper"]), Side(**fields["lower"]), tuple(fields["seen"]))


@dataclass(frozen=True)
class ConceptJudgement:
    """The verdict after one day. `score` is the greater sum ÷ its limit, `threshold` 1; `day_mean` that day's mean log residual.

    `shift` is the mean log residual beyond the baseline since `since`, the day from which the change is counted: +0.1 says that
    labels are about 10 % above what the model expects. Both are None while there is no sign of a change.
    """

    is_drift: bool
    score: float
    threshold: float
    day: int
    counted: bool
    day_mean: float | None
    shift: float | None
    since: int | None
    reasons: tuple[str, ...]


def start() -> ConceptState:
    """Before the first day."""
    return ConceptState()


def fit_concept(
    train_days: Integers,
    train_residuals: Array,
    evaluation_days: Integers,
    evaluation_residuals: Array,
    false_alarms_per_year: float,
) -> ConceptBaseline:
    """Learn from residuals by row. Days the model was trained on are many but flattering; evaluation days are honest but few.

    Raises ValueError where there is no training day with a finite residual.
    """
    train, rows = _daily_means(train_days, train_residuals)
    evaluation, _ = _daily_means(evaluation_days, evaluation_residuals)
    if not len(train):
        raise ValueError("there is no training day with a residual; a concept baseline needs at least one")
    deviation = max(float(train.std()), 1e-6)
    autocorrelation = max(_autocorrelation(train), _autocorrelation(evaluation))
    autocorrelation = min(max(autocorrelation, 0.0), MOST_AUTOCORRELATION)
    inflation = _inflation(evaluation, deviation, autocorrelation)
    mean, unsure = _baseline_mean(train, evaluation, deviation * inflation, autocorrelation)
    limit = _limit((train - train.mean()) / deviation, autocorrelation, unsure, false_alarms_per_year)
    return ConceptBaseline(
        mean,
        deviation * inflation,
        autocorrelation,
        inflation,
        float(np.median(rows)),
        SLACK,
        limit,
        false_alarms_per_year,
        len(train),
        len(evaluation),
    )


def _daily_means(days: Integers, residuals: Array) -> tuple[Array, Array]:
    """Mean and number of finite residuals of each day, in order of days."""
    finite = np.isfinite(residuals)
    unique, places = np.unique(days[finite], return_inverse=True)
    counts = np.bincount(places, minlength=len(unique)).astype(np.float64)
    return np.bincount(places, residuals[finite], len(unique)) / np.maximum(counts, 1.0), counts


def _autocorrelation(values: Array) -> float:
    """Of neighbouring days; 0 where there are too few to tell."""
    if len(values) < 3 or values.std() == 0:
        return 0.0
    centred = values - values.mean()
    return float((centred[1:] * centred[:-1]).sum() / (centred**2).sum())


def _independent(days: int, autocorrelation: float) -> float:
    """How many independent days tell as much about the mean."""
    return max(1.0, days * (1.0 - autocorrelation) / (1.0 + autocorrelation))


def _inflation(evaluation: Array, deviation: float, autocorrelation: float) -> float:
    """Deviation on new days ÷ on training days: what evaluation says and what is usual, weighted by how sure each is (log variances).

    Never below what is usual: a calm fortnight is luck.
    """
    usual, spread = 2.0 * math.log(INFLATION), 2.0 * math.log(INFLATION_SPREAD)
    if len(evaluation) < 3 or evaluation.std() == 0:
        return INFLATION
    measured = 2.0 * math.log(float(evaluation.std(ddof=1)) / deviation)
    weight = _independent(len(evaluation), autocorrelation) / 2.0
    prior = 1.0 / spread**2
    return max(INFLATION, math.exp((usual * prior + measured * weight) / (prior + weight) / 2.0))


def _baseline_mean(
    train: Array, evaluation: Array, deviation: float, autocorrelation: float
) -> tuple[float, float]:
    """Between the mean of training and that of evaluation, and how unsure it is, in deviations: few days move it little."""
    if not len(evaluation):
        return float(train.mean()), LEVEL
    within = 1.0 / _independent(len(evaluation), autocorrelation)
    weight = LEVEL**2 / (LEVEL**2 + within)
    mean = float(train.mean() + weight * (evaluation.mean() - train.mean()))
    return mean, math.sqrt(weight * within)


def _limit(standardised: Array, autocorrelation: float, unsure: float, false_alarms_per_year: float) -> float:
    """The smallest limit with at most the stated alarms a year, in simulated years in which nothing changes."""
    series = _unchanged_years(standardised, autocorrelation, unsure)
    low, high = 1.0, 200.0
    while high - low > 0.05:
        middle = (low + high) / 2.0
        if _alarms(series, middle) / SIMULATED_YEARS > false_alarms_per_year:
            low = middle
        else:
            high = middle
    return round(high, 3)


def _unchanged_years(standardised: Array, autocorrelation: float, unsure: float) -> Array:
    """float64[days, years], in deviations of a day.

    A day follows the day before, plus an innovation drawn from those of training. Each year has an offset of its own, since the
    baseline's mean is not known exactly.
    """
    innovations = (
        standardised[1:] - autocorrelation * standardised[:-1] if len(standardised) > 2 else np.zeros(1)
    )
    innovations = innovations - innovations.mean()
    innovations *= math.sqrt(1.0 - autocorrelation**2) / max(float(innovations.std()), 1e-9)
    rng = np.random.default_rng(SEED)
    drawn = rng.choice(innovations, (BURN_IN_DAYS + DAYS_IN_YEAR, SIMULATED_YEARS))
    for day in range(1, len(drawn)):
        drawn[day] += autocorrelation * drawn[day - 1]
    offsets = rng.normal(0.0, unsure, SIMULATED_YEARS)
    series: Array = np.clip(drawn[BURN_IN_DAYS:] + offsets, -CLIP, CLIP)
    return series


def _alarms(series: Array, limit: float) -> int:
    """Alarms in all simulated years, where each alarm starts both sums anew."""
    upper, lower = np.zeros(series.shape[1]), np.zeros(series.shape[1])
    alarms = 0
    for values in series:
        upper, lower = np.maximum(0.0, upper + values - SLACK), np.maximum(0.0, lower - values - SLACK)
        over = np.maximum(upper, lower) > limit
        alarms += int(over.sum())
        upper[over], lower[over] = 0.0, 0.0
    return alarms


def advance(
    baseline: ConceptBaseline, state: ConceptState, day: int, residuals: Array
) -> tuple[ConceptState, ConceptJudgement]:
    """Take in one day. A late day counts when it comes; a day that was already judged, or has no finite residual, counts for nothing."""
    finite = np.asarray(residuals, np.float64)
    finite = finite[np.isfinite(finite)]
    if day in state.seen or not len(finite):
        return state, _judgement(baseline, state, day, None)
    mean = float(finite.mean())
    beyond = mean - baseline.mean
    whole = min(1.0, len(finite) / baseline.rows_per_day)
    standard = max(-CLIP, min(CLIP, beyond / baseline.deviation))
    upper = _after(state.upper, whole * (standard - baseline.slack), beyond, day, baseline.limit)
    lower = _after(state.lower, whole * (-standard - baseline.slack), beyond, day, baseline.limit)
    after = ConceptState(upper, lower, tuple(sorted((*state.seen, day))[-REMEMBERED_DAYS:]))
    return after, _judgement(baseline, after, day, mean)


def _after(side: Side, step: float, beyond: float, day: int, limit: float) -> Side:
    """One side after a day's `step`."""
    total = min(CAP * limit, side.sum + step)
    if total <= 0.0:
        return Side()
    since = day if side.since is None else min(side.since, day)
    return Side(total, side.beyond + beyond, side.days + 1, since)


def _judgement(
    baseline: ConceptBaseline, state: ConceptState, day: int, mean: float | None
) -> ConceptJudgement:
    side = max(state.upper, state.lower, key=lambda each: each.sum)
    score = side.sum / baseline.limit
    shift = side.beyond / side.days if side.days else None
    reasons: tuple[str, ...] = ()
    if score > 1.0 and shift is not None:
        percent = 100.0 * math.expm1(shift)
        reasons = (f"concept: labels are {percent:+.0f} % from what the model expects over {side.days} days",)
    return ConceptJudgement(score > 1.0, score, 1.0, day, mean is not None, mean, shift, side.since, reasons)
