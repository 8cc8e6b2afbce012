"""Follows a run of Kubeflow to its end, and says each change once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

from pedalflow.errors import PedalflowError, RunCanceled, RunFailed, RunUnfinished
from pipelines.kubeflow.api import Json
from pipelines.kubeflow.api_calls import Kubeflow
from pipelines.kubeflow.api_errors import TryLater

SUCCEEDED = ("SUCCEEDED", "SKIPPED")
ENDED = (*SUCCEEDED, "FAILED", "CANCELED")  # CANCELING is still under way
OUTAGE_S = 600.0  # without any answer for so long, nobody is waited for
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _SLOWER = 0.2, 10.0, 1.5
_NO_TASKS = ("root", "executor", "tfx-dag")  # what Kubeflow lists beside the tasks, and a driver for each


def follow(server: Kubeflow, run: Json, say: Callable[[str], None], timeout_s: float = math.inf) -> Json:
    """The run once it has ended, or as it stands after `timeout_s` seconds.

    Raises TryLater where the server has not answered for ten minutes, and what `Api` raises. The run goes on in any case.
    """
    begun = answered = time.monotonic()
    told: set[str] = set()
    pause = _FIRST_PAUSE_S
    while True:
        try:
            run, answered = server.run(run["run_id"]), time.monotonic()
        except TryLater as error:
            if time.monotonic() - answered > OUTAGE_S:
                raise
            say(f"still waiting: {error}")
        for line in changes(run):
            if line not in told:
                say(line)
                told.add(line)
        if state(run) in ENDED or time.monotonic() - begun >= timeout_s:
            return run
        time.sleep(pause)
        pause = min(pause * _SLOWER, _LONGEST_PAUSE_S)


def state(run: Json) -> str:
    """The state of a run."""
    return str(run.get("state") or "RUNTIME_STATE_UNSPECIFIED")


def changes(run: Json) -> Iterator[str]:
    """How a run and its tasks stand, one line for each. Pure."""
    for task in _tasks(run):
        if task.get("state") not in (None, "PENDING", "RUNTIME_STATE_UNSPECIFIED"):
            yield f"  {task['display_name']}: {_words(task['state'])}"
    yield f"the run: {_words(state(run))}"


def failure(run: Json, page: str) -> PedalflowError | None:
    """The error that a run comes to; None for a success. Pure."""
    if state(run) in SUCCEEDED:
        return None
    if state(run) not in ENDED:
        return RunUnfinished(
            f"the run {run['run_id']} is still {_words(state(run))} when the time to wait is up; {page}"
        )
    if state(run) == "CANCELED":
        return RunCanceled(f"the run {run['run_id']} was canceled; {page}")
    failed = [_task_failure(task) for task in _tasks(run) if task.get("state") == "FAILED"]
    said = (run.get("error") or {}).get("message")
    why = "; ".join([*failed, *([said] if said else [])]) or "Kubeflow does not say why"
    return RunFailed(f"the run {run['run_id']} failed: {why}; its logs are at {page}")


def _tasks(run: Json) -> Iterator[Json]:
    for task in (run.get("run_details") or {}).get("task_details") or ():
        name = task.get("display_name") or ""
        if name and name not in _NO_TASKS and not name.endswith("-driver"):
            yield task


def _task_failure(task: Json) -> str:
    said = (task.get("error") or {}).get("message")
    return f"the task {task['display_name']} failed" + (f" ({said})" if said else "")


def _words(text: str) -> str:
    return text.lower().replace("_", " ").removeprefix("runtime state ")
