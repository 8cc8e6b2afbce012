"""Collected rows in the form of a batch that `pedalflow data arrive` takes: features and label alone, in order of time, an hour once."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.layout import Layout, integer, take
from pedalflow.errors import DataRefused
from serving.pairs import Pairs
from serving.scoring.request import DATE, RequestSchema

_EPOCH = date(1970, 1, 1)


def hours_between(
    pairs: Pairs, layout: Layout, first: date | None, last: date | None
) -> npt.NDArray[np.int64]:
    """The positions of the rows that may retrain, of the days from `first` to `last`, in order of their hour.

    Where an hour was asked for several times, the row with the greatest request id counts: any would do, but the same each time.
    """
    days = integer(pairs.columns, layout.date)
    hours = integer(pairs.columns, layout.hour)
    wanted = np.array([not reasons for reasons in pairs.reasons], bool)
    if first is not None:
        wanted &= days >= (first - _EPOCH).days
    if last is not None:
        wanted &= days <= (last - _EPOCH).days
    of_hour = {
        (days[row], hours[row]): row for row in np.flatnonzero(wanted)
    }  # the pairs come in order of hour and id
    return np.array([of_hour[moment] for moment in sorted(of_hour)], np.int64)


def as_batch(pairs: Pairs, schema: RequestSchema, layout: Layout, rows: npt.NDArray[Any]) -> pa.RecordBatch:
    """The rows with the columns of the request schema and the label.

    Raises:
        DataRefused: there is no row.
    """
    if not len(rows):
        raise DataRefused("no collected row of these days may retrain; look at --first and --last")
    columns = take(pairs.columns, rows)
    arrays: dict[str, pa.Array] = {
        field.name: pa.array(columns[field.name].astype("datetime64[D]"), pa.date32())
        if field.kind == DATE
        else pa.array(columns[field.name])
        for field in schema.fields
    }
    arrays[layout.label] = _counts(pairs.labels[rows])
    return pa.RecordBatch.from_arrays(list(arrays.values()), list(arrays))


def _counts(labels: npt.NDArray[np.float64]) -> pa.Array:
    """Whole numbers where all of them are, as the tables of counts have them; else numbers as they are."""
    whole = labels.astype(np.int64)
    return pa.array(whole if np.array_equal(whole, labels) else labels)
