"""What the charts draw, computed from the predictions of a run.

`predictions` has the columns dteday (YYYY-MM-DD), hr (0–23), actual, candidate, naive and champion, one row
an hour; a first run's champion is empty.
"""

from __future__ import annotations

import pandas as pd

from pipelines.report.wording import MODELS, Model

COLUMNS = ("dteday", "hr", "actual", "candidate", "naive", "champion")


def present(predictions: pd.DataFrame) -> tuple[Model, ...]:
    """The models that have at least one prediction."""
    return tuple(model for model in MODELS if predictions[model.column].notna().any())


def rmse_by(predictions: pd.DataFrame, column: str) -> pd.DataFrame:
    """RMSE of each present model within each value of `column` (`dteday` or `hr`): one row a value, one
    column a model.
    """
    errors = {
        model.column: (predictions[model.column] - predictions["actual"]) ** 2
        for model in present(predictions)
    }
    squared = pd.DataFrame(errors, index=predictions.index)
    means: pd.DataFrame = squared.groupby(predictions[column]).mean().sort_index()
    return means**0.5


def hourly(predictions: pd.DataFrame) -> pd.DataFrame:
    """The predictions on an unbroken hourly index; an hour without a row is empty, so that a line breaks
    there.
    """
    if predictions.empty:
        return predictions.set_index(pd.DatetimeIndex([]))
    times = pd.to_datetime(predictions["dteday"]) + pd.to_timedelta(predictions["hr"], unit="h")
    indexed = predictions.set_index(times).sort_index()
    first, last = indexed.index[0].normalize(), indexed.index[-1].normalize() + pd.Timedelta(hours=23)
    return indexed.reindex(pd.date_range(first, last, freq="h"))


def weeks(predictions: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """`hourly` cut into stretches of seven days from its first day on."""
    frame = hourly(predictions)
    return tuple(frame.iloc[start : start + 7 * 24] for start in range(0, len(frame), 7 * 24))
