"""Can the numbers be taken as they are? Predictions against what came, and the growth term against the growth that came."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pedalflow.release import MANIFEST
from pedalflow.run_record import Growth
from pipelines.notebooks.style import MUTED, NEW, PREVIOUS, panels

DAYS_PER_YEAR = 365.25
STOPPED, EXTRAPOLATED = "growth stopped at the last training day", "as released"


def by_prediction(rows: pd.DataFrame, label: str, groups: int = 10) -> pd.DataFrame:
    """Mean prediction and mean label in equally filled ranges of the prediction, and the standard error of the label's mean by days."""
    band = pd.qcut(rows["predicted"], groups, labels=False, duplicates="drop")
    found = []
    for _, inside in rows.groupby(band):
        days = inside.groupby("day")[label].mean()
        found.append(
            {
                "predicted": float(inside["predicted"].mean()),
                "actual": float(inside[label].mean()),
                "error": float(days.std() / np.sqrt(len(days))),
                "hours": len(inside),
            }
        )
    return pd.DataFrame(found)


def calibration_picture(parts: dict[str, pd.DataFrame], unit: str) -> Figure:
    """The tables of `by_prediction` over the line on which prediction and label agree."""
    figure, (axes,) = panels(height=3.6)
    top = max(part[["predicted", "actual"]].max().max() for part in parts.values())
    axes.plot([0, top], [0, top], color=MUTED, linewidth=1, linestyle="--")
    for (name, part), colour in zip(parts.items(), (PREVIOUS, NEW)):
        axes.errorbar(
            part["predicted"],
            part["actual"],
            yerr=1.64 * part["error"],
            fmt="o-",
            color=colour,
            markersize=4,
            linewidth=1.2,
            label=name,
        )
    axes.set_xlabel(f"predicted {unit} an hour")
    axes.set_ylabel(f"actual {unit} an hour")
    axes.legend(loc="upper left")
    return figure


def growth_of(release: Path) -> Growth:
    """The growth term that a release carries, as its manifest says."""
    return Growth(**json.loads((release / MANIFEST).read_text(encoding="utf-8"))["facts"]["growth"])


def growth_by_week(
    rows: pd.DataFrame, label: str, rate: float, last_training_day: pd.Timestamp
) -> pd.DataFrame:
    """By week after training: actual ÷ predicted, as the release extrapolates, and with growth stopped where training ended.

    The model's log rate is its parts plus rate × years, so a prediction with growth stopped is the prediction ÷ exp(rate × years since).
    """
    since = (rows["day"] - last_training_day).dt.days / DAYS_PER_YEAR
    stopped = rows["predicted"] * np.exp(-rate * since.clip(lower=0.0))
    sums = pd.DataFrame({"actual": rows[label], "released": rows["predicted"], "stopped": stopped})
    weeks = sums.groupby(rows["day"].dt.to_period("W").dt.start_time).sum()
    return pd.DataFrame(
        {
            "week": weeks.index,
            EXTRAPOLATED: (weeks["actual"] / weeks["released"]).to_numpy(),
            STOPPED: (weeks["actual"] / weeks["stopped"]).to_numpy(),
        }
    )


def growth_picture(weeks: pd.DataFrame) -> Figure:
    """Actual ÷ predicted by week: 1 is right, above it the model says too little."""
    figure, (axes,) = panels(height=3.0)
    axes.axhline(1.0, color=MUTED, linewidth=1)
    for name, colour in ((STOPPED, PREVIOUS), (EXTRAPOLATED, NEW)):
        mean = float(np.exp(np.log(weeks[name]).mean()))
        axes.plot(weeks["week"], weeks[name], "o-", markersize=3.5, color=colour, label=f"{name}: {mean:.2f}")
    axes.set_ylabel("actual ÷ predicted")
    axes.legend(loc="lower left")
    return figure
