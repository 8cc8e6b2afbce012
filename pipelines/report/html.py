"""One self-contained HTML page about the runs of a loop: no script, no external resource, the newest run
first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import pandas as pd
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from pedalflow.loop_record import LoopRecord
from pedalflow.replay_record import ReplayRecord
from pedalflow.run_record import FeatureStatistics, NodeTiming, RunRecord, Score
from pipelines.report import charts, wording
from pipelines.report.histogram import histogram
from pipelines.report.loop import loop_section
from pipelines.report.resource import resource
from pipelines.report.served import served_section
from pipelines.report.wording import MODELS, NEW, Model

STYLES = ("style.css", "charts.css")
FOLD_ABOVE = 6  # passing gates beyond this number are folded away
OUTCOMES = {
    "promoted": ("good", "✓ Promoted"),
    "challenger": ("calm", "• Challenger"),
    "refused": ("bad", "✗ Refused"),
    "unchanged": ("calm", "= Unchanged"),
}


@dataclass(frozen=True)
class Comparison:
    """A row of the comparison table. `against` is the new model's difference in RMSE to this row's model."""

    model: Model
    release: str
    score: Score
    against: float | None


@dataclass(frozen=True)
class Feature:
    """A feature's statistics in every split, and its distribution."""

    name: str
    splits: tuple[FeatureStatistics, ...]
    histogram: Markup


@dataclass(frozen=True)
class Charts:
    """The charts of one run; `slices` is empty where the record has none."""

    by_day: Markup
    by_hour: Markup
    slices: Markup
    scatter: Markup
    weeks: Markup


@dataclass(frozen=True)
class Section:
    """What the template shows of one run."""

    key: str
    record: RunRecord
    badge: tuple[str, str]
    comparisons: tuple[Comparison, ...]
    charts: Charts | None
    features: tuple[Feature, ...]
    longest: float


def render(
    runs: Sequence[tuple[RunRecord, pd.DataFrame]],
    *,
    heading: str = "Pedalflow report",
    unit: str = "",
    replay: ReplayRecord | None = None,
    loop: LoopRecord | None = None,
) -> str:
    """The page as text, the same bytes for the same input.

    `runs` are records with their predictions (the columns of `series.COLUMNS`); they are shown by the time
    they started, newest first. `unit` is that of the label, for example `rentals an hour`; `replay` is what the served
    champion answered; `loop`, where there was one, stands before everything else. Raises ValueError where there is no run to show.
    """
    if not runs:
        raise ValueError("There is no run to report on. Train one with `pedalflow train --until-span 1`.")
    ordered = sorted(runs, key=lambda run: (run[0].started, run[0].run_id), reverse=True)
    sections = [
        _section(record, predictions, f"run{index}") for index, (record, predictions) in enumerate(ordered)
    ]
    page = _environment().get_template("page.html.j2")
    return page.render(
        heading=heading,
        unit=unit,
        sections=sections,
        served=None if replay is None else served_section(replay),
        year=None if loop is None else loop_section(loop),  # `loop` is a word of the template language
        style=Markup("".join(map(resource, STYLES))),
        models=MODELS,
        fold_above=FOLD_ABOVE,
    )


def _section(record: RunRecord, predictions: pd.DataFrame, key: str) -> Section:
    return Section(
        key=key,
        record=record,
        badge=OUTCOMES.get(record.outcome, ("calm", record.outcome)),
        comparisons=_comparisons(record),
        charts=_charts(record, predictions, key) if len(predictions) else None,
        features=_features(record.statistics, key),
        longest=_longest(record.timings),
    )


def _comparisons(record: RunRecord) -> tuple[Comparison, ...]:
    releases = {"candidate": record.release_id or "", "champion": record.champion_release or "", "naive": ""}
    rows = []
    for model in MODELS:
        score = wording.score_of(record, model)
        if score is not None:
            against = None if model is NEW else wording.change(record.candidate, score)
            rows.append(Comparison(model, releases[model.column], score, against))
    return tuple(rows)


def _charts(record: RunRecord, predictions: pd.DataFrame, key: str) -> Charts:
    return Charts(
        by_day=charts.error_by_day(predictions, f"{key}-day"),
        by_hour=charts.error_by_hour(predictions, f"{key}-hour"),
        slices=charts.error_by_slice(record.slices, f"{key}-slice") if record.slices else Markup(""),
        scatter=charts.scatter(predictions, f"{key}-scatter"),
        weeks=charts.predicted_against_actual(predictions, f"{key}-week"),
    )


def _features(statistics: Sequence[FeatureStatistics], key: str) -> tuple[Feature, ...]:
    """The statistics feature by feature, in the order in which the features first appear; within one, train
    before eval.
    """
    order = {part.name: index for index, part in reversed(list(enumerate(statistics)))}
    ordered = sorted(statistics, key=lambda part: (order[part.name], part.split != "train", part.split))
    features = []
    for index, (name, parts) in enumerate(groupby(ordered, key=lambda part: part.name)):
        splits = tuple(parts)
        features.append(Feature(name, splits, histogram(splits, f"{key}-histogram{index}")))
    return tuple(features)


def _longest(timings: Sequence[NodeTiming]) -> float:
    return max((timing.wall_s for timing in timings), default=0.0) or 1.0


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(resource),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        figure=wording.figure,
        plain=wording.plain,
        aligned=wording.aligned,
        lasted=wording.lasted,
        percent=wording.percent,
        moment=wording.moment,
        seconds=wording.seconds,
        spans=wording.spans,
        verdict=wording.verdict,
        failed=wording.failed_gates,
        flat=wording.flat,
        when=wording.when,
    )
    environment.globals.update(day=wording.day, days=wording.days, short=wording.SHORT_HASH)
    return environment
