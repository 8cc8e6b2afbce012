"""First task on Kubeflow: turns the run's parameters into the plan that a run on one machine would have, and hands its texts on.

Kubeflow cannot put a parameter inside a text. So that every later task gets exactly what the local runner would give it, the plan
is made here by the same code, and each text is an output parameter. Caches stay as fine as they are: a task sees only its own texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import Artifact, artifact_utils, standard_artifacts
from tfx.types.channel_utils import as_channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.value_artifact import ValueArtifact
from tfx.utils import json_utils

from components.use_cases import load_function, load_use_case
from pedalflow.errors import RunFailed, SettingsError
from pipelines import provenance
from pipelines.kubeflow.compilation import digest_of
from pipelines.kubeflow.parameters import IMAGE_DIGEST, hyperparameters_of, read_spans
from pipelines.plan import Plan, PlannedSpan, code_fingerprint
from pipelines.properties import (
    as_text,
    lineage_tags,
    pusher_config,
    span_files,
    training_config,
    transform_config,
)
from pipelines.settings import DetectorSettings, GateSettings, Section, TunerSettings

Properties = Mapping[str, Any]
IMAGE_TAG = "pedalflow.image"  # of MLflow's run and model version: the release has the bytes of a run on one machine, so not in there
# The output parameters: what each later task's execution property is, from the plan and the run's other parameters.
OUTPUTS: Mapping[str, Callable[[Plan, Properties], str]] = {
    "maker": lambda plan, given: plan.maker,
    "span_files": lambda plan, given: span_files(plan),
    "transform_config": lambda plan, given: json_utils.dumps(transform_config(plan)),
    "training_config": lambda plan, given: json_utils.dumps(training_config(plan)),
    "gate_rules": lambda plan, given: as_text(plan.parameters["gates"]),
    "detector_settings": lambda plan, given: as_text(plan.parameters["detectors"]),
    "facts": lambda plan, given: as_text(plan.facts),
    "registry": lambda plan, given: as_text(_registry(given)),
    "tags": lambda plan, given: as_text({**lineage_tags(plan), IMAGE_TAG: given["image"]}),
    "pusher_config": lambda plan, given: json_utils.dumps(pusher_config(given["releases"])),
}


def plan_of(given: Properties) -> Plan:
    """The plan that the parameters of a run describe. Raises SettingsError where one of them cannot be read."""
    case = load_use_case(given["use_case"])
    spans = tuple(PlannedSpan(span.used, span.file) for span in read_spans(given["spans"]))
    return Plan(
        use_case=given["use_case"],
        spans=spans,
        first_evaluation_day=given["first_evaluation_day"],
        commit=given["commit"],
        dirty=bool(given["dirty"]),
        code=given["code"],
        parameters={
            "model": load_function(case.hyperparameters)(hyperparameters_of(given)),
            "tuner": _section(TunerSettings, "tuner", given),
            "gates": _section(GateSettings, "gates", given),
            "detectors": _section(DetectorSettings, "detectors", given),
        },
        environment=provenance.environment(),
        registry=f"{given['registry_uri']} {given['registry_name']}",
    )


def check_code(plan: Plan) -> None:
    """Raise RunFailed where this process runs other code than the run says it does."""
    found = code_fingerprint(provenance.REPOSITORY, provenance.code_folders(plan.use_case))
    if found != plan.code:
        raise RunFailed(
            f"the image holds code with the fingerprint {found[:12]}, but the run was started for {plan.code[:12]}; "
            "compile and upload the pipeline again from the commit that the image was built from"
        )


def check_image(given: Properties) -> None:
    """Raise RunFailed where the run was started for another image than its tasks run in."""
    wanted, compiled = given[IMAGE_DIGEST], digest_of(given["image"])
    if wanted != compiled:
        raise RunFailed(
            f"the run was started for an image with the digest {wanted!r}, but this version of the pipeline was compiled with {compiled}, "
            f"and its tasks run in that; leave {IMAGE_DIGEST} out, or start the version that was compiled with the other image"
        )


def _section(kind: type[Section], name: str, given: Properties) -> dict[str, Any]:
    try:
        return kind.model_validate(json.loads(given[name])).model_dump()
    except (ValueError, ValidationError) as error:
        said = " ".join(str(error).split())[:300]
        raise SettingsError(
            f"the parameter {name} is not the section of params.yaml as JSON: {said}"
        ) from error


def _registry(given: Properties) -> dict[str, str]:
    return {
        "tracking_uri": given["registry_uri"],
        "name": given["registry_name"],
        "artifacts": given["registry_artifacts"],
    }


class RunPlanExecutor(BaseExecutor):
    """Writes each text as a value artifact, which the entry point also returns as an output parameter."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Make the plan, make sure that these are its image and its code, and write what the later tasks need."""
        check_image(exec_properties)
        plan = plan_of(exec_properties)
        check_code(plan)
        for name, text in OUTPUTS.items():
            written = artifact_utils.get_single_instance(output_dict[name])
            if not isinstance(written, ValueArtifact):
                raise TypeError(f"{name} is {type(written).__name__}, not a value")
            written.value = text(plan, exec_properties)


class RunPlanSpec(ComponentSpec):
    """The outputs are fixed; the parameters depend on the hyperparameters of the use case."""

    PARAMETERS: Mapping[str, ExecutionParameter] = {}
    INPUTS: Mapping[str, ChannelParameter] = {}
    OUTPUTS: Mapping[str, ChannelParameter] = {
        name: ChannelParameter(type=standard_artifacts.String) for name in OUTPUTS
    }


class RunPlan(BaseComponent):
    """The node. `parameters` are all that its executor is given, by name."""

    SPEC_CLASS = RunPlanSpec
    EXECUTOR_SPEC = ExecutorClassSpec(RunPlanExecutor)

    def __init__(self, parameters: Mapping[str, str | int | float]) -> None:
        kinds = {name: ExecutionParameter(type=type(value)) for name, value in parameters.items()}
        spec = type("RunPlanSpec", (RunPlanSpec,), {"PARAMETERS": kinds})
        outputs = {name: as_channel([standard_artifacts.String()]) for name in OUTPUTS}
        super().__init__(spec=spec(**parameters, **outputs))
