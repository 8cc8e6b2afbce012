"""How fast demand grows, where the training rows can tell.

One year of data cannot separate growth from season: every day of it differs from every other day in both. So
the rate is taken only from *matched* days, the same season seen in two years, and only from the most recent
of them; while there are too few, there is no growth term at all. The rule and what else was tried:
docs/decisions/0020-growth-rule.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bikeshare.calendar import DAYS_PER_YEAR

MATCH_DISTANCE_DAYS = 365
MINIMUM_MATCHED_DAYS = 14
WINDOW_MATCHED_DAYS = 56
CATEGORIES: Mapping[str, int] = {"weekday": 7, "holiday": 2, "weathersit": 5}
NUMBERS = ("temp", "hum", "windspeed")
COVARIATES = ("hr", "workingday", *CATEGORIES, *NUMBERS)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Growth:
    """Yearly log rate of growth: demand multiplies by exp(rate) in a year. `reason` says where the rate comes
    from.
    """

    rate: float
    identified: bool
    reason: str
    matched_days: int


def estimate(t_days: npt.ArrayLike, covariates: Mapping[str, npt.ArrayLike], count: npt.ArrayLike) -> Growth:
    """Estimate the growth rate from training rows alone.

    `t_days`: whole days since 2011-01-01, one for each row. `covariates`: the columns of `COVARIATES`, as
    long as `t_days`; numbers may be raw or scaled, they are standardised here. `count`: the hour's rentals.
    Raises ValueError for a missing column, a wrong length or a negative count.
    """
    days = np.asarray(t_days).reshape(-1).astype(np.int64)
    columns, target = _checked(days, covariates, count)
    later = matched_days(days)
    if later.size < MINIMUM_MATCHED_DAYS:
        reason = (
            f"{later.size} days of the training rows were also seen a year before and {MINIMUM_MATCHED_DAYS} "
            "are needed: growth cannot be told from season, so the model carries none"
        )
        return Growth(0.0, False, reason, int(later.size))
    recent = later[-WINDOW_MATCHED_DAYS:]
    is_later = np.isin(days, recent)
    rows = is_later | np.isin(days, recent - MATCH_DISTANCE_DAYS)
    design = _design({name: values[rows] for name, values in columns.items()}, is_later[rows])
    log_ratio = float(poisson_fit(design, target[rows])[0])
    rate = round(log_ratio * DAYS_PER_YEAR / MATCH_DISTANCE_DAYS, 6)
    reason = f"identified from the {recent.size} most recent days that were also seen a year before"
    return Growth(rate, True, reason, int(later.size))


def matched_days(t_days: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Days, in order, whose day a year before is among the rows too."""
    present = np.unique(t_days)
    return present[np.isin(present - MATCH_DISTANCE_DAYS, present)]


def poisson_fit(design: Array, target: Array, rounds: int = 25, ridge: float = 1e-3) -> Array:
    """Coefficients of a Poisson regression with log link, by iteratively reweighted least squares.

    The small ridge makes indicator columns that repeat each other harmless. Raises ValueError where every
    count is zero.
    """
    if target.sum() <= 0:
        raise ValueError("growth cannot be estimated: every count of the matched days is zero")
    log_mean = np.log(target + 1.0)
    penalty = ridge * np.eye(design.shape[1])
    coefficients = np.zeros(design.shape[1])
    for _ in range(rounds):
        mean = np.exp(log_mean)
        working = log_mean + (target - mean) / mean
        weighted = design * mean[:, None]
        updated = np.linalg.solve(design.T @ weighted + penalty, weighted.T @ working)
        log_mean = np.clip(design @ updated, -20.0, 20.0)
        if np.max(np.abs(updated - coefficients)) < 1e-9:
            return updated
        coefficients = updated
    return coefficients


def _design(columns: Mapping[str, Array], is_later: npt.NDArray[np.bool_]) -> Array:
    """Design matrix, rows x features: the later-year indicator first, then the calendar and the weather."""
    hour_of_day_type = columns["hr"] * 2 + columns["workingday"]
    blocks = [is_later[:, None].astype(np.float64), _indicators(hour_of_day_type, 48)]
    blocks += [_indicators(columns[name], size) for name, size in CATEGORIES.items()]
    blocks += [_standardised_with_square(columns[name]) for name in NUMBERS]
    return np.hstack(blocks)


def _indicators(codes: Array, size: int) -> Array:
    return np.eye(size)[codes.astype(np.int64)]


def _standardised_with_square(values: Array) -> Array:
    scaled = (values - values.mean()) / max(float(values.std()), 1e-9)
    return np.stack([scaled, scaled**2], axis=1)


def _checked(
    days: npt.NDArray[np.int64], covariates: Mapping[str, npt.ArrayLike], count: npt.ArrayLike
) -> tuple[dict[str, Array], Array]:
    missing = [name for name in COVARIATES if name not in covariates]
    if missing:
        raise ValueError(f"growth needs the covariates {missing}, which were not given")
    columns = {name: np.asarray(covariates[name], np.float64).reshape(-1) for name in COVARIATES}
    target = np.asarray(count, np.float64).reshape(-1)
    for name, values in {**columns, "count": target}.items():
        if values.size != days.size:
            raise ValueError(
                f"{name} has {values.size} rows, but there are {days.size} days: give one for each row"
            )
    if target.size and target.min() < 0:
        raise ValueError(f"count holds {target.min()}, but a count cannot be negative")
    return columns, target
