"""What the exit codes of `pedalflow` mean, and which error leads to which. The only place that turns errors into numbers."""

from __future__ import annotations

from dataclasses import dataclass

from pedalflow import errors


@dataclass(frozen=True)
class Exit:
    """One exit code. `errors` lists the classes that lead to it, their subclasses included."""

    code: int
    meaning: str
    errors: tuple[type[errors.PedalflowError], ...] = ()


OK = Exit(0, "done")
UNEXPECTED = Exit(1, "an error that nobody foresaw; its traceback is in a log file that the message names")
USAGE = Exit(2, "a wrong option or setting", (errors.SettingsError,))
DATA_REFUSED = Exit(
    3, "data was refused, is missing or does not match its hash", (errors.DataRefused, errors.DataMissing)
)
GATE_REFUSED = Exit(4, "a trained model was refused by an acceptance rule", (errors.GateRefused,))
ENVIRONMENT_MISSING = Exit(
    5, "an interpreter, a lock or an environment is missing", (errors.EnvironmentMissing,)
)
ANOMALIES = Exit(
    6, "the data broke the curated schema, so the run stopped before training", (errors.AnomaliesFound,)
)
RUN_FAILED = Exit(
    7, "a pipeline run failed, or a release is broken", (errors.RunFailed, errors.ReleaseBroken)
)
SERVING_FAILED = Exit(8, "a server did not start, or stopped by itself", (errors.ServingFailed,))
RUN_CANCELED = Exit(9, "a run that was waited for was canceled by somebody", (errors.RunCanceled,))
RUN_UNFINISHED = Exit(
    10, "a run that was waited for had not ended when the time was up; it goes on", (errors.RunUnfinished,)
)
INTERRUPTED = Exit(130, "stopped by Ctrl-C; nothing is left half-registered")
OUTPUT_CLOSED = Exit(141, "whatever read the output stopped reading, as `| head` does")

EXITS = (
    OK,
    UNEXPECTED,
    USAGE,
    DATA_REFUSED,
    GATE_REFUSED,
    ENVIRONMENT_MISSING,
    ANOMALIES,
    RUN_FAILED,
    SERVING_FAILED,
    RUN_CANCELED,
    RUN_UNFINISHED,
    INTERRUPTED,
    OUTPUT_CLOSED,
)


def code_for(error: BaseException) -> int:
    """The exit code of `error`; an error outside the family of PedalflowError is unexpected."""
    for entry in EXITS:
        if isinstance(error, entry.errors):
            return entry.code
    return INTERRUPTED.code if isinstance(error, KeyboardInterrupt) else UNEXPECTED.code


def as_text() -> str:
    """The table as lines of help."""
    return "\n".join(f"  {entry.code:>3}  {entry.meaning}" for entry in EXITS)
