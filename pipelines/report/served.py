"""What the report shows of a replay: the served model's answers, the rows it flagged, the drift of each window, one explanation."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from pedalflow import svg
from pedalflow.replay_record import DriftWindow, Explanation, FeatureDrift, ReplayRecord, ServedHour
from pedalflow.replay_table import concept_sentence, ordinary, rmse, strongest
from pedalflow.svg import Element, Scale
from pipelines.report import charts, drawings, plot, series
from pipelines.report.wording import minus, shortened

ROW_HEIGHT, ROW_GAP = 15.0, 7.0


@dataclass(frozen=True)
class WindowRow:
    """A window and its strongest test; None where nothing could be tested."""

    window: DriftWindow
    strongest: FeatureDrift | None


@dataclass(frozen=True)
class ServedSection:
    """What the template shows of one replay."""

    record: ReplayRecord
    rmse: float
    ordinary: int
    flagged: tuple[ServedHour, ...]
    windows: tuple[WindowRow, ...]
    concept: str
    hours: Markup
    explanation: Markup


def served_section(record: ReplayRecord) -> ServedSection:
    """Everything that is computed for the section; its drawings have ids that begin with `served`."""
    return ServedSection(
        record=record,
        rmse=rmse(record),
        ordinary=len(ordinary(record)),
        flagged=tuple(hour for hour in record.hours if hour.reasons),
        windows=tuple(WindowRow(window, strongest(window)) for window in record.windows),
        concept=concept_sentence(record),
        hours=charts.predicted_against_actual(_predictions(record), "served-week")
        if record.hours
        else Markup(""),
        explanation=_contributions(record.explanation) if record.explanation else Markup(""),
    )


def _predictions(record: ReplayRecord) -> pd.DataFrame:
    """The hours in the columns of a run's predictions, the served model as the candidate."""
    frame = pd.DataFrame(
        {
            "dteday": [hour.dteday for hour in record.hours],
            "hr": [hour.hr for hour in record.hours],
            "actual": [hour.actual for hour in record.hours],
            "candidate": [hour.prediction for hour in record.hours],
        }
    )
    return frame.reindex(columns=list(series.COLUMNS)).astype({"naive": float, "champion": float})


def _contributions(explanation: Explanation) -> Markup:
    """Bars to the right for what raised the prediction, to the left for what lowered it; the largest first."""
    ordered = sorted(explanation.contributions.items(), key=lambda item: -abs(item[1]))
    low, high = (bound(0.0, *explanation.contributions.values()) for bound in (min, max))
    summary = ", ".join(f"{name} {value:+.0f}" for name, value in ordered[:3])

    def draw(width: int, key: str) -> Element:
        height = len(ordered) * (ROW_HEIGHT + ROW_GAP)
        root = svg.canvas(width, height, key, "Contributions to one prediction", f"Largest: {summary}.")
        x = Scale(low, high, 110.0 + 44.0, width - 52.0)
        for index, (name, value) in enumerate(ordered):
            _contribution_bar(root, name, value, x, index * (ROW_HEIGHT + ROW_GAP))
        return root

    return drawings.responsive(draw, "served-explanation", drawings.HALF)


def _contribution_bar(root: Element, name: str, value: float, x: Scale, top: float) -> None:
    middle = top + ROW_HEIGHT / 2 + plot.TEXT_DROP
    svg.add(root, "text", shortened(name), x=104.0, y=middle, class_="tick end strong")
    left, right = sorted((x(0.0), x(value)))
    style = "new" if value >= 0 else "previous"
    svg.add(
        root, "rect", x=left, y=top, width=max(right - left, 1.0), height=ROW_HEIGHT, class_=f"bar {style}"
    )
    place = (right + 6.0, "value") if value >= 0 else (left - 6.0, "value end")
    svg.add(root, "text", minus(f"{value:+.1f}"), x=place[0], y=middle, class_=f"{place[1]} {style}")
