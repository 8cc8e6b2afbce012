"""Concept drift over a stretch of labelled days: our sums beside a three-sigma rule, and how often either alarms for nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from detectors.concept import ConceptBaseline, advance, start
from detectors.screening import log_residuals
from pipelines.notebooks.style import BAD, GOOD, MUTED, NEW, PALE, panels

SIGMAS = 3.0


def timeline(
    baseline: ConceptBaseline, judged: pd.DataFrame, label: str, *, restart: bool = False
) -> pd.DataFrame:
    """Day by day: the mean log residual, the score against its limit 1, whether it alarms, and whether three sigma would.

    `judged` has `predicted` beside the label. With `restart` the sums begin anew after an alarm, as they do after a retraining.
    """
    state, found = start(), []
    for day, rows in judged.groupby("day"):
        residuals = log_residuals(rows[label].to_numpy(np.float64), rows["predicted"].to_numpy(np.float64))
        state, verdict = advance(baseline, state, pd.Timestamp(str(day)).toordinal(), residuals)
        mean = float(residuals.mean())
        own = baseline.deviation / baseline.inflation  # of training days: what a plain rule would know
        found.append(
            {
                "day": day,
                "mean": mean,
                "score": verdict.score,
                "alarm": verdict.is_drift,
                "three sigma": abs(mean - baseline.mean) > SIGMAS * own,
            }
        )
        state = start() if restart and verdict.is_drift else state
    return pd.DataFrame(found)


def false_alarms(own: pd.DataFrame, baseline: ConceptBaseline) -> pd.DataFrame:
    """Alarms on days of the model's own year, where every one is false, beside what was promised."""
    years = len(own) / 365.0
    return pd.DataFrame(
        [
            {
                "detector": "ours",
                "alarms": int(own["alarm"].sum()),
                "promised": baseline.false_alarms_per_year * years,
            },
            {
                "detector": "three sigma, daily mean",
                "alarms": int(own["three sigma"].sum()),
                "promised": None,
            },
        ]
    )


def first_alarm(days: pd.DataFrame) -> str:
    """When the sums first went over their limit, in a sentence."""
    loud = days[days["alarm"]]
    if loud.empty:
        return "The sums stayed below their limit."
    day = loud["day"].iloc[0]
    count = int((days["day"] <= day).sum())
    return f"The limit is first crossed on **{day:%d %B %Y}**, after {count} days of labels."


def timeline_picture(days: pd.DataFrame, baseline: ConceptBaseline) -> Figure:
    """Above: each day's mean log residual and the band in which days of an unchanged year lie. Below: the sums, and their limit."""
    figure, (above, below) = panels(2, 1, 2.1, sharex=True)
    low, high = baseline.mean - baseline.deviation, baseline.mean + baseline.deviation
    above.axhspan(low, high, color=PALE, alpha=0.6, linewidth=0)
    above.plot(days["day"], days["mean"], color=NEW, linewidth=1)
    loud = days[days["three sigma"]]
    above.plot(loud["day"], loud["mean"], "o", color=BAD, markersize=2.5, label="three sigma would alarm")
    above.set_ylabel("mean log residual")
    above.legend(loc="lower left")
    below.fill_between(days["day"], days["score"], color=NEW, alpha=0.2, linewidth=0)
    below.plot(days["day"], days["score"], color=NEW)
    below.axhline(1.0, color=BAD, linestyle="--", linewidth=1)
    below.set_ylabel("sum ÷ its limit")
    below.set_ylim(0, 1.8)
    alarm = days[days["alarm"]]
    if not alarm.empty:
        first = alarm["day"].iloc[0]
        below.axvline(first, color=GOOD, linewidth=1)
        below.annotate(f"{first:%d %b}", (first, 1.62), xytext=(4, 0), textcoords="offset points", color=GOOD)
    below.tick_params(colors=MUTED)
    return figure
