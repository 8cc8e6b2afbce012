"""Builds what a task is handed, as Kubeflow's driver does: values of the declared kinds, artifacts without their types. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pedalflow.errors import RunFailed
from pipelines.kubeflow.rehearsal.outcome import Produced

NO_TYPE = {"instanceSchema": ""}  # what is left of an input's type once it has been in ML Metadata
_KINDS: Mapping[str, tuple[type, ...]] = {
    "NUMBER_INTEGER": (int, float),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
    "TASK_FINAL_STATUS": (dict,),
}


@dataclass(frozen=True)
class Run:
    """The run that a task belongs to: what the driver fills in for Kubeflow's own placeholders, and where outputs go."""

    run_id: str
    name: str
    pipeline: str
    root: str

    @property
    def own_values(self) -> Mapping[str, str]:
        """Constants that the driver replaces."""
        return {"{{$.pipeline_job_uuid}}": self.run_id, "{{$.pipeline_job_name}}": self.name}


@dataclass(frozen=True)
class Scope:
    """What the tasks of one DAG can refer to: its own inputs, what its tasks returned, and how they ended."""

    given: Mapping[str, Any]
    produced: Mapping[str, Produced]
    statuses: Mapping[str, Mapping[str, Any]]


def parameters_of(
    task: Mapping[str, Any], component: Mapping[str, Any], scope: Scope, run: Run
) -> dict[str, Any]:
    """The values of a task's parameters.

    Raises:
        RunFailed: a value is missing, or of another kind than the component declares.
    """
    declared = component.get("inputDefinitions", {}).get("parameters", {})
    return {
        name: _of_kind(name, _resolved(name, source, scope, run), declared[name]["parameterType"])
        for name, source in task.get("inputs", {}).get("parameters", {}).items()
    }


def executor_input(
    task: str, spec: Mapping[str, Any], component: Mapping[str, Any], scope: Scope, run: Run, salt: str
) -> dict[str, Any]:
    """The ExecutorInput, but for where values and the output file go, which is the launcher's matter. `salt` tells attempts apart."""
    outputs = component.get("outputDefinitions", {}).get("artifacts", {})
    place = f"{run.root}/{run.pipeline}/{run.run_id}/{task}/{salt}"
    return {
        "inputs": {
            "parameterValues": parameters_of(spec, component, scope, run),
            "artifacts": {
                name: {"artifacts": [{**_artifact(name, source, scope), "type": NO_TYPE}]}
                for name, source in spec.get("inputs", {}).get("artifacts", {}).items()
            },
        },
        "outputs": {
            "artifacts": {
                name: {
                    "artifacts": [
                        {"uri": f"{place}/{name}", "type": declared["artifactType"], "metadata": {}}
                    ]
                }
                for name, declared in outputs.items()
            }
        },
    }


def _resolved(name: str, source: Mapping[str, Any], scope: Scope, run: Run) -> Any:
    if "componentInputParameter" in source:
        return scope.given[source["componentInputParameter"]]
    if "taskFinalStatus" in source:
        return scope.statuses[source["taskFinalStatus"]["producerTask"]]
    if "taskOutputParameter" in source:
        wanted = source["taskOutputParameter"]
        values = scope.produced[wanted["producerTask"]].parameters
        if wanted["outputParameterKey"] not in values:
            raise RunFailed(
                f"{wanted['producerTask']} did not return {wanted['outputParameterKey']}, which {name} needs"
            )
        return values[wanted["outputParameterKey"]]
    constant = source["runtimeValue"]["constant"]
    return run.own_values.get(constant, constant) if isinstance(constant, str) else constant


def _of_kind(name: str, value: Any, kind: str) -> Any:
    """As the driver checks: everything can become text, and nothing else becomes something else. A whole number has no point in JSON."""
    if kind == "STRING":
        return value if isinstance(value, str) else json.dumps(value)
    if not isinstance(value, _KINDS[kind]) or (kind.startswith("NUMBER") and isinstance(value, bool)):
        raise RunFailed(f"the parameter {name} is {value!r}, but its kind is {kind}")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _artifact(name: str, source: Mapping[str, Any], scope: Scope) -> Mapping[str, Any]:
    wanted = source["taskOutputArtifact"]
    artifacts = scope.produced[wanted["producerTask"]].artifacts
    if wanted["outputArtifactKey"] not in artifacts:
        raise RunFailed(
            f"{wanted['producerTask']} did not return {wanted['outputArtifactKey']}, which {name} needs"
        )
    return artifacts[wanted["outputArtifactKey"]]
