"""Errors by slice with intervals, and calibration."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pedalflow.use_case import SliceFeature
from pipelines.notebooks import calibration, slices
from pipelines.notebooks.quick_model import rmse

KIND = SliceFeature("kind", "kind", {"good": (0,), "bad": (1,), "rare": (2,)})


@pytest.fixture
def judged() -> pd.DataFrame:
    """Sixty days of twenty-four hours: one kind of hour is predicted four times as badly as the other."""
    rng = np.random.default_rng(1)
    count = 60 * 24
    kind = np.tile([0, 1], count // 2)
    error = rng.normal(0.0, np.where(kind == 1, 40.0, 10.0))
    day = pd.Timestamp("2012-01-01") + pd.to_timedelta(np.repeat(np.arange(60), 24), unit="D")
    rows = pd.DataFrame({"day": day, "kind": kind, "cnt": 200.0, "error": error, "hr": np.arange(count) % 24})
    return rows.assign(predicted=rows["cnt"] + error, when=day + pd.to_timedelta(rows["hr"], unit="h"))


def test_intervals_hold_the_figure_and_are_the_same_every_time(judged: pd.DataFrame) -> None:
    found = slices.scores(judged, "cnt").set_index("figure")
    assert found["value"]["RMSE"] == pytest.approx(rmse(judged["error"]))
    assert (found["from"] < found["value"]).all() and (found["value"] < found["to"]).all()
    pd.testing.assert_frame_equal(found, slices.scores(judged, "cnt").set_index("figure"))


def test_a_slice_that_is_served_worse_is_named_and_a_rare_one_is_left_out(judged: pd.DataFrame) -> None:
    found = slices.by_slice(judged, [KIND], "cnt")
    assert found["slice"].tolist() == ["kind = good", "kind = bad"]
    assert found.set_index("slice")["ratio"]["kind = bad"] == pytest.approx(1.6, abs=0.1)
    assert "kind = bad" in slices.unequal(found) and "good" not in slices.unequal(found)


def test_equal_slices_are_called_equal(judged: pd.DataFrame) -> None:
    found = slices.by_slice(judged[judged["kind"] == 0], [KIND], "cnt")
    assert slices.unequal(found) == "No slice is surely beyond 1.5 × the error of all hours."


def test_the_worst_hours_are_of_different_days(judged: pd.DataFrame) -> None:
    stormy = judged.assign(error=judged["error"].where(judged.index >= 24, 500.0 + judged.index))
    worst = slices.worst_hours(stormy, ["kind"], "cnt", count=5)
    assert worst["when"].dt.date.nunique() == 5
    assert worst["error"].iloc[0] == 523.0


def test_errors_are_told_by_the_share_of_a_part(judged: pd.DataFrame) -> None:
    rows = judged.assign(casual=np.where(judged["kind"] == 1, 150.0, 20.0))
    found = slices.by_share(rows, "casual", "cnt", groups=2)
    assert found["WAPE, %"].iloc[-1] > found["WAPE, %"].iloc[0]


def test_a_model_that_is_right_lies_on_the_line_of_calibration(judged: pd.DataFrame) -> None:
    rows = judged.assign(predicted=judged["hr"] + 1.0, cnt=judged["hr"] + 1.0)
    found = calibration.by_prediction(rows, "cnt", groups=4)
    assert found["predicted"].tolist() == found["actual"].tolist()
    assert found["hours"].sum() == len(rows)


def test_growth_that_is_taken_out_is_exactly_the_term(judged: pd.DataFrame) -> None:
    first = judged["day"].min()
    rows = judged.assign(predicted=judged["cnt"])
    weeks = calibration.growth_by_week(rows, "cnt", rate=1.0, last_training_day=first - pd.Timedelta(days=1))
    assert weeks[calibration.EXTRAPOLATED].tolist() == pytest.approx([1.0] * len(weeks))
    assert weeks[calibration.STOPPED].iloc[-1] == pytest.approx(np.exp(60 / 365.25), rel=0.01)
