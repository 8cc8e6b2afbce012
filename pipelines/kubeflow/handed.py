"""What Kubeflow hands a task, made into what TFX expects: inputs get their types back, and URIs become the launcher's folders. Pure.

Kubeflow hands inputs over with an empty type (`instanceSchema: ""`), on which TFX's own entry point fails. The types are known: the
compiler has put the definition of the component's inputs into the arguments.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.stand_in import is_stand_in, names_stand_in
from pedalflow.errors import RunFailed
from pipelines.kubeflow import contents
from pipelines.kubeflow.places import LauncherFolders

Json = dict[str, Any]
# Inputs that TFX takes as optional: where the champion's stand-in is brought for one, the executor does not get it.
OPTIONAL = ("baseline_model",)


def localized(handed: Json, inputs_spec: Json, folders: LauncherFolders) -> Json:
    """The ExecutorInput with types and local paths; what was handed over is left as it is.

    Raises:
        RunFailed: an artifact has no type, or nobody has declared it.
        SettingsError: an artifact lies where Kubeflow brings nothing from.
    """
    local = copy.deepcopy(handed)
    declared = inputs_spec.get("artifacts", {})
    for name, artifact in _artifacts(local.get("inputs", {})):
        if name not in declared:
            raise RunFailed(
                f"the input {name} is not in the component's definition; compile the pipeline again"
            )
        artifact["type"] = declared[name]["artifactType"]
        artifact["uri"] = folders.local(artifact["uri"])
    for name, artifact in _artifacts(local.get("outputs", {})):
        if not any(artifact.get("type", {}).values()):
            raise RunFailed(f"the output {name} was handed over without a type; compile the pipeline again")
        artifact["uri"] = folders.local(artifact["uri"])
    return local


def check_inputs(handed: Json, folders: LauncherFolders) -> None:
    """Raise DataMissing where an input is not there or not whole. Only what stands for no champion need not be there."""
    for name, artifact in _artifacts(handed.get("inputs", {})):
        if not names_stand_in(artifact["uri"]):
            contents.check(name, artifact, Path(folders.local(artifact["uri"])))


def without_stand_ins(local: Json) -> Json:
    """The same without optional inputs that only stand in for something."""
    artifacts = local.get("inputs", {}).get("artifacts", {})
    kept = {
        name: items
        for name, items in artifacts.items()
        if name not in OPTIONAL or not is_stand_in(Path(items["artifacts"][0]["uri"]))
    }
    return {**local, "inputs": {**local.get("inputs", {}), "artifacts": kept}}


def properties(handed: Json, inputs_spec: Json) -> Json:
    """The execution properties. JSON knows one kind of number, so whole ones are made whole again; structures become their JSON text.

    Raises:
        RunFailed: a parameter is missing, or is of another kind than declared.
    """
    values = handed.get("inputs", {}).get("parameterValues", {})
    declared = inputs_spec.get("parameters", {})
    if missing := sorted(declared.keys() - values.keys()):
        raise RunFailed(f"the parameters {', '.join(missing)} were not handed over")
    return {name: _value(name, values[name], spec["parameterType"]) for name, spec in declared.items()}


def _value(name: str, value: Any, kind: str) -> Any:
    if kind in ("STRUCT", "LIST", "TASK_FINAL_STATUS") and isinstance(value, (dict, list)):
        return json.dumps(value, sort_keys=True)
    if kind == "NUMBER_INTEGER" and type(value) in (int, float) and value == int(value):
        return int(value)
    if kind == "NUMBER_DOUBLE" and type(value) in (int, float):
        return float(value)
    if (kind == "BOOLEAN" and type(value) is bool) or (kind == "STRING" and isinstance(value, str)):
        return value
    raise RunFailed(f"the parameter {name} is {value!r}, which is no {kind}")


def _artifacts(side: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    for name, items in side.get("artifacts", {}).items():
        for artifact in items.get("artifacts", ()):
            yield name, artifact
