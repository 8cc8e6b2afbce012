"""Runs the tasks of a compiled pipeline in their order, one after the other, as Kubeflow would: what failed stops what depends on it."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pedalflow.errors import PedalflowError, SettingsError
from pipelines.kubeflow.compiled import CompiledPipeline
from pipelines.kubeflow.rehearsal.conditions import holds
from pipelines.kubeflow.rehearsal.driver import Run, Scope, executor_input, parameters_of
from pipelines.kubeflow.rehearsal.launcher import Pod, launch
from pipelines.kubeflow.rehearsal.outcome import (
    FAILED,
    NOT_TRIGGERED,
    SKIPPED,
    SUCCEEDED,
    Produced,
    Rehearsal,
    TaskFailed,
    TaskRun,
)
from pipelines.kubeflow.rehearsal.processes import Runner
from pipelines.kubeflow.rehearsal.store import ObjectStore

AT_THE_END = "ALL_UPSTREAM_TASKS_COMPLETED"
Spec = Mapping[str, Any]


class Steps(Protocol):
    """Shows what is at work (`pedalflow.progress.Progress`)."""

    def step(self, name: str) -> AbstractContextManager[None]:
        """Shows `name` until the block ends."""


@dataclass
class Orchestrator:
    """One rehearsal: `folder` is its own, with the pods in it; outputs of tasks are kept in `store`."""

    pipeline: CompiledPipeline
    store: ObjectStore
    runner: Runner
    run: Run
    folder: Path
    steps: Steps
    _tasks: list[TaskRun] = field(default_factory=list)
    _artifacts: dict[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    def rehearse(self, arguments: Mapping[str, Any]) -> Rehearsal:
        """Run the whole pipeline. A task that fails is told in the result, not raised."""
        self._run_dag(self.pipeline.spec["root"]["dag"], arguments)
        return Rehearsal(self.run.run_id, tuple(self._tasks), dict(self._artifacts), self.folder)

    def _run_dag(self, dag: Spec, given: Mapping[str, Any]) -> TaskRun | None:
        """Run all tasks of a DAG; returns the first that failed."""
        scope = Scope(given, {}, {})
        ended: dict[str, TaskRun] = {}
        for name in ordered(dag["tasks"]):
            spec = dag["tasks"][name]
            done, produced = self._run_task(name, spec, scope, ended)
            ended[name] = done
            scope = Scope(
                given, {**scope.produced, name: produced}, {**scope.statuses, name: self._status(name, done)}
            )
        return next((task for task in ended.values() if task.state == FAILED), None)

    def _run_task(
        self, name: str, spec: Spec, scope: Scope, ended: Mapping[str, TaskRun]
    ) -> tuple[TaskRun, Produced]:
        component = self.pipeline.component(spec["componentRef"]["name"])
        if spec.keys() & {"parameterIterator", "artifactIterator"}:
            raise SettingsError(f"the task {name} is a loop, which the rehearsal does not run")
        stopped = [task for task in spec.get("dependentTasks", ()) if ended[task].state in (FAILED, SKIPPED)]
        if stopped and spec.get("triggerPolicy", {}).get("strategy") != AT_THE_END:
            return self._told(TaskRun(name, SKIPPED, why=f"{stopped[0]} did not succeed")), Produced({}, {})
        if "dag" in component:
            failed = self._run_dag(component["dag"], parameters_of(spec, component, scope, self.run))
            state = FAILED if failed else SUCCEEDED
            return TaskRun(name, state, why=failed.why if failed else ""), Produced({}, {})
        done, produced = self._attempts(name, spec, component, scope)
        self._artifacts[name] = produced.artifacts
        return self._told(done), produced

    def _told(self, done: TaskRun) -> TaskRun:
        self._tasks.append(done)
        return done

    def _attempts(self, name: str, spec: Spec, component: Spec, scope: Scope) -> tuple[TaskRun, Produced]:
        """As often as the retry policy says, but without its pauses."""
        most = 1 + int(spec.get("retryPolicy", {}).get("maxRetryCount", 0))
        began = time.monotonic()
        for attempt in range(1, most + 1):
            try:
                with self.steps.step(name if attempt == 1 else f"{name}, attempt {attempt}"):
                    state, produced = self._attempt(name, spec, component, scope, attempt)
                return TaskRun(name, state, attempt, _since(began)), produced
            except PedalflowError as error:
                code = error.code if isinstance(error, TaskFailed) else 1
                failed = TaskRun(name, FAILED, attempt, _since(began), str(error), code)
        return failed, Produced({}, {})

    def _attempt(
        self, name: str, spec: Spec, component: Spec, scope: Scope, attempt: int
    ) -> tuple[str, Produced]:
        executor = self.pipeline.executor(component)
        if "importer" in executor:
            return SUCCEEDED, self._import(executor["importer"], spec, component, scope)
        handed = executor_input(name, spec, component, scope, self.run, uuid.uuid4().hex)
        condition = spec.get("triggerPolicy", {}).get("condition")
        if condition and not holds(condition, handed):
            return NOT_TRIGGERED, Produced({}, {})
        pod = Pod(self.folder / "pods" / f"{name}-{attempt}")
        produced = launch(handed, component, executor["container"], pod, self.store, self.runner)
        shutil.rmtree(
            pod.root, ignore_errors=True
        )  # a pod's disk goes with it; of one that failed it stays, to be looked at
        return SUCCEEDED, produced

    def _import(self, importer: Spec, spec: Spec, component: Spec, scope: Scope) -> Produced:
        """An importer copies nothing: it makes an artifact of a URI. Raises SettingsError where it is empty or no object store's."""
        source = importer["artifactUri"]
        values = parameters_of(spec, component, scope, self.run)
        uri = values[source["runtimeParameter"]] if "runtimeParameter" in source else source["constant"]
        if not uri:
            raise SettingsError("the URI to import is empty")
        self.store.path(uri)
        (output,) = component["outputDefinitions"]["artifacts"]
        return Produced(
            {}, {output: {"name": uri, "uri": uri, "metadata": dict(importer.get("metadata", {}))}}
        )

    def _status(self, name: str, done: TaskRun) -> dict[str, Any]:
        """The final status, as an exit handler is given it."""
        status: dict[str, Any] = {
            "state": done.state,
            "pipelineJobResourceName": self.run.name,
            "pipelineTaskName": name,
        }
        return {**status, "error": {"message": done.why, "code": 9}} if done.state == FAILED else status


def ordered(tasks: Mapping[str, Spec]) -> Iterator[str]:
    """The tasks so that each comes after all that it waits for; where several could come, in the order of their names."""
    left = {name: set(spec.get("dependentTasks", ())) for name, spec in tasks.items()}
    while left:
        ready = sorted(name for name, waits in left.items() if not waits & left.keys())
        if not ready:
            raise SettingsError(f"the tasks {', '.join(sorted(left))} wait for each other")
        del left[ready[0]]
        yield ready[0]


def _since(began: float) -> float:
    return round(time.monotonic() - began, 2)
