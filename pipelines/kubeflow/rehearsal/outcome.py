"""What a rehearsal tells: how each task ended, and how all of them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pedalflow.errors import PedalflowError

SUCCEEDED, FAILED, SKIPPED, NOT_TRIGGERED = "SUCCEEDED", "FAILED", "SKIPPED", "NOT_TRIGGERED"


class TaskFailed(PedalflowError):
    """A task's container ended with an error. `code` is its exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class TaskRun:
    """One task: its state in Kubeflow's words, attempts, seconds of all of them, and why it failed or was skipped."""

    name: str
    state: str
    attempts: int = 0
    seconds: float = 0.0
    why: str = ""
    code: int = 0


@dataclass(frozen=True)
class Produced:
    """What a task returned: values, and artifacts as Kubeflow passes them on (name, uri, metadata)."""

    parameters: Mapping[str, Any]
    artifacts: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Rehearsal:
    """The whole. `artifacts` are those of all tasks, by task and output; `failed` is the task that stopped the run."""

    run_id: str
    tasks: tuple[TaskRun, ...]
    artifacts: Mapping[str, Mapping[str, Mapping[str, Any]]]
    folder: Path

    @property
    def failed(self) -> TaskRun | None:
        """The first task that failed."""
        return next((task for task in self.tasks if task.state == FAILED), None)
