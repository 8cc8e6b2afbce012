"""A release's drift detector at work: weeks in which nothing had changed, weeks of another year, sensors broken on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from components.detector_fitting import features_of
from detectors.drift import GUARD_DAYS, DriftJudgement, DriftReference, judge_window
from pedalflow.use_case import UseCase
from pipelines.notebooks.style import BAD, GOOD, MUTED, NEW, PALE, heat, panels, scale

Change = Callable[[pd.DataFrame], pd.DataFrame]
ALPHA = 0.05
TESTS = ("values", "relation", "missing", "range", "repeats")
IMPOSSIBLE = 1e-60  # smaller p-values are drawn as this one


def windows(rows: pd.DataFrame, size: int) -> Iterator[pd.DataFrame]:
    """Stretches of `size` rows, one after the other."""
    for start in range(0, len(rows) - size + 1, size):
        yield rows.iloc[start : start + size]


def without(reference: DriftReference, window: pd.DataFrame, case: UseCase) -> DriftReference:
    """The reference as if the window, and the days that share its weather, had never been seen; thresholds stay."""
    first, last = window[case.date].min() - GUARD_DAYS, window[case.date].max() + GUARD_DAYS
    kept = (reference.days < first) | (reference.days > last)
    return replace(
        reference,
        days=reference.days[kept],
        hours=reference.hours[kept],
        numbers=reference.numbers[kept],
    )


def weeks(reference: DriftReference, rows: pd.DataFrame, case: UseCase, *, held_back: bool) -> pd.DataFrame:
    """The verdict on each window: our score, the least p-value of the naive tests, and what said most.

    With `held_back` each window is judged by the others, as it must be where it belongs to the reference itself.
    """
    found = []
    for window in windows(rows, reference.window_rows):
        known = without(reference, window, case) if held_back else reference
        found.append(_week(judge_window(known, features_of(case, window)), window))
    return pd.DataFrame(found)


def _week(judgement: DriftJudgement, window: pd.DataFrame) -> dict[str, object]:
    p_values = [f.p_value for f in judgement.features if f.test == "values" and f.p_value is not None]
    greatest = judgement.features[0]
    return {
        "day": window["day"].iloc[0],
        "score": judgement.score,
        "drifts": judgement.is_drift,
        "p": max(min(p_values), IMPOSSIBLE) if p_values else None,
        "naive": bool(p_values) and min(p_values) < ALPHA / len(p_values),
        "most": f"{greatest.test} of {greatest.name}",
    }


def alarms(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """How many of the windows alarm, by the naive tests and by ours."""
    return pd.DataFrame(
        [
            {
                "weeks": name,
                "judged": len(part),
                "naive test alarms": f"{int(part['naive'].sum())} of {len(part)}",
                "ours alarms": f"{int(part['drifts'].sum())} of {len(part)}",
            }
            for name, part in parts.items()
        ]
    )


def alarms_picture(parts: Mapping[str, pd.DataFrame]) -> Figure:
    """Above: the naive test's p-value of every week. Below: our score of the same weeks, against the limit 1."""
    figure, (above, below) = panels(2, 1, 2.1, sharex=True)
    for (name, part), colour in zip(parts.items(), (MUTED, NEW)):
        above.semilogy(part["day"], part["p"], "o", color=colour, markersize=4, label=name)
        below.plot(part["day"], part["score"], "o", color=colour, markersize=4)
        loud = part[part["drifts"]]
        below.plot(loud["day"], loud["score"], "o", color=BAD, markersize=6)
        for row in loud.sort_values("score").drop_duplicates("most", keep="last").to_dict("records"):
            below.annotate(
                row["most"], (row["day"], row["score"]), xytext=(5, 3), textcoords="offset points", fontsize=8
            )
    above.axhline(ALPHA / 4, color=BAD, linestyle="--", linewidth=1)
    above.set_title("Kolmogorov-Smirnov, p < 0.05 ÷ 4: everything below the line alarms")
    above.set_ylim(IMPOSSIBLE / 10, 1e4)
    above.set_ylabel("p-value")
    above.legend(loc="lower right", ncols=2)
    below.axhline(1.0, color=BAD, linestyle="--", linewidth=1)
    below.set_title("calibrated: everything above the line alarms")
    below.set_ylim(0, max(1.3, 1.1 * max(part["score"].max() for part in parts.values())))
    below.set_ylabel("score")
    return figure


