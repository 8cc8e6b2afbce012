"""How the retraining decisions of a loop came about: verdicts and what became of them, runs, and the errors that they led to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pedalflow.loop_record import LOOP, LoopRecord, LoopRun, from_json
from pedalflow.loop_table import answered, apart_from_staged, result
from pedalflow.workspace import Workspace
from pipelines.notebooks.showing import picture, table
from pipelines.notebooks.style import BAD, GOOD, MUTED, NEW, PALE, PREVIOUS, panels

DETECTORS: Mapping[str, str] = {"concept-drift": NEW, "drift": PREVIOUS}
OUTCOMES: Mapping[str, str] = {"promoted": GOOD, "refused": BAD, "data refused": BAD, "rolled back": BAD}
NOTHING_PLAYED = (
    "No loop was played here, so there is nothing to show: `pedalflow --workspace run loop --quick` plays one in two minutes, "
    "and `pedalflow --workspace run notebook` opens the notebooks beside it."
)


def read_loop(workspace: Workspace) -> LoopRecord:
    """The record of the loop that was played in a workspace."""
    return from_json((workspace.state / LOOP).read_text(encoding="utf-8"))


def verdicts(record: LoopRecord) -> pd.DataFrame:
    """What the detectors said, and what the policy made of it, counted."""
    counted = Counter((score.detector, score.is_drift, score.outcome) for score in record.scores)
    rows = [
        {"detector": detector, "says drift": drift, "verdicts": count, "what became of them": outcome}
        for (detector, drift, outcome), count in sorted(counted.items())
    ]
    return pd.DataFrame(rows)


def runs(record: LoopRecord) -> pd.DataFrame:
    """Each run: what asked for it, how many more events joined it, how long it waited, and how it ended."""
    return pd.DataFrame([_run(record, run) for run in record.runs])


def _run(record: LoopRecord, run: LoopRun) -> dict[str, object]:
    kinds = {event.id: event.kind for event in record.events}
    asked = [kinds[event] for event in run.events if event in kinds]
    return {
        "run": run.id,
        "asked": run.asked[:10],
        "by": asked[0] if asked else "",
        "joined by": max(0, len(run.events) - 1),
        "started": run.started[:10] or None,
        "outcome": run.outcome or "not started",
        "new RMSE": run.candidate_rmse,
        "old RMSE": run.champion_rmse,
        "staged": run.staged,
    }


def what_was_played(workspace: Workspace | None) -> str:
    """What the loop came to, in a sentence; or how to play one."""
    if workspace is None:
        return NOTHING_PLAYED
    record = read_loop(workspace)
    errors = f"{result(record)} {apart_from_staged(record)}".strip()
    return f"{record.first_day} to {record.last_day}, replayed: **{answered(record)}** {errors}"


def show(workspace: Workspace | None) -> None:
    """The picture and both tables of a loop; nothing where none was played."""
    if workspace is None:
        return
    record = read_loop(workspace)
    picture(
        decisions_picture(record), "Verdicts, the runs that they led to, and the errors of the served model."
    )
    table(verdicts(record), "What the detectors said, and what became of it")
    table(runs(record), "The runs")


def promoted_in(workspace: Workspace | None) -> str | None:
    """`promoted` of the loop that was played in a workspace; None where none was."""
    return None if workspace is None else promoted(read_loop(workspace))


def promoted(record: LoopRecord) -> str | None:
    """The first run that changed who answers; None where there was none."""
    return next((run.id for run in record.runs if run.outcome == "promoted"), None)


def decisions_picture(record: LoopRecord) -> Figure:
    """On one axis of time: the detectors' scores against the limit 1, the runs they asked for, and the rolling error with and without."""
    figure, (scores, runs, errors) = panels(3, 1, 1.8, sharex=True, height_ratios=[1.2, 0.8, 1.2])
    for detector, colour in DETECTORS.items():
        said = [score for score in record.scores if score.detector == detector]
        days = pd.to_datetime([score.day for score in said])
        scores.plot(
            days, [s.score for s in said], "o-", color=colour, markersize=3, linewidth=1, label=detector
        )
    scores.axhline(1.0, color=BAD, linestyle="--", linewidth=1)
    scores.set_title("what the detectors said, against the limit 1")
    scores.legend(loc="upper right", ncols=2)
    _draw_runs(runs, record)
    days = pd.to_datetime([day.day for day in record.days])
    errors.plot(days, [d.rolling_without for d in record.days], color=MUTED, label="never retrained")
    errors.plot(days, [d.rolling for d in record.days], color=NEW, linewidth=2, label="as it was served")
    errors.set_title(f"RMSE of the last {record.rolling_days} days")
    errors.set_ylim(bottom=0)
    errors.legend(loc="lower left", ncols=2)
    return figure


def _draw_runs(axes: Axes, record: LoopRecord) -> None:
    """A line a run, from when it was asked for to when it ended; pale while it waited."""
    for row, run in enumerate(record.runs):
        asked, ended = pd.Timestamp(run.asked), pd.Timestamp(run.ended or run.asked)
        started = pd.Timestamp(run.started) if run.started else ended
        colour = OUTCOMES.get(run.outcome, MUTED)
        axes.plot([asked, started], [row, row], color=PALE, linewidth=6, solid_capstyle="butt")
        axes.plot([started, ended], [row, row], color=colour, linewidth=6, solid_capstyle="butt")
        said = run.outcome or "dropped"
        axes.annotate(
            f"{said}, staged" if run.staged else said,
            (ended, row),
            xytext=(6, -3),
            textcoords="offset points",
            fontsize=8,
            color=colour,
        )
    axes.set_title("runs: pale while they wait, coloured while they work")
    axes.set_yticks([])
    axes.set_ylim(len(record.runs) - 0.4, -0.6)
