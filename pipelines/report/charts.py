"""The report's charts. Each takes what it draws and returns inline SVG at two widths; colours come from
`style.css`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

import pandas as pd
from markupsafe import Markup

from pedalflow import svg
from pedalflow.run_record import SliceScore
from pedalflow.svg import Element, Scale
from pipelines.report import drawings, series
from pipelines.report import plot as plots
from pipelines.report.plot import BOTTOM, LEFT, RIGHT, TEXT_DROP, TOP, Plot, short_day
from pipelines.report.wording import MODELS, NEW, Model, figure, plain, shortened

MONDAY_TO_SUNDAY = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def error_by_day(predictions: pd.DataFrame, name: str) -> Markup:
    """RMSE of each evaluation day, one line a model."""
    errors = series.rmse_by(predictions, "dteday")
    labels = [short_day(text) for text in errors.index]
    return _error_lines(errors, labels, name, "Error over time", "Daily RMSE")


def error_by_hour(predictions: pd.DataFrame, name: str) -> Markup:
    """RMSE of each hour of the day over all evaluation days, one line a model."""
    errors = series.rmse_by(predictions, "hr")
    labels = [f"{hour:02d}:00" for hour in errors.index]
    return _error_lines(errors, labels, name, "Error by hour of the day", "RMSE by hour")


def _error_lines(errors: pd.DataFrame, labels: Sequence[str], name: str, title: str, what: str) -> Markup:
    models = [model for model in MODELS if model.column in errors]
    description = f"{what}. " + " ".join(_range_sentence(errors, model) for model in models)

    def draw(width: int, key: str) -> Element:
        plot = _axes(
            svg.canvas(width, 250, key, title, description),
            (0, max(len(errors) - 1, 1)),
            (0, _top(errors)),
            width,
            250,
        )
        plots.x_labels(plot, labels, 4 if width == drawings.NARROW else 7)
        for model in reversed(models):
            _line(plot, errors[model.column], model)
        _points(plot, errors[NEW.column], labels)
        _end_labels(plot, [(model, errors[model.column]) for model in models])
        return plot.root

    return drawings.responsive(draw, name, drawings.HALF)


def _range_sentence(errors: pd.DataFrame, model: Model) -> str:
    column = errors[model.column]
    low, high, mean = figure(column.min()), figure(column.max()), figure(column.mean())
    return f"{model.name}: from {low} to {high}, on average {mean}."


def _top(frame: pd.DataFrame) -> float:
    highest = float(frame.max(numeric_only=True).max()) if len(frame) else math.nan
    return highest if highest > 0 else 1.0


def _axes(
    root: Element,
    xs: tuple[float, float],
    ys: tuple[float, float],
    width: float,
    height: float,
    right: float = RIGHT,
) -> Plot:
    """The frame of a chart that fills its drawing."""
    return plots.axes(root, Scale(*xs, LEFT, width - right), ys, TOP, height - BOTTOM)


def _line(plot: Plot, values: pd.Series, model: Model) -> None:
    plots.line(plot, enumerate(values), model.style)


def _points(plot: Plot, values: pd.Series, labels: Sequence[str]) -> None:
    """A dot at each value, which tells its number to a pointer that rests on it."""
    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        if not math.isnan(value):
            dot = svg.add(
                plot.root, "circle", cx=plot.x(index), cy=plot.y(value), r=2.6, class_=f"dot {NEW.style}"
            )
            svg.add(dot, "title", f"{label}: {figure(value)}")


def _end_labels(plot: Plot, lines: Sequence[tuple[Model, pd.Series]]) -> None:
    """The name of each line at the height of its last number."""
    ends = [(model, values.dropna()) for model, values in lines]
    plots.end_labels(plot, [(model, values.iloc[-1]) for model, values in ends if len(values)])


def predicted_against_actual(predictions: pd.DataFrame, name: str) -> Markup:
    """Hour by hour: what happened as an area, what the new and the previous model said as lines; a panel for
    each seven days.
    """
    top = _top(predictions[[model.column for model in MODELS] + ["actual"]])
    panels = [_week(week, top, f"{name}-{index}") for index, week in enumerate(series.weeks(predictions))]
    return Markup("").join(panels)


def _week(week: pd.DataFrame, top: float, name: str) -> Markup:
    first, last = week.index[0].date().isoformat(), week.index[-1].date().isoformat()
    title = f"Predicted and actual, {short_day(first)} to {short_day(last)}"
    models = [model for model in series.present(week) if model.column != "naive"]
    sums = [f"Actual sum {figure(week['actual'].sum(), 6)}."]
    sums += [f"{model.name} {figure(week[model.column].sum(), 6)}." for model in models]

    def draw(width: int, key: str) -> Element:
        root = svg.canvas(width, 230, key, title, " ".join(sums))
        plot = _axes(root, (0, 7 * 24 - 1), (0, top), width, 230)
        _days(plot, week, width == drawings.NARROW)
        _area(plot, week["actual"])
        for model in reversed(models):
            _line(plot, week[model.column], model)
        actual = Model("actual", "Actual", "Actual", "actual")
        _end_labels(plot, [(actual, week["actual"])] + [(model, week[model.column]) for model in models])
        return plot.root

    return drawings.responsive(draw, name, drawings.FULL)


def _days(plot: Plot, week: pd.DataFrame, narrow: bool) -> None:
    """A line at each midnight and the day's name at its noon."""
    for index in range(0, len(week), 24):
        moment = week.index[index]
        x = svg.number(plot.x(index))
        svg.add(
            plot.root,
            "path",
            d=f"M{x} {svg.number(plot.y.start)}V{svg.number(plot.y.end)}",
            class_="gridline",
        )
        weekday = MONDAY_TO_SUNDAY[moment.weekday()]
        label = weekday[:2] if narrow else f"{weekday} {short_day(moment.date().isoformat())}"
        svg.add(plot.root, "text", label, x=plot.x(index + 11.5), y=plot.y.start + 18, class_="tick middle")


