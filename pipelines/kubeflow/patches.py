"""What is changed in the file that TFX compiles, so that open-source Kubeflow Pipelines runs it. Each change says why.

A compiled file is nested dictionaries, in the JSON form of Kubeflow's PipelineSpec. The functions change it in place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pedalflow.command.runtimes import PATIENCE, PRIVATE, QUIET, REPRODUCIBLE
from pipelines.kubeflow import wiring
from pipelines.kubeflow.parameters import RootParameter
from pipelines.kubeflow.policies import BACKOFF, TASKS, Policy
from pipelines.kubeflow.wiring import FinalStatus, Planned, Root, Source

Spec = dict[str, Any]
Wires = Mapping[tuple[str, str], Source]
INPUTS_SPEC = "--json_serialized_inputs_spec_args"
IMPORTED_URI = "uri"  # as in Kubeflow's own SDK, whose orchestrator for one machine counts on it


def inner_tasks(spec: Spec) -> Spec:
    """All tasks but the exit handler and the DAG that it waits for."""
    return spec["components"][wiring.INNER]["dag"]["tasks"]


def executors(spec: Spec) -> Spec:
    """What the tasks run, by executor label."""
    return spec["deploymentSpec"]["executors"]


def declare_parameters(spec: Spec, parameters: Iterable[RootParameter]) -> None:
    """The pipeline's parameters: TFX knows no defaults in its file, and no descriptions."""
    spec["root"]["inputDefinitions"] = {"parameters": {p.name: _declared(p) for p in parameters}}


def _declared(parameter: RootParameter) -> Spec:
    declared: Spec = {"parameterType": parameter.kind, "description": parameter.what}
    if parameter.default is not None:
        declared |= {"defaultValue": parameter.default, "isOptional": True}
    return declared


def return_parameters(spec: Spec, task: str, names: Iterable[str]) -> None:
    """Texts that `task` returns become output parameters: TFX makes artifacts of them, which no other task can take as a parameter."""
    spec["components"][task]["outputDefinitions"] = {
        "parameters": {name: {"parameterType": "STRING"} for name in names}
    }


def wire(spec: Spec, tasks: Spec, wires: Wires) -> None:
    """Parameters come from where the table says; TFX compiled in what the template of the plan held."""
    kinds = {name: p["parameterType"] for name, p in spec["root"]["inputDefinitions"]["parameters"].items()}
    for (task, name), source in wires.items():
        tasks[task].setdefault("inputs", {}).setdefault("parameters", {})[name] = _wire(source)
        declared = spec["components"][task].setdefault("inputDefinitions", {}).setdefault("parameters", {})
        declared[name] = {"parameterType": _kind(source, kinds)}
        if isinstance(source, Planned):
            waits = {*tasks[task].get("dependentTasks", ()), wiring.PLAN}
            tasks[task]["dependentTasks"] = sorted(waits)


def _wire(source: Source) -> Spec:
    if isinstance(source, Root):
        return {"componentInputParameter": source.name}
    if isinstance(source, Planned):
        return {"taskOutputParameter": {"producerTask": wiring.PLAN, "outputParameterKey": source.name}}
    if isinstance(source, FinalStatus):
        return {"taskFinalStatus": {"producerTask": wiring.INNER}}
    return {"runtimeValue": {"constant": source.value}}


def _kind(source: Source, kinds: Mapping[str, str]) -> str:
    """A final status is a structure, and the type says so: Kubeflow refuses to guess."""
    if isinstance(source, Root):
        return kinds[source.name]
    return "TASK_FINAL_STATUS" if isinstance(source, FinalStatus) else "STRING"


def pass_parameters_inwards(spec: Spec, names: Iterable[str]) -> None:
    """With an exit handler TFX puts all other tasks into a DAG of their own, which sees only what is passed to it: TFX passes nothing."""
    kinds = spec["root"]["inputDefinitions"]["parameters"]
    spec["components"][wiring.INNER]["inputDefinitions"] = {
        "parameters": {name: {"parameterType": kinds[name]["parameterType"]} for name in names}
    }
    outer = spec["root"]["dag"]["tasks"][wiring.INNER]
    outer["inputs"] = {"parameters": {name: {"componentInputParameter": name} for name in names}}


def import_from_parameter(spec: Spec, importer: str) -> None:
    """An importer reads its URI from its only parameter; the others are TFX's own, which Kubeflow's importer does not know."""
    label = spec["components"][importer]["executorLabel"]
    executors(spec)[label]["importer"]["artifactUri"] = {"runtimeParameter": IMPORTED_URI}
    for parameters in (
        inner_tasks(spec)[importer]["inputs"]["parameters"],
        spec["components"][importer]["inputDefinitions"]["parameters"],
    ):
        for name in parameters.keys() - {IMPORTED_URI}:
            del parameters[name]


def apply_policies(spec: Spec) -> None:
    """Retries, caching and resources by task, and in each container what makes a run reproducible; TFX knows one cache flag for all."""
    for tasks in (inner_tasks(spec), spec["root"]["dag"]["tasks"]):
        for name, task in tasks.items():
            if name in TASKS:
                _apply(
                    TASKS[name], task, executors(spec)[spec["components"][name]["executorLabel"]]["container"]
                )


def _apply(policy: Policy, task: Spec, container: Spec) -> None:
    task["cachingOptions"] = {"enableCache": True} if policy.cached else {}
    if policy.retries:
        task["retryPolicy"] = {"maxRetryCount": policy.retries, **BACKOFF}
    container["resources"] = {
        "cpuRequest": policy.cpus / 2,
        "cpuLimit": policy.cpus,
        "memoryRequest": policy.gigabytes / 2,
        "memoryLimit": policy.gigabytes,
    }
    settings = {**PATIENCE, **REPRODUCIBLE, **PRIVATE, **QUIET, "OMP_NUM_THREADS": "1"}
    container["env"] = [{"name": name, "value": value} for name, value in sorted(settings.items())]


def restate_inputs(spec: Spec) -> None:
    """The entry point restores types from the component's own definition of its inputs, which the changes above have changed."""
    for component in spec["components"].values():
        container = executors(spec).get(component.get("executorLabel"), {}).get("container")
        if container:
            position = container["args"].index(INPUTS_SPEC) + 1
            definition = component.get("inputDefinitions", {})
            container["args"][position] = json.dumps(definition, sort_keys=True, separators=(",", ":"))


def set_pipeline_root(spec: Spec, uri: str) -> None:
    """Where artifacts go unless a run says otherwise; TFX leaves it to the job, which Kubeflow does not read."""
    spec["defaultPipelineRoot"] = uri
