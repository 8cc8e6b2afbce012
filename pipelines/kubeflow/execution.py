"""Calls a TFX executor with what Kubeflow handed over, and writes what it returns where Kubeflow's launcher looks for it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.components.evaluator.executor import Executor as EvaluatorExecutor
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as tfx_entry
from tfx.orchestration.portable.outputs_utils import tag_output_artifacts_with_version
from tfx.types import Artifact, artifact_utils, standard_artifacts
from tfx.types.value_artifact import ValueArtifact
from tfx.utils import import_utils

from pedalflow.whole_files import write_whole
from pipelines.beam_arguments import without_arguments
from pipelines.kubeflow import contents
from pipelines.kubeflow.places import LauncherFolders

Artifacts = dict[str, list[Artifact]]
BLESSING = "blessing"


@dataclass(frozen=True)
class Call:
    """One call of an executor: its class, what it is handed (local paths, types) and the further arguments, which are Beam's."""

    executor: str
    handed: Mapping[str, Any]
    properties: Mapping[str, Any]
    beam: tuple[str, ...]


def execute(call: Call, folders: LauncherFolders) -> None:
    """Run the executor; on success the last thing that is written is the output file. What the executor raises passes through."""
    handed = json_format.ParseDict(call.handed, pipeline_spec_pb2.ExecutorInput(), ignore_unknown_fields=True)
    names: dict[int, str] = {}
    inputs = tfx_entry.parse_raw_artifact_dict(handed.inputs.artifacts, names)
    outputs = tfx_entry.parse_raw_artifact_dict(handed.outputs.artifacts, names)
    texts = _texts(handed, outputs)
    _make_folders({**outputs, **texts})
    executor = import_utils.import_class_by_path(call.executor)
    with tempfile.TemporaryDirectory() as scratch, without_arguments():
        _instance(executor, call, scratch).Do(inputs, {**outputs, **texts}, dict(call.properties))
    tag_output_artifacts_with_version(outputs)
    if issubclass(executor, EvaluatorExecutor) and BLESSING in outputs:
        tfx_entry.refactor_model_blessing(artifact_utils.get_single_instance(outputs[BLESSING]), names)
    returned = _returned(outputs, names, folders)
    for name in handed.outputs.parameters:
        value = artifact_utils.get_single_instance({**outputs, **texts}[name]).value
        json_format.ParseDict(value, returned.parameter_values[name])
    # Whole or not at all: the launcher reads it as soon as this process has ended.
    text = json.dumps(json_format.MessageToDict(returned), sort_keys=True)
    write_whole(Path(handed.outputs.output_file), text)


def _texts(handed: pipeline_spec_pb2.ExecutorInput, outputs: Artifacts) -> Artifacts:
    """An output parameter that is no artifact too is a text; TFX's executors get an artifact for it, in the file that Kubeflow names."""
    texts = {}
    for name, parameter in handed.outputs.parameters.items():
        if name not in outputs:
            text = standard_artifacts.String()
            text.uri = parameter.output_file
            texts[name] = [text]
    return texts


def _make_folders(outputs: Artifacts) -> None:
    """The launcher makes the folders above; TFX's executors expect their own too, and values are files."""
    for items in outputs.values():
        for artifact in items:
            path = Path(artifact.uri)
            (path.parent if isinstance(artifact, ValueArtifact) else path).mkdir(parents=True, exist_ok=True)


def _instance(executor: type[BaseExecutor], call: Call, scratch: str) -> BaseExecutor:
    if issubclass(executor, BaseBeamExecutor):
        context = BaseBeamExecutor.Context(
            beam_pipeline_args=list(call.beam), unique_id="task", tmp_dir=scratch
        )
    else:
        context = BaseExecutor.Context(extra_flags=list(call.beam), unique_id="task", tmp_dir=scratch)
    return executor(context)


def _returned(
    outputs: Artifacts, names: dict[int, str], folders: LauncherFolders
) -> pipeline_spec_pb2.ExecutorOutput:
    """The artifacts, with what they hold, and with their URIs as Kubeflow knows them."""
    for items in outputs.values():
        for artifact in items:
            artifact.set_string_custom_property(contents.KEY, contents.describe(Path(artifact.uri)))
            artifact.uri = folders.uri(artifact.uri)
    returned = pipeline_spec_pb2.ExecutorOutput()
    for name, translated in tfx_entry.translate_executor_output(outputs, names).items():
        returned.artifacts[name].CopyFrom(translated)
    return returned
