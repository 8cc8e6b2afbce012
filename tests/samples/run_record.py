"""Tiny run records made by hand, with one of everything, and predictions that belong to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from pedalflow.run_record import (
    Anomaly,
    FeatureStatistics,
    GateResult,
    Growth,
    NodeTiming,
    RunRecord,
    Score,
    SliceScore,
    SpanUsed,
)

Run = tuple[RunRecord, pd.DataFrame]


def tiny_record() -> RunRecord:
    """A promoted second run with one of everything, whose numbers are round enough to be looked for in a
    page.
    """
    candidate, naive, champion = (
        Score(48, 50.0, 40.0, 0.2, -1.5),
        Score(48, 80.0, 61.0, 0.31, 3.0),
        Score(48, 62.5, 50.0, 0.25, 9.0),
    )
    return RunRecord(
        run_id="run-0002",
        started="2026-01-02T03:04:05+00:00",
        finished="2026-01-02T03:05:05+00:00",
        outcome="promoted",
        until_span=2,
        spans=(
            SpanUsed(1, 8645, "2011-01-01", "2011-12-31", "0123456789abcdef0123456789abcdef"),
            SpanUsed(2, 741, "2012-01-01", "2012-01-31", "fedcba9876543210fedcba9876543210"),
        ),
        evaluation_first="2012-01-30",
        evaluation_last="2012-01-31",
        train_rows=9338,
        evaluation_rows=48,
        commit="89abcdef0123456789abcdef0123456789abcdef",
        dirty=False,
        release_id="r-0002",
        model_version="2",
        champion_release="r-0001",
        candidate=candidate,
        naive=naive,
        champion=champion,
        slices=(SliceScore("season", "1", candidate, naive, champion),),
        gates=(
            GateResult("absolute", "overall", 50.0, 100.0, "rentals an hour", True, "RMSE"),
            GateResult(
                "skill",
                "season=1",
                0.625,
                0.9,
                "of the naive RMSE",
                True,
                "RMSE divided by that of the naive mean",
            ),
        ),
        statistics=(
            FeatureStatistics(
                "temp", "train", 9338, 0, 0.48, 0.19, 0.02, 0.96, ((0.0, 0.5, 5000.0), (0.5, 1.0, 4338.0))
            ),
            FeatureStatistics(
                "temp", "eval", 48, 0, 0.3, 0.05, 0.2, 0.42, ((0.2, 0.3, 20.0), (0.3, 0.42, 28.0))
            ),
            FeatureStatistics(
                "dteday",
                "train",
                9338,
                0,
                None,
                None,
                None,
                None,
                (("2011-01-01", "", 24.0), ("2011-01-02", "", 23.0)),
            ),
        ),
        anomalies=(Anomaly("hum", "eval", "Out of range", "Unexpectedly high value: 1.2 > 1."),),
        timings=(NodeTiming("ExampleGen", 0.4, 0.4, True), NodeTiming("Trainer", 30.0, 28.0, False)),
        growth=Growth(0.41, True, "January was seen in two years."),
        params={"use_case": "bikeshare", "train": {"epochs": 30, "rates": [0.1, 0.2], "note": None}},
        environment={"python": "3.10.13", "tfx": "1.16.0"},
    )


def tiny_predictions() -> pd.DataFrame:
    """48 hours of predictions that belong to `tiny_record`."""
    hours = np.arange(48)
    actual = 100 + 80 * np.sin(hours / 24 * 2 * np.pi)
    return pd.DataFrame(
        {
            "dteday": np.where(hours < 24, "2012-01-30", "2012-01-31"),
            "hr": hours % 24,
            "actual": actual,
            "candidate": actual + 5,
            "naive": np.full(48, 100.0),
            "champion": actual - 20,
        }
    )


def first_run(run: Run) -> Run:
    """The same run as if no model had been in service before it."""
    record, predictions = run
    slices = tuple(replace(part, champion=None) for part in record.slices)
    return replace(record, champion=None, champion_release=None, slices=slices), predictions.assign(
        champion=np.nan
    )


def refused_run(run: Run) -> Run:
    """The same run as if the gate had refused its model."""
    record, predictions = run
    failed = GateResult(
        "no worse than the champion", "weather=rain", 0.34, 0.1, "relative", False, "RMSE 101 against 75.4"
    )
    return replace(
        record, outcome="refused", release_id=None, model_version=None, gates=(*record.gates, failed)
    ), predictions
