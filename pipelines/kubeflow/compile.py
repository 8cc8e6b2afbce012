"""Compiles the pipeline for Kubeflow: TFX's own compiler, then our changes, then a look whether all of it will run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.kubeflow.decorators import FinalStatusStr
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import (
    KubeflowV2DagRunner,
    KubeflowV2DagRunnerConfig,
)
from tfx.types import Artifact, standard_artifacts
from tfx.types.experimental.simple_artifacts import File

from components.champion_model import ChampionModel
from components.curated_schema import CuratedSchema
from pedalflow.errors import RunFailed
from pedalflow.run_record import SpanUsed
from pedalflow.whole_files import write_whole
from pipelines.builder import Brought, Places, build_pipeline, pipeline_name
from pipelines.kubeflow import patches, wiring
from pipelines.kubeflow.allow_list import problems
from pipelines.kubeflow.compilation import Compilation
from pipelines.kubeflow.parameters import RootParameter, root_parameters
from pipelines.kubeflow.pods import platform_document
from pipelines.kubeflow.run_completion import RunCompletion
from pipelines.kubeflow.run_plan import OUTPUTS, RunPlan
from pipelines.plan import Plan, PlannedSpan

IMPORTED = "artifact"
ENTRYPOINT = ["python", "-m", "pipelines.kubeflow.entrypoint"]
# These are not RunPlan's business.
ELSEWHERE = (
    "spans_uri",
    "champion",
    "champion_uri",
    "events_url",
    "events_token_file",
    "reason",
    "idempotency_key",
)
HEADING = "# Compiled by `pedalflow compile`; docs/kubeflow.md explains it. Changes belong into the code.\n"


def compile_pipeline(made: Compilation) -> list[dict[str, Any]]:
    """The two documents of the compiled file: the pipeline, and what its tasks get of Kubernetes.

    Raises:
        RunFailed: something came out that Kubeflow would not run; every such thing is named.
    """
    parameters = root_parameters(made)
    planned = [parameter for parameter in parameters if parameter.name not in ELSEWHERE]
    spec = _by_tfx(made, planned)
    _change(spec, made, parameters, [parameter.name for parameter in planned])
    if found := problems(spec):
        raise RunFailed(f"the compiled pipeline would not run on Kubeflow: {'; '.join(found)}")
    labels = {name: c["executorLabel"] for name, c in spec["components"].items() if "executorLabel" in c}
    return [spec, platform_document(made.claim, labels)]


def as_yaml(documents: list[dict[str, Any]]) -> str:
    """The compiled file. The same documents give the same text."""
    return HEADING + yaml.dump_all(documents, Dumper=_Plain, sort_keys=True, allow_unicode=True, width=140)


class _Plain(yaml.CSafeDumper):
    """Writes what occurs twice twice: not every reader knows YAML's anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never an alias."""
        return True


def write(text: str, file: Path) -> None:
    """Write the compiled file, whole or not at all."""
    write_whole(file, text)


def _by_tfx(made: Compilation, planned: list[RootParameter]) -> dict[str, Any]:
    plan = _template(made)
    places = Places(made.pipeline_root, schema_file="", releases="", registry={})
    pipeline = build_pipeline(plan, places, brought=_brought(made, planned))
    config = KubeflowV2DagRunnerConfig(
        display_name=pipeline_name(plan),
        default_image=made.image,
        default_commands=ENTRYPOINT,
        use_pipeline_spec_2_1=True,
    )
    runner = KubeflowV2DagRunner(config)
    runner.set_exit_handler(_exit_handler(plan))
    return runner.run(pipeline, write_out=False)["pipelineSpec"]


def _change(
    spec: dict[str, Any], made: Compilation, parameters: tuple[RootParameter, ...], planned: list[str]
) -> None:
    wires = {**wiring.TASKS, **wiring.plan_wires(planned)}
    patches.declare_parameters(spec, parameters)
    patches.return_parameters(spec, wiring.PLAN, OUTPUTS)
    patches.wire(spec, patches.inner_tasks(spec), wires)
    patches.wire(spec, spec["root"]["dag"]["tasks"], wiring.EXIT_HANDLER)
    patches.pass_parameters_inwards(spec, wiring.roots(wires))
    for importer in (wiring.SPANS, wiring.CHAMPION):
        patches.import_from_parameter(spec, importer)
    patches.apply_policies(spec)
    patches.restate_inputs(spec)
    patches.set_pipeline_root(spec, made.pipeline_root)


def _template(made: Compilation) -> Plan:
    """A plan for the compiler to build from; the values that depend on a run are wired over."""
    nothing = PlannedSpan(SpanUsed(1, 0, "", "", ""), "")
    return Plan(
        use_case=made.use_case,
        spans=(nothing,),
        first_evaluation_day="",
        commit="",
        dirty=False,
        code="",
        parameters=made.parameters,
        environment={},
        registry="",
    )


def _brought(made: Compilation, planned: list[RootParameter]) -> Brought:
    fixed = {"use_case": made.use_case, "image": made.image}
    plan = RunPlan({**fixed, **{p.name: _value(p) for p in planned}})
    spans = _importer(made, wiring.SPANS, File)
    release = _importer(made, wiring.CHAMPION, standard_artifacts.Model)
    champion = ChampionModel(release=release.outputs[IMPORTED], champion="")
    schema = CuratedSchema(use_case=made.use_case, code="")
    return Brought(spans, schema, champion, (plan, release))


def _importer(made: Compilation, name: str, kind: type[Artifact]) -> BaseNode:
    """Its output has the name that Kubeflow's own SDK gives it, and counts on."""
    return Importer(source_uri=made.storage, artifact_type=kind, output_key=IMPORTED).with_id(name)


def _value(parameter: RootParameter) -> str | int | float:
    """Some value of the parameter's kind; TFX has no Booleans."""
    default = "" if parameter.default is None else parameter.default
    return int(default) if isinstance(default, bool) else default


def _exit_handler(plan: Plan) -> BaseNode:
    empty = dict.fromkeys(
        ("run_id", "run_name", "reason", "idempotency_key", "events_url", "events_token_file"), ""
    )
    return RunCompletion(status=FinalStatusStr(), pipeline=pipeline_name(plan), **empty)
