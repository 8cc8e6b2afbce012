"""Starts runs of a pipeline that was uploaded to Kubeflow Pipelines, and follows them.

A run is named `<pipeline>-<key>`, by which it is found again: a connection that breaks after the run was made costs nothing. What a
run made of the model stays in the cluster, so a run that succeeded has the outcome `done`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from triggers.errors import LaunchStopped
from triggers.launchers.arguments_file import arguments_from
from triggers.launchers.following import believed
from triggers.launchers.kubeflow_client import KubeflowClient
from triggers.launchers.launcher import DONE, Launched, Order, Seen, State
from triggers.launchers.launcher_settings import KubeflowSettings, Name, OrderPart
from triggers.launchers.remote import Elsewhere

NEWEST = "newest"
STATES: Mapping[str, State] = {
    "RUNTIME_STATE_UNSPECIFIED": State.ACTIVE,
    "PENDING": State.ACTIVE,
    "RUNNING": State.ACTIVE,
    "PAUSED": State.ACTIVE,
    "CANCELING": State.ACTIVE,
    "SUCCEEDED": State.SUCCEEDED,
    "SKIPPED": State.SUCCEEDED,
    "FAILED": State.FAILED,
    "CANCELED": State.CANCELED,
}
_PART: Mapping[OrderPart, Any] = {
    "reason": lambda order: "; ".join(order.reasons),
    "key": lambda order: order.key,
    "objects": lambda order: json.dumps(order.objects),
    "commit": lambda order: order.commit,
}


class KubeflowLauncher(Elsewhere):
    """Runs of one pipeline in one experiment."""

    name = Name.KUBEFLOW.value

    def __init__(self, settings: KubeflowSettings) -> None:
        self._settings = settings
        self._client = KubeflowClient(settings)

    def find(self, key: str) -> Launched | None:
        """The run whose name carries the key."""
        experiment = self._client.experiment_id(self._settings.experiment)
        if experiment is None:
            return None
        run = self._client.first_run(experiment, self._run_name(key))
        return None if run is None else self._launched(run.run_id)

    def submit(self, order: Order) -> Launched:
        """Start the run, unless there is one with this key."""
        if found := self.find(order.key):
            return found
        pipeline, version = self._pipeline()
        name = self._settings.experiment
        experiment = self._client.experiment_id(name) or self._client.make_experiment(name)
        run = self._client.make_run(
            self._run_name(order.key), experiment, pipeline, version, self._arguments(order)
        )
        return self._launched(run)

    def look(self, run: str) -> Seen:
        """How the run stands; a state that this version does not know counts as being at work, for as long as `run_s`."""
        found = self._client.run(run)
        status = str(found.state or "RUNTIME_STATE_UNSPECIFIED")
        state = STATES.get(status, State.ACTIVE)
        facts = {"pipeline_run": run}
        if state is State.ACTIVE:
            seen = Seen(state, step=status.lower().replace("_", " "), facts=facts)
            return believed(seen, found.created_at, self._settings.run_s, self._launched(run).url)
        note = _failure(found) if state is State.FAILED else f"Kubeflow says {status.lower()}"
        return Seen(state, outcome=DONE if state is State.SUCCEEDED else "", note=note, facts=facts)

    def close(self) -> None:
        """Nothing is held between calls; the runs go on."""

    def _run_name(self, key: str) -> str:
        return f"{self._settings.pipeline}-{key}"

    def _launched(self, run: str) -> Launched:
        return Launched(run, f"{self._settings.ui_host or self._settings.host}/#/runs/details/{run}")

    def _pipeline(self) -> tuple[str, str]:
        """The ids of the pipeline and of the version that is to run; the API wants both."""
        name = self._settings.pipeline
        pipeline = self._client.pipeline_id(name)
        if pipeline is None:
            raise LaunchStopped(
                f"Kubeflow at {self._settings.host} has no pipeline {name}; upload it, or name another one in `pipeline`"
            )
        version = self._settings.version
        if version == NEWEST:
            version = self._client.newest_version(pipeline) or ""
        if not version:
            raise LaunchStopped(f"the pipeline {name} on Kubeflow has no version; upload one")
        return pipeline, version

    def _arguments(self, order: Order) -> dict[str, Any]:
        parts = {
            argument: _PART[part](order)
            for part, argument in self._settings.order_parameters.items()
            if argument
        }
        file = self._settings.arguments_file
        return {**(arguments_from(file) if file else {}), **self._settings.parameters, **parts}


def _failure(run: Any) -> str:
    """Why a run failed: its own words, or else those of the tasks that failed."""
    if run.error and run.error.message:
        return str(run.error.message)
    tasks = (run.run_details and run.run_details.task_details) or []
    failed = [_task_failure(task) for task in tasks if task.state == "FAILED"]
    return "; ".join(failed) or "Kubeflow says that it failed, and not why; its page has the logs"


def _task_failure(task: Any) -> str:
    said = task.error.message if task.error and task.error.message else "failed"
    return f"{task.display_name}: {said}"
