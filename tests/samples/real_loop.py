"""Run records as the loop leaves them, computed from the real hours.

Quick gradient-boosted trees stand in for the production model: the figures are honest, the model is not ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from pedalflow.run_record import (
    FeatureStatistics,
    GateResult,
    Growth,
    NodeTiming,
    RunRecord,
    Score,
    SliceScore,
    SpanUsed,
)
from tests.samples.run_record import Run

Model = Callable[[pd.DataFrame], np.ndarray]
ARCHIVE = Path(__file__).resolve().parents[2] / "data" / "raw" / "hour.csv.gz"
FEATURES = (
    "hr",
    "season",
    "holiday",
    "weekday",
    "workingday",
    "weathersit",
    "temp",
    "atemp",
    "hum",
    "windspeed",
)
SLICES = {
    "season": ("season", {"spring": (1,), "summer": (2,), "fall": (3,), "winter": (4,)}),
    "day": ("workingday", {"working day": (1,), "day off": (0,)}),
    "hour_band": (
        "hr",
        {
            "night": (0, 1, 2, 3, 4, 5),
            "morning": (6, 7, 8, 9),
            "midday": (10, 11, 12, 13, 14, 15),
            "evening": (16, 17, 18, 19),
        },
    ),
    "weather": ("weathersit", {"clear": (1,), "mist": (2,), "rain": (3, 4)}),
}


def real_loop(archive: Path = ARCHIVE) -> list[Run]:
    """Three runs on the real hours: span 1 without a champion, spans 1–4 against its model, spans 1–5 refused
    on rainy hours.
    """
    hours = pd.read_csv(archive)
    hours["span"] = np.where(hours["yr"] == 0, 1, hours["mnth"] + 1)
    first = _fit(_split(hours, 1)[0], growth=0.0)
    fourth = _fit(_split(hours, 4)[0], growth=0.4)
    runs = [
        _run(hours, 1, first, None, growth=0.0),
        _run(hours, 4, fourth, first, growth=0.4),
        _run(hours, 5, _bad_in_rain(_fit(_split(hours, 5)[0], growth=0.4)), fourth, growth=0.4),
    ]
    return runs


def _split(hours: pd.DataFrame, until_span: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows up to `until_span`, its last 14 days apart."""
    window = hours[hours["span"] <= until_span]
    days = sorted(window["dteday"].unique())[-14:]
    evaluated = window["dteday"].isin(days)
    return window[~evaluated], window[evaluated]


class Trees:
    """Trees on the target divided by exp(growth · years)."""

    def __init__(self, train: pd.DataFrame, growth: float) -> None:
        import lightgbm

        self.growth = growth
        data = lightgbm.Dataset(train[list(FEATURES)], train["cnt"] / self._factor(train))
        settings = {
            "objective": "poisson",
            "num_leaves": 31,
            "seed": 1,
            "deterministic": True,
            "num_threads": 1,
            "verbose": -1,
        }
        self.trees = lightgbm.train(settings, data, num_boost_round=120)

    def _factor(self, rows: pd.DataFrame) -> np.ndarray:
        years = (pd.to_datetime(rows["dteday"]) - pd.Timestamp("2011-01-01")).dt.days / 365.25
        return np.exp(self.growth * years.to_numpy())

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        return np.asarray(self.trees.predict(rows[list(FEATURES)])) * self._factor(rows)


def _fit(train: pd.DataFrame, growth: float) -> Trees:
    return Trees(train, growth)


def _bad_in_rain(model: Model) -> Model:
    return lambda rows: np.where(rows["weathersit"] >= 3, 1.5, 1.0) * model(rows)


def _run(hours: pd.DataFrame, until_span: int, model: Model, champion: Model | None, growth: float) -> Run:
    train, evaluation = _split(hours, until_span)
    means = train.groupby(["hr", "workingday"])["cnt"].mean().rename("naive")
    predictions = evaluation[["dteday", "hr"]].assign(
        actual=evaluation["cnt"].astype(float),
        candidate=model(evaluation),
        naive=evaluation.join(means, on=["hr", "workingday"])["naive"],
        champion=champion(evaluation) if champion else np.nan,
    )
    slices = tuple(_slices(evaluation, predictions))
    overall = {name: _score(predictions, name) for name in ("candidate", "naive", "champion")}
    gates = tuple(_gates(overall, slices))
    refused = not all(gate.passed for gate in gates)
    window = pd.concat([train, evaluation])
    record = RunRecord(
        run_id=f"20261121T0{until_span}1500Z-{until_span:02d}",
        started=f"2026-11-21T0{until_span}:15:00+00:00",
        finished=f"2026-11-21T0{until_span}:15:38+00:00",
        outcome="refused" if refused else "promoted",
        until_span=until_span,
        spans=tuple(_spans(window)),
        evaluation_first=evaluation["dteday"].min(),
        evaluation_last=evaluation["dteday"].max(),
        train_rows=len(train),
        evaluation_rows=len(evaluation),
        commit="4f0c1d2e3b5a69788796a5b4c3d2e1f00f1e2d3c",
        dirty=until_span == 4,
        release_id=None if refused else f"r-{until_span:02d}-9c41e7d05b2a",
        model_version=None if refused else str(until_span),
        champion_release=None
        if champion is None
        else ("r-01-9c41e7d05b2a" if until_span == 4 else "r-04-9c41e7d05b2a"),
        candidate=overall["candidate"],
        naive=overall["naive"],
        champion=overall["champion"] if champion else None,
        slices=slices,
        gates=gates,
        statistics=tuple(_statistics(train, "train")) + tuple(_statistics(evaluation, "eval")),
        anomalies=(),
        timings=tuple(_timings(cached=until_span == 5)),
        growth=Growth(
            growth,
            growth > 0,
            "January to March were seen in two years."
            if growth
            else "One year cannot tell growth from season.",
        ),
        params={
            "use_case": "bikeshare",
            "evaluation_days": 14,
            "seed": 1,
            "train": {"epochs": 40, "batch_size": 256, "members": 4},
        },
        environment={
            "python": "3.10.13",
            "tfx": "1.16.0",
            "tensorflow": "2.16.2",
            "keras": "3.12.4",
            "platform": "Linux x86_64",
        },
    )
    return record, predictions.reset_index(drop=True)