def statistics(reference: DriftReference, rows: pd.DataFrame, case: UseCase) -> pd.DataFrame:
    """Every test of every held-back window of training: its statistic and its threshold."""
    found = []
    for window in windows(rows, reference.window_rows):
        judgement = judge_window(without(reference, window, case), features_of(case, window))
        found += [
            {"test": f.test, "name": f.name, "statistic": f.statistic, "threshold": f.threshold}
            for f in judgement.features
        ]
    return pd.DataFrame(found)


def thresholds_picture(statistics: pd.DataFrame) -> Figure:
    """The distances that unchanged weeks have, a point a week, and the threshold that was made of them."""
    tests = ("values", "relation")
    figure, axes = panels(1, len(tests), 2.8, sharey=True)
    rng = np.random.default_rng(0)
    for axis, test in zip(axes, tests):
        names = list(dict.fromkeys(statistics.loc[statistics["test"] == test, "name"].sort_values()))
        for place, name in enumerate(names):
            part = statistics[(statistics["test"] == test) & (statistics["name"] == name)]
            spread = place + rng.uniform(-0.2, 0.2, len(part))
            axis.plot(spread, part["statistic"], "o", color=NEW, alpha=0.45, markersize=3.5)
            axis.plot([place - 0.35, place + 0.35], [part["threshold"].max()] * 2, color=BAD, linewidth=2)
        axis.set_xticks(range(len(names)), names)
        axis.set_title(f"{test}: distance to the history of the season")
        axis.set_ylim(bottom=0)
    axes[0].set_ylabel("Kolmogorov-Smirnov distance")
    return figure


# --- broken on purpose ---------------------------------------------------------------------------------------------


def stuck(name: str) -> Change:
    """A sensor that keeps its first value."""
    return lambda rows: rows.assign(**{name: rows[name].iloc[0]})


def scaled(name: str, factor: float, offset: float = 0.0) -> Change:
    """Another unit: value × factor + offset."""
    return lambda rows: rows.assign(**{name: rows[name] * factor + offset})


def missing(name: str, every: int) -> Change:
    """Every so-manieth value is empty."""
    return lambda rows: rows.assign(**{name: rows[name].where(np.arange(len(rows)) % every != 0)})


def unchanged(rows: pd.DataFrame) -> pd.DataFrame:
    """Nothing is broken."""
    return rows


def found_by(
    reference: DriftReference, rows: pd.DataFrame, case: UseCase, changes: Mapping[str, Change]
) -> pd.DataFrame:
    """For each change, the share of windows (%) in which each test alarms, and in which any does."""
    parts = list(windows(rows, reference.window_rows))
    table = []
    for name, change in changes.items():
        verdicts = [judge_window(reference, features_of(case, change(part))) for part in parts]
        shares = {test: _share(verdicts, test) for test in TESTS}
        any_test = 100.0 * float(np.mean([verdict.is_drift for verdict in verdicts]))
        table.append({"change": name, "any test": any_test, **shares})
    return pd.DataFrame(table)


def _share(verdicts: Sequence[DriftJudgement], test: str) -> float:
    hit = [any(f.test == test and f.score > 1.0 for f in verdict.features) for verdict in verdicts]
    return 100.0 * float(np.mean(hit))


def found_picture(found: pd.DataFrame) -> Figure:
    """The table of `found_by` as colours: which test is for what."""
    values = found.drop(columns="change")
    figure, (axes,) = panels(height=0.38 * len(found) + 0.9)
    image = heat(axes, values, "Greens", vmin=0, vmax=100)
    for row in range(len(values)):
        for column in range(values.shape[1]):
            share = float(values.to_numpy()[row, column])
            colour = "white" if share > 60 else GOOD if share else PALE
            axes.text(column, row, f"{share:.0f}", ha="center", va="center", color=colour, fontsize=8.5)
    axes.set_xticks(range(values.shape[1]), values.columns)
    axes.set_yticks(range(len(found)), found["change"])
    axes.xaxis.tick_top()
    scale(figure, image, axes, "% of weeks that alarm")
    return figure
