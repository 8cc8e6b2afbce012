"""The record of the loop: a year replayed against the service that retrains, and what became of every reason to do so.

`pedalflow loop` writes it to `state/loop.json`; the report and the README's picture are made from that one file. Moments of the story
are in the time of the data and written as `2012-03-20T09:00`; days as `2012-03-20`. Errors are in units of the label.
"""

from __future__ import annotations

from dataclasses import dataclass

from pedalflow import frozen_json
from pedalflow.run_record import SpanUsed

LOOP = "loop.json"
# What was staged on purpose, and which part was meant to catch it.
BAD_BATCH, BAD_PARAMETERS, BAD_RELEASE = "bad batch", "bad parameters", "bad release"


@dataclass(frozen=True)
class LoopHour:
    """One hour as it was served.

    Args:
        dteday: the day.
        hr: the hour of the day.
        actual: the label that came back a day later.
        prediction: what was answered.
        release: the release that answered.
        without: what the first release would have answered, had nothing been retrained.
    """

    dteday: str
    hr: int
    actual: float
    prediction: float
    release: str
    without: float


@dataclass(frozen=True)
class DayError:
    """The errors of one day's hours, and of the days up to it (`rolling`, over `LoopRecord.rolling_days`)."""

    day: str
    rows: int
    rmse: float
    rmse_without: float
    rolling: float
    rolling_without: float


@dataclass(frozen=True)
class LoopScore:
    """A verdict of a detector, and what the policy made of it.

    Args:
        event: the event that it came as.
        detector: drift or concept-drift.
        day: the last day it speaks of.
        release: the release it is about.
        score: what was compared with `threshold`.
        threshold: the limit.
        is_drift: the verdict.
        outcome: what became of the event: recorded only, asks for a run, joins a run that waits.
        reason: why, in a sentence.
        run: the run that it asked for or joined; empty where there is none.
    """

    event: str
    detector: str
    day: str
    release: str
    score: float
    threshold: float
    is_drift: bool
    outcome: str
    reason: str
    run: str


@dataclass(frozen=True)
class LoopEvent:
    """An event that came in by the door, with its decision. `at` is empty where it carries no moment of the data.

    `decided` is the service's clock when it was decided, which here is the time of the data.
    """

    id: str
    kind: str
    source: str
    subject: str
    summary: str
    at: str
    decided: str
    outcome: str
    reason: str
    run: str
    deliveries: int


@dataclass(frozen=True)
class LoopRun:
    """A run that the triggers service started.

    Args:
        id: the service's name for it.
        asked: when it was asked for.
        started: when it was launched; empty where it was not.
        ended: when it was over; empty where it is not.
        action: what was done.
        outcome: promoted, rolled back, refused, data refused, unchanged, …; empty where it did not start.
        release: the release that it made; empty where it made none.
        note: how it ended, in a sentence.
        events: the events that asked for it.
        pipeline_run: the run record's name; empty where nothing was trained.
        until_span: the newest span it trained on; None where nothing was trained.
        taken_in: files that became spans.
        refused_files: files that were refused, each with the reason.
        candidate_rmse: of the new model on the newest days.
        champion_rmse: of the model that served, on the same days.
        wall_s: seconds from launch to end.
        staged: what was staged on purpose for this run; empty in ordinary ones.
    """

    id: str
    asked: str
    started: str
    ended: str
    action: str
    outcome: str
    release: str
    note: str
    events: tuple[str, ...]
    pipeline_run: str
    until_span: int | None
    taken_in: str
    refused_files: str
    candidate_rmse: float | None
    champion_rmse: float | None
    wall_s: float | None
    staged: str


@dataclass(frozen=True)
class LoopRelease:
    """A release of the story and what it was made of. `served_from` is the first hour it answered as champion or canary (empty: none)."""

    name: str
    pipeline_run: str
    outcome: str
    spans: tuple[SpanUsed, ...]
    commit: str
    dirty: bool
    served_from: str
    hours: int
    rmse: float | None
    staged: str


@dataclass(frozen=True)
class LiveError:
    """Errors of one side of a rollout on live requests whose labels had come back."""

    release: str
    rows: int
    rmse: float | None
    wape: float | None


@dataclass(frozen=True)
class LoopRollout:
    """A release beside the champion under a share of live traffic. `outcome` is promoted or rolled back, `reason` a sentence."""

    release: str
    began: str
    ended: str
    percent: int
    outcome: str
    reason: str
    champion: LiveError | None
    canary: LiveError | None
    staged: str


@dataclass(frozen=True)
class StagedFault:
    """A fault made on purpose: what it was, who caught it, and who served before and after it."""

    name: str
    at: str
    what: str
    caught: bool
    caught_by: str
    said: str
    champion_before: str
    champion_after: str


@dataclass(frozen=True)
class Phase:
    """A part of the loop and its seconds by the wall clock."""

    name: str
    wall_s: float


@dataclass(frozen=True)
class LoopRecord:
    """Everything that one loop came to. `rmse` is over all replayed hours with the retraining, `rmse_without` without it.

    `requests` counts the predictions and labels that were sent, `failed_requests` those that were not answered as they should; a loop
    that was interrupted and resumed counts all its parts.
    """

    first_day: str
    last_day: str
    quick: bool
    first_release: str
    champion: str
    rmse: float
    rmse_without: float
    mae: float
    mae_without: float
    rolling_days: int
    requests: int
    failed_requests: int
    hours: tuple[LoopHour, ...]
    days: tuple[DayError, ...]
    scores: tuple[LoopScore, ...]
    events: tuple[LoopEvent, ...]
    runs: tuple[LoopRun, ...]
    releases: tuple[LoopRelease, ...]
    rollouts: tuple[LoopRollout, ...]
    staged: tuple[StagedFault, ...]
    phases: tuple[Phase, ...]


def to_json(record: LoopRecord) -> str:
    """The record as text."""
    return frozen_json.to_text(record)


def from_json(text: str) -> LoopRecord:
    """The inverse of `to_json`; raises SettingsError where the text is no such record."""
    return frozen_json.from_text(LoopRecord, text)