def _score(rows: pd.DataFrame, name: str) -> Score:
    error = rows[name] - rows["actual"]
    mae = float(error.abs().mean())
    return Score(
        len(rows),
        float(np.sqrt((error**2).mean())),
        mae,
        mae / float(rows["actual"].mean()),
        float(error.mean()),
    )


def _slices(evaluation: pd.DataFrame, predictions: pd.DataFrame) -> Iterator[SliceScore]:
    for feature, (column, bands) in SLICES.items():
        for band, values in bands.items():
            rows = predictions[evaluation[column].isin(values)]
            if len(rows):
                champion = _score(rows, "champion") if rows["champion"].notna().all() else None
                yield SliceScore(feature, band, _score(rows, "candidate"), _score(rows, "naive"), champion)


def _gates(overall: dict[str, Score], slices: tuple[SliceScore, ...]) -> Iterator[GateResult]:
    """An absolute threshold, skill over the naive mean, and no worse than the champion: overall and on each
    slice of 40 rows.
    """
    whole = SliceScore("", "overall", overall["candidate"], overall["naive"], overall["champion"])
    yield GateResult(
        "absolute threshold", "overall", whole.candidate.rmse, 150.0, "RMSE", whole.candidate.rmse <= 150, ""
    )
    for part in (whole, *(part for part in slices if part.candidate.rows >= 40)):
        name = f"{part.feature}={part.value}" if part.feature else part.value
        skill = part.candidate.rmse / part.naive.rmse
        note = f"RMSE {part.candidate.rmse:.1f} against {part.naive.rmse:.1f} on {part.candidate.rows} rows"
        yield GateResult("skill over the naive mean", name, skill, 1.1, "of its RMSE", skill <= 1.1, note)
        if part.champion is not None and np.isfinite(part.champion.rmse):
            worse = part.candidate.rmse / part.champion.rmse - 1
            compared = f"RMSE {part.candidate.rmse:.1f} against {part.champion.rmse:.1f}"
            note = f"{compared} on {part.candidate.rows} rows"
            yield GateResult("no worse than the champion", name, worse, 0.3, "relative", worse <= 0.3, note)


def _spans(window: pd.DataFrame) -> Iterator[SpanUsed]:
    for number, rows in window.groupby("span"):
        digest = f"{int(number) * 0x9E3779B97F4A7C15F39CC0605CEDC834:032x}"[-32:]
        yield SpanUsed(int(number), len(rows), rows["dteday"].min(), rows["dteday"].max(), digest)


def _statistics(rows: pd.DataFrame, split: str) -> Iterator[FeatureStatistics]:
    for name in (*FEATURES, "cnt"):
        values = rows[name].astype(float)
        counts, edges = np.histogram(values, bins=10)
        bins = tuple(
            (float(low), float(high), float(count))
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
        )
        yield FeatureStatistics(
            name,
            split,
            len(values),
            0,
            float(values.mean()),
            float(values.std(ddof=0)),
            float(values.min()),
            float(values.max()),
            bins,
        )


def _timings(cached: bool) -> Iterator[NodeTiming]:
    wall = {
        "SpanExampleGen": 0.6, "StatisticsGen": 2.1, "ExampleValidator": 0.2, "Transform": 5.9,
        "Trainer": 14.2, "Evaluator": 5.4, "ReleaseBuilder": 3.1, "Registrar": 2.4, "Pusher": 0.1,
    }  # fmt: skip
    for node, value in wall.items():
        kept = cached and node in ("SpanExampleGen", "StatisticsGen", "ExampleValidator")
        yield NodeTiming(node, 0.02 if kept else value, 0.02 if kept else value * 1.1, kept)