def _area(plot: Plot, values: pd.Series) -> None:
    """Steps of the actual values down to zero; a missing hour is drawn as zero height."""
    floor = svg.number(plot.y.start)
    half = 0.5
    parts = [f"M{svg.number(plot.x(0))} {floor}"]
    for index, value in enumerate(values):
        height = plot.y(0 if math.isnan(value) else value)
        left, right = max(index - half, 0), min(index + half, len(values) - 1)
        parts.append(f"L{svg.number(plot.x(left))} {svg.number(height)}H{svg.number(plot.x(right))}")
    svg.add(plot.root, "path", d="".join(parts) + f"V{floor}Z", class_="area actual")


def scatter(predictions: pd.DataFrame, name: str) -> Markup:
    """One dot an hour: actual to the right, the new model's prediction upwards; on the diagonal both are the
    same.
    """
    known = predictions.dropna(subset=["actual", "candidate"])
    top = _top(known[["actual", "candidate"]])
    over = float((known["candidate"] > known["actual"]).mean()) if len(known) else 0.0
    description = (
        f"{len(known)} hours. The new model predicted too much in {over:.0%} of them. "
        "Dots on the diagonal are exact."
    )

    def draw(width: int, key: str) -> Element:
        root = svg.canvas(width, width, key, "Predicted against actual", description)
        plot = _axes(root, (0, svg.ticks(0, top, 4)[-1]), (0, top), width, width - 14, right=20)
        for value in svg.ticks(0, top, 4):
            svg.add(root, "text", plain(value), x=plot.x(value), y=plot.y.start + 18, class_="tick middle")
        svg.add(root, "text", "actual →", x=plot.x.end, y=plot.y.start + 34, class_="tick end")
        svg.add(root, "text", "↑ predicted", x=LEFT + 4, y=plot.y.end + 14, class_="tick")
        corner = f"L{svg.number(plot.x.end)} {svg.number(plot.y.end)}"
        svg.add(
            root, "path", d=f"M{svg.number(plot.x.start)} {svg.number(plot.y.start)}{corner}", class_="axis"
        )
        for actual, predicted in zip(known["actual"], known["candidate"], strict=True):
            svg.add(root, "circle", cx=plot.x(actual), cy=plot.y(predicted), r=2.4, class_="cloud new")
        return root

    return drawings.responsive(draw, name, drawings.HALF)


BAR, BAR_STEP, GROUP_GAP, HEADING = 9.0, 11.0, 8.0, 24.0


def error_by_slice(slices: Sequence[SliceScore], name: str) -> Markup:
    """RMSE on each slice as bars from zero, one a model, under the name of the feature that cuts the rows."""
    groups = [(feature, list(parts)) for feature, parts in groupby(slices, key=lambda part: part.feature)]
    top = max(score for part in slices for _, score in _scores(part)) or 1.0
    worst = max(slices, key=lambda part: part.candidate.rmse)
    highest = f"{figure(worst.candidate.rmse)}, on {worst.feature} {worst.value}"
    description = f"{len(slices)} slices. The new model's highest RMSE is {highest}."

    def draw(width: int, key: str) -> Element:
        height = sum(HEADING + sum(_slice_height(part) for part in parts) for _, parts in groups)
        root = svg.canvas(width, height, key, "Error by slice", description)
        x = Scale(0, top, 104 if width == drawings.NARROW else 128, width - 96)
        y = 0.0
        named = False
        for feature, parts in groups:
            svg.add(root, "text", feature.replace("_", " "), x=0, y=y + 15, class_="heading")
            y += HEADING
            for part in parts:
                _slice_bars(root, part, x, y, name_models=not named)
                named = True
                y += _slice_height(part)
        return root

    return drawings.responsive(draw, name, drawings.HALF)


def _scores(part: SliceScore) -> list[tuple[Model, float]]:
    found = [(model, getattr(part, model.column)) for model in MODELS]
    return [(model, score.rmse) for model, score in found if score is not None]


def _slice_height(part: SliceScore) -> float:
    return len(_scores(part)) * BAR_STEP + GROUP_GAP


def _slice_bars(root: Element, part: SliceScore, x: Scale, y: float, name_models: bool) -> None:
    """The bars of one slice, with its name and number of rows at the left; only the first slice says which
    bar is whose.
    """
    scores = _scores(part)
    middle = y + len(scores) * BAR_STEP / 2
    label = svg.add(
        root, "text", shortened(part.value), x=x.start - 8, y=middle + TEXT_DROP, class_="tick end strong"
    )
    svg.add(label, "title", f"{part.feature}: {part.value}, {part.candidate.rows} rows")
    for index, (model, score) in enumerate(scores):
        top = y + index * BAR_STEP
        bar = svg.add(
            root,
            "rect",
            x=x.start,
            y=top,
            width=max(x(score) - x.start, 1),
            height=BAR,
            class_=f"bar {model.style}",
        )
        svg.add(
            bar,
            "title",
            f"{model.name}, {part.feature} {part.value}: {figure(score)} ({part.candidate.rows} rows)",
        )
        text = f"{figure(score)} {model.label}" if name_models else figure(score)
        svg.add(root, "text", text, x=x(score) + 6, y=top + BAR - 1, class_=f"value {model.style}")
