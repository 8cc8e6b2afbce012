"""What a compiled file may hold: the parts that open-source Kubeflow Pipelines runs. Everything else is refused, by name. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Spec = Mapping[str, Any]
SCHEMA = "2.1.0"
EXECUTORS = ("container", "importer")
FORBIDDEN = ("resolver", "lifecycle", "preCacheCheck", "customJob")
CONTAINER = {"args", "command", "image", "env", "resources"}
TASK = {
    "cachingOptions",
    "componentRef",
    "dependentTasks",
    "inputs",
    "retryPolicy",
    "taskInfo",
    "triggerPolicy",
}
PARAMETER_SOURCES = {"componentInputParameter", "taskOutputParameter", "taskFinalStatus", "runtimeValue"}
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
_PINNED = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")


def problems(spec: Spec) -> list[str]:
    """What in a compiled pipeline would not run, or would not run the same each time; empty where all is well."""
    return [
        *_heading(spec),
        *_keys(spec, "file"),
        *_executors(spec["deploymentSpec"]["executors"]),
        *_dag("root", spec["root"], spec["components"]),
        *_unused(spec),
    ]


def _heading(spec: Spec) -> Iterator[str]:
    if spec["schemaVersion"] != SCHEMA:
        yield f"schema version {spec['schemaVersion']}, but only {SCHEMA} runs"
    if not _NAME.fullmatch(spec["pipelineInfo"]["name"]):
        yield f"pipeline name {spec['pipelineInfo']['name']!r}, but it must be in lower case with hyphens"


def _keys(node: Any, where: str) -> Iterator[str]:
    """Keys that no part of the file may have, however deep."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in FORBIDDEN:
                yield f"{where} holds {key}, which Kubeflow does not run"
            yield from _keys(value, f"{where}.{key}")
    elif isinstance(node, list):
        for item in node:
            yield from _keys(item, where)


def _executors(executors: Spec) -> Iterator[str]:
    for label, executor in executors.items():
        kinds = set(executor)
        if len(kinds) != 1 or not kinds <= set(EXECUTORS):
            yield f"executor {label} is {sorted(kinds)}, but only one of {EXECUTORS} runs"
        elif "container" in kinds:
            yield from _container(label, executor["container"])


def _container(label: str, container: Spec) -> Iterator[str]:
    if unknown := container.keys() - CONTAINER:
        yield f"executor {label} has {sorted(unknown)} in its container"
    if not _PINNED.fullmatch(container["image"]):
        yield f"executor {label} has the image {container['image']!r}, which no digest pins"


def _dag(name: str, component: Spec, components: Spec) -> Iterator[str]:
    """Every parameter and artifact of every task has a source that exists, in this DAG and in those inside it."""
    given = component.get("inputDefinitions", {}).get("parameters", {}).keys()
    tasks = component["dag"]["tasks"]
    for task, spec in tasks.items():
        where = f"task {task} in {name}"
        called = components.get(spec["componentRef"]["name"])
        if called is None:
            yield f"{where} calls {spec['componentRef']['name']}, which is not there"
            continue
        yield from _task(where, spec, called, tasks, components, given)
        if "dag" in called:
            yield from _dag(task, called, components)


def _task(where: str, task: Spec, called: Spec, tasks: Spec, components: Spec, given: Any) -> Iterator[str]:
    if unknown := task.keys() - TASK:
        yield f"{where} has {sorted(unknown)}"
    if absent := set(task.get("dependentTasks", ())) - tasks.keys():
        yield f"{where} waits for {sorted(absent)}, which is not there"
    inputs = task.get("inputs", {})
    for kind in ("parameters", "artifacts"):
        declared = called.get("inputDefinitions", {}).get(kind, {})
        for name in declared.keys() ^ inputs.get(kind, {}).keys():
            yield f"{where}: {name} in {kind} is {'not wired' if name in declared else 'wired but not declared'}"
    for name, source in inputs.get("parameters", {}).items():
        yield from _parameter(f"{where}: {name}", source, task, tasks, components, given)
    for name, source in inputs.get("artifacts", {}).items():
        yield from _artifact(f"{where}: {name}", source, task, tasks, components)


def _parameter(
    where: str, source: Spec, task: Spec, tasks: Spec, components: Spec, given: Any
) -> Iterator[str]:
    (kind,) = source
    if kind not in PARAMETER_SOURCES:
        yield f"{where} comes from {kind}"
    elif kind == "componentInputParameter" and source[kind] not in given:
        yield f"{where} comes from the parameter {source[kind]}, which is not passed in"
    elif kind == "taskOutputParameter":
        made = source[kind]
        yield from _produced(where, made, "parameters", made["outputParameterKey"], task, tasks, components)


def _artifact(where: str, source: Spec, task: Spec, tasks: Spec, components: Spec) -> Iterator[str]:
    made = source.get("taskOutputArtifact")
    if made is None:
        yield f"{where} comes from {sorted(source)}"
    else:
        yield from _produced(where, made, "artifacts", made["outputArtifactKey"], task, tasks, components)


def _produced(
    where: str, made: Spec, kind: str, key: str, task: Spec, tasks: Spec, components: Spec
) -> Iterator[str]:
    producer = made["producerTask"]
    if producer not in tasks:
        yield f"{where} comes from the task {producer}, which is not there"
        return
    component = components[tasks[producer]["componentRef"]["name"]]
    if key not in component.get("outputDefinitions", {}).get(kind, {}):
        yield f"{where} comes from {key} of {producer}, which has no such output"
    if producer not in task.get("dependentTasks", ()):
        yield f"{where} comes from {producer}, for which the task does not wait"


def _unused(spec: Spec) -> Iterator[str]:
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {}).keys()
    used = {
        source.get("componentInputParameter")
        for task in spec["root"]["dag"]["tasks"].values()
        for source in task.get("inputs", {}).get("parameters", {}).values()
    }
    for name in sorted(declared - used):
        yield f"the parameter {name} is used by no task"
