"""Which collected rows stay out of the retraining data, and why. Simple rules whose limits training has set.

A row is kept unless a rule speaks against it: implausible by itself, from a sensor that is stuck, an exact repeat, one of a burst
of near-duplicates, or with a label that the prediction makes implausible.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detectors.layout import Array, Booleans, Columns, Integers, Layout, integer, number_matrix, row_count
from detectors.outliers import OutlierJudge

if TYPE_CHECKING:
    from detectors.stored import Detectors

CELL_WIDTH = 0.5  # standard deviations of a number that count as nearly the same
BURST_FACTOR = 3  # × the most rows that one cell ever held in a week of training
LABEL_TAIL = 0.01  # share of training labels beyond the limit
ONE_SIDED = 4.0  # standard errors of a group's mean residual
MOST_COMMON_SHIFT = 1.0  # of log residuals, that a whole batch may share without being held against its rows
FEWEST_FOR_SHIFT = 100
WEEK = 7


@dataclass(frozen=True, eq=False)
class ScreeningReference:
    """Limits from training. `widths` [k] are the sides of a cell, `most_in_cell` the most different rows of one cell in one week.

    A log residual's deviation at prediction p is sqrt(`noise`[0] + `noise`[1] / (1 + p)); `label_limit` is in such deviations.
    """

    widths: Array
    most_in_cell: int
    noise: Array
    label_limit: float


def fit_screening(columns: Columns, layout: Layout, labels: Array, predictions: Array) -> ScreeningReference:
    """Learn the limits from training rows, with the predictions of the model that was trained on them."""
    numbers = number_matrix(columns, layout)
    widths = np.maximum(CELL_WIDTH * np.nanstd(numbers, axis=0), 1e-9)
    counts = np.unique(_cells(columns, layout, widths), return_counts=True, axis=0)[1]
    residuals = log_residuals(labels, predictions)
    noise = _noise(residuals, predictions)
    scores = np.abs(residuals - np.median(residuals)) / _deviation(noise, predictions)
    limit = float(np.quantile(scores, 1.0 - LABEL_TAIL))
    return ScreeningReference(widths, int(counts.max()), noise, limit)


def log_residuals(labels: Array, predictions: Array) -> Array:
    """log1p(label) - log1p(prediction); what is negative counts as 0."""
    with np.errstate(
        invalid="ignore"
    ):  # infinite label, infinite prediction: no number, which the rules refuse
        residuals: Array = np.log1p(np.maximum(labels, 0.0)) - np.log1p(np.maximum(predictions, 0.0))
    return residuals


def _noise(residuals: Array, predictions: Array) -> Array:
    """Least squares of squared residuals on 1 and 1 / (1 + prediction), neither of them negative."""
    design = np.stack([np.ones(len(predictions)), 1.0 / (1.0 + np.maximum(predictions, 0.0))], axis=1)
    squares = (residuals - np.median(residuals)) ** 2
    return np.maximum(np.linalg.lstsq(design, squares, rcond=None)[0], 1e-6)


def _deviation(noise: Array, predictions: Array) -> Array:
    deviation: Array = np.sqrt(noise[0] + noise[1] / (1.0 + np.maximum(predictions, 0.0)))
    return deviation


def _cells(columns: Columns, layout: Layout, widths: Array) -> Integers:
    """int64[rows, c]: the week of the date, every integer, and each number in steps of its width."""
    numbers = number_matrix(columns, layout)
    steps = np.floor(np.nan_to_num(np.clip(numbers / widths, -1e9, 1e9), nan=-1e9)).astype(np.int64)
    whole = [integer(columns, layout.date) // WEEK, *(integer(columns, name) for name in layout.integers)]
    return np.concatenate([np.stack(whole, axis=1), steps], axis=1)


def screen(
    columns: Columns, labels: Array | None, predictions: Array | None, detectors: Detectors
) -> tuple[tuple[str, ...], ...]:
    """The reasons against each row; a row without any is kept. Labels are judged only where predictions come with them."""
    count = row_count(columns)
    reasons: list[list[str]] = [[] for _ in range(count)]
    if not count:
        return ()
    judged = None
    if labels is not None and predictions is not None:
        judged = _label_scores(labels, predictions, detectors.screening)
    first = _first_of_repeats(columns, detectors.layout, labels)
    for mask, reason in (
        (~first, "repeat: the very same row and label came before; one of them is kept"),
        *_stuck(columns, detectors),
        *_bursts(columns, first, judged, detectors),
        *_labels(judged, labels, detectors.screening),
    ):
        for index in np.flatnonzero(mask).tolist():
            reasons[index].append(reason)
    implausible = OutlierJudge(detectors.outliers).rows(columns).reasons
    return tuple((*own, *more) for own, more in zip(implausible, reasons))


def _first_of_repeats(columns: Columns, layout: Layout, labels: Array | None) -> Booleans:
    """Where a row with its label comes for the first time."""
    parts = [np.asarray(columns[name], np.float64) for name in layout.features]
    rows = np.stack([*parts, *([] if labels is None else [np.asarray(labels, np.float64)])], axis=1)
    first = np.zeros(len(rows), bool)
    first[np.unique(rows, axis=0, return_index=True)[1]] = True
    return first


def _stuck(columns: Columns, detectors: Detectors) -> Iterator[tuple[Booleans, str]]:
    """Rows inside a run of one value, by time, that is longer than the longest of training with its margin. One row an hour counts."""
    layout, limits = detectors.layout, detectors.drift.run_limits
    numbers = number_matrix(columns, layout)
    time = integer(columns, layout.date) * 24 + integer(columns, layout.hour)
    order = np.argsort(time, kind="stable")
    starts = np.flatnonzero(np.diff(time[order], prepend=time[order][0] - 1))
    hour_of_row = np.empty(len(time), np.int64)
    hour_of_row[order] = np.cumsum(np.diff(time[order], prepend=time[order][0]) != 0)
    for name, values, limit in zip(layout.numbers, numbers[order[starts]].T, limits.tolist()):
        changes = np.concatenate([[True], values[1:] != values[:-1]])
        run = np.cumsum(changes) - 1
        lengths = np.bincount(run)[run]
        stuck = (lengths > limit) & np.isfinite(values)
        mask = stuck[hour_of_row] & (numbers[:, layout.numbers.index(name)] == values[hour_of_row])
        yield (
            mask,
            f"stuck: {name} keeps one value for more than {limit:.0f} hours, longer than training ever had",
        )


def _bursts(
    columns: Columns, first: Booleans, judged: Array | None, detectors: Detectors
) -> Iterator[tuple[Booleans, str]]:
    """Cells with more different rows in a week than training ever had, by far, or by less but with labels all on one side."""
    reference = detectors.screening
    cells = _cells(columns, detectors.layout, reference.widths)
    place = np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)
    counts = np.bincount(place, first)
    most = BURST_FACTOR * reference.most_in_cell
    yield (
        (counts > most)[place],
        f"burst: more than {most} nearly equal rows in one week; training never had more than {reference.most_in_cell}",
    )
    if judged is None:
        return
    usable = first & np.isfinite(judged)
    sums = np.bincount(place, np.where(usable, np.nan_to_num(judged), 0.0), len(counts))
    shift = np.abs(sums) / np.sqrt(np.maximum(np.bincount(place, usable, len(counts)), 1.0))
    suspicious = (counts > reference.most_in_cell) & (shift > ONE_SIDED)
    yield (
        suspicious[place],
        f"burst: more than {reference.most_in_cell} nearly equal rows in one week whose labels all lie to one side",
    )


def _label_scores(labels: Array, predictions: Array, reference: ScreeningReference) -> Array:
    """Log residuals in their deviations, without the shift that the whole batch shares: a new concept is no poison."""
    residuals = log_residuals(np.asarray(labels, np.float64), np.asarray(predictions, np.float64))
    finite = residuals[np.isfinite(residuals)]
    common = float(np.median(finite)) if len(finite) >= FEWEST_FOR_SHIFT else 0.0
    common = max(-MOST_COMMON_SHIFT, min(MOST_COMMON_SHIFT, common))
    return (residuals - common) / _deviation(reference.noise, np.asarray(predictions, np.float64))


def _labels(
    judged: Array | None, labels: Array | None, reference: ScreeningReference
) -> Iterator[tuple[Booleans, str]]:
    if judged is None or labels is None:
        return
    yield (
        ~np.isfinite(judged) | (np.asarray(labels) < 0),
        "label: it is missing, negative or no finite number",
    )
    yield (
        np.abs(np.nan_to_num(judged)) > reference.label_limit,
        f"label: more than {reference.label_limit:.1f} deviations from what the model expects",
    )
