"""The table that a loop ends with on the terminal: three models on the same newest data, and what became of
the new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pedalflow.run_record import RunRecord, Score
from pedalflow.tables import table
from pipelines.report import wording
from pipelines.report.wording import MODELS, NAIVE, NEW, Model

HEADERS = ("model", "trained on", "RMSE", "MAE", "WAPE", "release")
MOST_FAILURES = 5  # more failed gates than these are only counted


def terminal_table(runs: Sequence[RunRecord], report: Path | None = None) -> str:
    """The newest run's comparison as plain text, with the gate's verdict and the place of the `report` below.

    `runs` are all runs of the loop, in any order: the earlier ones tell what the previous model was trained
    on. Raises ValueError where there is none.
    """
    if not runs:
        raise ValueError("There is no run to sum up. Train one with `pedalflow train --until-span 1`.")
    newest = max(runs, key=lambda run: (run.started, run.run_id))
    scores = [(model, wording.score_of(newest, model)) for model in reversed(MODELS)]
    rows = [_row(newest, model, score, runs) for model, score in scores if score is not None]
    period = wording.days(newest.evaluation_first, newest.evaluation_last)
    lines = [
        f"On the same {newest.evaluation_rows} hours, {period}:",
        "",
        table(rows, HEADERS),
        "",
        f"Gate:   {_gate(newest)}",
        f"Result: {wording.verdict(newest)}",
    ]
    if report is not None:
        lines.append(f"Report: {report}")
    return "\n".join(lines) + "\n"


def _row(newest: RunRecord, model: Model, score: Score, runs: Sequence[RunRecord]) -> tuple[str, ...]:
    like = newest.candidate.rmse
    numbers = (
        wording.aligned(score.rmse, like),
        wording.aligned(score.mae, like),
        wording.percent(score.wape),
    )
    return (model.name, _trained_on(newest, model, runs), *numbers, _release(newest, model))


def _trained_on(newest: RunRecord, model: Model, runs: Sequence[RunRecord]) -> str:
    """The window of the run that made the model; an en dash where that run is not among `runs`."""
    if model in (NEW, NAIVE):
        return wording.spans(newest)
    makers = [run for run in runs if run.release_id is not None and run.release_id == newest.champion_release]
    return wording.spans(makers[0]) if makers else wording.MISSING


def _release(newest: RunRecord, model: Model) -> str:
    if model is NAIVE:
        return ""
    return (newest.release_id if model is NEW else newest.champion_release) or "none"


def _gate(record: RunRecord) -> str:
    failed = wording.failed_gates(record)
    if not record.gates:
        return "no rule was asked"
    if not failed:
        return f"all {len(record.gates)} decisions passed"
    sentences = [wording.gate_sentence(gate) for gate in failed[:MOST_FAILURES]]
    if len(failed) > MOST_FAILURES:
        sentences.append(f"and {len(failed) - MOST_FAILURES} more, which the report lists")
    return "\n  ".join((f"{len(failed)} of {len(record.gates)} decisions failed", *sentences))
