"""Puts the record of the loop together from what the loop, the triggers service and the runs left behind."""

from __future__ import annotations

import csv
import json
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pedalflow.champion import read_pointer
from pedalflow.loop_record import (
    DayError,
    LoopHour,
    LoopRecord,
    LoopRelease,
    LoopRollout,
    Phase,
)
from pedalflow.run_record import RunRecord
from pedalflow.workspace import Workspace
from pipelines.loop.journal import Answered, Position
from pipelines.loop.said import (
    EVENTS,
    RUNS,
    VERDICTS,
    event_of,
    faults_of,
    rollouts_of,
    run_of,
    score_of,
    staged_runs,
)
from pipelines.run_files import all_records

ROLLING_DAYS = 14


def loop_record(
    workspace: Workspace,
    folder: Path,
    position: Position,
    answered: Sequence[Answered],
    without: Sequence[float],
) -> LoopRecord:
    """The record. `without` is what the first release says of the same hours."""
    hours = tuple(
        LoopHour(**asdict(hour), without=value) for hour, value in zip(answered, without, strict=True)
    )
    events, runs = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (EVENTS, RUNS))
    by_run = staged_runs(events, position)
    rollouts = rollouts_of(workspace, position, runs)
    loop_runs = tuple(run_of(run, events, position, by_run.get(run["id"], "")) for run in runs)
    return LoopRecord(
        first_day=hours[0].dteday,
        last_day=hours[-1].dteday,
        quick=position.quick,
        first_release=position.first_release,
        champion=read_pointer(workspace.champion).release,
        rmse=_rmse([hour.prediction - hour.actual for hour in hours]),
        rmse_without=_rmse([hour.without - hour.actual for hour in hours]),
        mae=_mae([hour.prediction - hour.actual for hour in hours]),
        mae_without=_mae([hour.without - hour.actual for hour in hours]),
        rolling_days=ROLLING_DAYS,
        requests=position.requests,
        failed_requests=position.failed,
        hours=hours,
        days=daily_errors(hours),
        scores=tuple(score for event in events if (score := score_of(event)) is not None),
        events=tuple(event_of(event) for event in events if event["kind"] not in VERDICTS or event["run"]),
        runs=loop_runs,
        releases=_releases(workspace, hours, rollouts),
        rollouts=rollouts,
        staged=faults_of(position, events, runs, rollouts),
        phases=tuple(Phase(name, seconds) for name, seconds in position.phases.items()),
    )


def daily_errors(hours: Sequence[LoopHour]) -> tuple[DayError, ...]:
    """The errors of each day, and over the days up to it, with the retraining and without."""
    by_day: dict[str, list[LoopHour]] = {}
    for hour in hours:
        by_day.setdefault(hour.dteday, []).append(hour)
    window: deque[list[LoopHour]] = deque(maxlen=ROLLING_DAYS)
    errors = []
    for day, of_day in by_day.items():
        window.append(of_day)
        rolling = [hour for known in window for hour in known]
        errors.append(
            DayError(
                day,
                len(of_day),
                _rmse([hour.prediction - hour.actual for hour in of_day]),
                _rmse([hour.without - hour.actual for hour in of_day]),
                _rmse([hour.prediction - hour.actual for hour in rolling]),
                _rmse([hour.without - hour.actual for hour in rolling]),
            )
        )
    return tuple(errors)


def predictions_of(file: Path) -> list[float]:
    """The predictions that `pedalflow predict` wrote."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [float(row["prediction"]) for row in csv.DictReader(lines)]


def _rmse(errors: Sequence[float]) -> float:
    return math.sqrt(sum(error * error for error in errors) / len(errors))


def _mae(errors: Sequence[float]) -> float:
    return sum(map(abs, errors)) / len(errors)


def _releases(
    workspace: Workspace, hours: Sequence[LoopHour], rollouts: Sequence[LoopRollout]
) -> tuple[LoopRelease, ...]:
    """Every release that a run made or that answered, in the order of its making."""
    records = sorted(all_records(workspace), key=lambda record: record.finished)
    made = {str(record.release_id): record for record in records}
    staged = {rollout.release: rollout.staged for rollout in rollouts}
    answered = dict.fromkeys(hour.release for hour in hours)
    return tuple(_release(name, made.get(name), hours, staged.get(name, "")) for name in {**made, **answered})


def _release(name: str, record: RunRecord | None, hours: Sequence[LoopHour], staged: str) -> LoopRelease:
    own = [hour for hour in hours if hour.release == name]
    return LoopRelease(
        name=name,
        pipeline_run=record.run_id if record else "",
        outcome=record.outcome if record else "",
        spans=record.spans if record else (),
        commit=record.commit if record else "",
        dirty=record.dirty if record else False,
        served_from=f"{own[0].dteday}T{own[0].hr:02d}:00" if own else "",
        hours=len(own),
        rmse=_rmse([hour.prediction - hour.actual for hour in own]) if own else None,
        staged=staged,
    )
