"""Reads a compiled file, and the arguments of a run against its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pedalflow.errors import SettingsError
from pipelines.kubeflow.allow_list import problems
from pipelines.kubeflow.parameters import read_argument


@dataclass(frozen=True)
class CompiledPipeline:
    """The two documents of a compiled file."""

    spec: Mapping[str, Any]
    platform: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return str(self.spec["pipelineInfo"]["name"])

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The declared parameters, by name."""
        return self.spec["root"].get("inputDefinitions", {}).get("parameters", {})

    def component(self, name: str) -> Mapping[str, Any]:
        """A component's definition."""
        return self.spec["components"][name]

    def executor(self, component: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a component runs."""
        return self.spec["deploymentSpec"]["executors"][component["executorLabel"]]

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that all containers have in common."""
        executors = self.spec["deploymentSpec"]["executors"].values()
        found = [
            {e["name"]: e["value"] for e in x["container"].get("env", ())}
            for x in executors
            if "container" in x
        ]
        return {name: value for name, value in found[0].items() if all(v.get(name) == value for v in found)}

    @property
    def secret_variables(self) -> tuple[str, ...]:
        """Environment variables that secrets of the cluster fill."""
        kubernetes = self.platform.get("platforms", {}).get("kubernetes", {})
        configs = kubernetes.get("deploymentSpec", {}).get("executors", {}).values()
        secrets = [secret for config in configs for secret in config.get("secretAsEnv", ())]
        return tuple(entry["envVar"] for secret in secrets for entry in secret["keyToEnv"])


def read_compiled(file: Path) -> CompiledPipeline:
    """Read and check a compiled file. Raises SettingsError where it is none, or holds what Kubeflow would not run."""
    return read_with_content(file)[0]


def read_with_content(file: Path) -> tuple[CompiledPipeline, bytes]:
    """The same, with the bytes that were checked: the file is read once. Raises as `read_compiled`."""
    try:
        content = file.read_bytes()
        documents = list(yaml.load_all(content.decode(), Loader=yaml.CSafeLoader))
        pipeline = CompiledPipeline(documents[0], documents[1] if len(documents) > 1 else {})
        found = problems(pipeline.spec)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, LookupError, TypeError, AttributeError) as error:
        said = " ".join(str(error).split())[:200]
        raise SettingsError(
            f"{file} is no compiled pipeline ({said}); `pedalflow compile` makes one"
        ) from error
    if found:
        raise SettingsError(f"{file} would not run on Kubeflow: {'; '.join(found)}")
    return pipeline, content


def read_assignments(pipeline: CompiledPipeline, texts: Sequence[str]) -> dict[str, Any]:
    """`name=value` as typed, by name. Raises SettingsError where the pipeline has no such parameter, or of another kind."""
    read: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in pipeline.parameters:
            known = ", ".join(sorted(pipeline.parameters))
            raise SettingsError(f"--param {text!r} is not NAME=VALUE with one of {known}")
        read[name] = read_argument(pipeline.parameters[name], name, value)
    return read


def complete(pipeline: CompiledPipeline, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with the defaults of all other parameters. Raises SettingsError where one without a default is missing."""
    defaults = {n: p["defaultValue"] for n, p in pipeline.parameters.items() if "defaultValue" in p}
    values = {**defaults, **arguments}
    if missing := sorted(pipeline.parameters.keys() - values.keys()):
        raise SettingsError(
            f"the pipeline needs the parameters {', '.join(missing)}; give them with --param NAME=VALUE"
        )
    return values
