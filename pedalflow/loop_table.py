"""What the loop came to, as plain text: for the terminal, and sentences for the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pedalflow.loop_record import LoopHour, LoopRecord, LoopRollout, LoopRun
from pedalflow.tables import table

PROMOTED, ROLLED_BACK = "promoted", "rolled back"
MOST_RUNS = 8  # of more runs the table has those that changed who answers, and those that were staged
HEADERS = ("run", "started", "asked for by", "outcome", "new RMSE", "old RMSE", "release")


@dataclass(frozen=True)
class Errors:
    """RMSE over the same `hours`, with the retraining and without it."""

    hours: int
    rmse: float
    rmse_without: float


def loop_table(record: LoopRecord, report: Path | None = None) -> str:
    """Errors with the retraining and without, every run with its outcome or what it waits for, what was staged, and where the report is."""
    started = sorted((run for run in record.runs if run.started), key=lambda run: run.started)
    shown = started if len(started) <= MOST_RUNS else [run for run in started if _counts(run)]
    left_out = [f"and {len(started) - len(shown)} more, which the report lists"] if shown != started else []
    lines = [
        f"{record.first_day} to {record.last_day}, replayed: {answered(record)}",
        "",
        table([_run(record, run) for run in shown], HEADERS),
        *left_out,
        "",
        *(_waiting(record, run) for run in record.runs if not (run.started or run.ended)),
        *(_fault(fault.name, fault.at, fault.caught_by, fault.caught) for fault in record.staged),
        f"Time:     {_duration(sum(phase.wall_s for phase in record.phases))}",
        f"Error:    {result(record)}",
    ]
    if apart := apart_from_staged(record):
        lines.append(f"          {apart}")
    lines.append(f"Champion: {record.champion}")
    if report is not None:
        lines.append(f"Report:   {report}")
    return "\n".join(lines) + "\n"


def answered(record: LoopRecord) -> str:
    """How often it was retrained and asked, and how often that failed, in a sentence."""
    failed = f"{record.failed_requests:,} failed" if record.failed_requests else "none failed"
    return f"{retrainings(record)}; {record.requests:,} requests, {failed}."


def retrainings(record: LoopRecord) -> str:
    """How many models were trained for an honest reason, and how many of them were promoted: `4 retrainings, 3 of them promoted`.

    A run that found the work done and only judged it again is no retraining of its own.
    """
    trained = {run.pipeline_run: run.outcome for run in record.runs if run.pipeline_run and not run.staged}
    promoted = sum(outcome == PROMOTED for outcome in trained.values())
    if not trained:
        return "no retraining"
    if len(trained) == 1:
        return f"1 retraining, {'promoted' if promoted else 'not promoted'}"
    share = "all" if promoted == len(trained) else f"{promoted or 'none'} of them"
    return f"{len(trained)} retrainings, {share} promoted"


def result(record: LoopRecord) -> str:
    """What the retraining was worth on all hours, in a sentence."""
    return _compared(Errors(len(record.hours), record.rmse, record.rmse_without)) + "."


def apart_from_staged(record: LoopRecord) -> str:
    """The same without the hours that a release answered which was broken on purpose; empty where there was none."""
    others = errors_apart_from_staged(record)
    staged = len(record.hours) - others.hours
    if not staged or not others.hours:
        return ""
    return f"Without the {staged:,} hours that the staged release answered: {_compared(others)}."


def errors_apart_from_staged(record: LoopRecord) -> Errors:
    """Errors over the hours that no staged release answered; not a number where there is none."""
    hours = [hour for hour in record.hours if hour.release not in staged_releases(record)]
    return Errors(
        len(hours),
        rmse([hour.prediction - hour.actual for hour in hours]),
        rmse([hour.without - hour.actual for hour in hours]),
    )


def staged_releases(record: LoopRecord) -> frozenset[str]:
    """The releases that were broken on purpose."""
    return frozenset(release.name for release in record.releases if release.staged)


def by_hand(record: LoopRecord) -> tuple[LoopRollout, ...]:
    """The rollouts that no run of the triggers service began."""
    made = {run.release for run in record.runs}
    return tuple(rollout for rollout in record.rollouts if rollout.release not in made)


def answered_by(record: LoopRecord, release: str) -> tuple[LoopHour, ...]:
    """The hours that one release answered, in order."""
    return tuple(hour for hour in record.hours if hour.release == release)


def rmse(errors: Sequence[float]) -> float:
    """The root of the mean square; not a number where there is none."""
    return math.sqrt(sum(error * error for error in errors) / len(errors)) if errors else math.nan


def _compared(errors: Errors) -> str:
    said = f"RMSE {errors.rmse:.1f} with retraining, {errors.rmse_without:.1f} without"
    if errors.rmse_without <= 0:
        return said
    change = errors.rmse / errors.rmse_without - 1
    return f"{said} ({abs(change) * 100:.0f} % {'lower' if change <= 0 else 'higher'})"


def _counts(run: LoopRun) -> bool:
    return run.outcome in (PROMOTED, ROLLED_BACK) or bool(run.staged)


def _run(record: LoopRecord, run: LoopRun) -> tuple[str, ...]:
    errors = ["" if error is None else f"{error:.1f}" for error in (run.candidate_rmse, run.champion_rmse)]
    staged = " (staged)" if run.staged else ""
    return (
        run.id,
        run.started[:10],
        _asked_by(record, run) + staged,
        run.outcome or "at work",
        *errors,
        run.release,
    )


def _waiting(record: LoopRecord, run: LoopRun) -> str:
    return f"Waits:    {run.id}, asked for by {_asked_by(record, run)}: {run.note}"


def _asked_by(record: LoopRecord, run: LoopRun) -> str:
    kinds = {event.id: event.kind for event in record.events}
    return ", ".join(dict.fromkeys(kinds[event] for event in run.events if event in kinds))


def _fault(name: str, at: str, by: str, caught: bool) -> str:
    return f"Staged:   {name}, {at[:10]}: {'caught by' if caught else 'NOT caught by'} {by}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
