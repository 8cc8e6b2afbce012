"""The last act of the loop: the champion is served, and the next month's hours are sent to it.

Serving is another runtime, so it runs as a process of its own; what it came to is read back as a record.
"""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from components.use_cases import load_function, load_use_case
from pedalflow.columns import Kind
from pedalflow.command import runtimes
from pedalflow.errors import DataMissing, ServingFailed
from pedalflow.replay_record import REPLAY, ReplayRecord, from_json
from pedalflow.workspace import Workspace
from pipelines.provenance import REPOSITORY

SERVING = "serving"
PATIENCE_S = 60.0  # the servers' own time to stop


@dataclass(frozen=True)
class Hours:
    """A file of labelled hours to send, and a sentence that says what they are."""

    file: Path
    title: str


def serve_and_replay(workspace: Workspace, use_case: str, until_span: int, *, verbose: bool) -> ReplayRecord:
    """Serve the workspace's champion and send it the span after `until_span`, with one week in which a sensor is stuck on purpose.

    Raises:
        EnvironmentMissing: the serving runtime is not set up.
        ServingFailed: it ended with an error, which it has said itself.
    """
    hours = next_hours(workspace, use_case, until_span)
    into = workspace.serving / REPLAY
    case = load_use_case(use_case)
    sensor = next(column.name for column in case.features if column.kind is Kind.NUMBER)
    _run(
        [
            *(str(runtimes.python_of(SERVING)), "-m", "serving.replay_command"),
            *("--workspace", str(workspace.root), "--file", str(hours.file), "--title", hours.title),
            *("--stuck", sensor, "--into", str(into)),
            *(["--verbose"] if verbose else []),
        ],
        verbose=verbose,
    )
    return from_json(into.read_text(encoding="utf-8"))


def next_hours(workspace: Workspace, use_case: str, until_span: int) -> Hours:
    """The span after `until_span`, cut out of the raw archive without letting it arrive; where there is none, the newest one."""
    case = load_use_case(use_case)
    cut = load_function(case.archive_span)
    try:
        number, content = until_span + 1, cut(REPOSITORY / case.archive, until_span + 1)
        title = f"The hours of span {number}, which had not arrived when the model was trained."
    except DataMissing:
        number, content = until_span, cut(REPOSITORY / case.archive, until_span)
        title = f"The hours of span {number}, the newest; the model has seen all but the last days of them."
    file = workspace.serving / "replay" / f"span-{number:02d}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return Hours(file, title)


def _run(command: list[str], *, verbose: bool) -> None:
    """Run the serving runtime to its end. Stopped meanwhile, it is asked to stop its servers before this process goes on."""
    settings = runtimes.surroundings(os.environ, verbose)
    child = subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL)
    try:
        code = child.wait()
    except BaseException:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        raise
    if code != 0:
        raise ServingFailed(
            f"the champion could not be served (exit code {code}, its message is above); "
            "`pedalflow serve` tries it alone, `pedalflow loop --no-serve` leaves it out"
        )
