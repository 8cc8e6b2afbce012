"""The one pipeline: takes a plan, reads no environment, and returns TFX's pipeline for any runner.

There is no resolver and no `{SPAN}` pattern in it: open-source Kubeflow runs neither, so window and champion come with the plan
(docs/decisions/0032-resolve-before-the-run.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow_model_analysis as tfma
from ml_metadata.proto import metadata_store_pb2
from tfx.components.evaluator.component import Evaluator
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.components.tuner.component import Tuner
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2
from tfx.types import standard_artifacts
from tfx.types.channel import BaseChannel

from components.acceptance_gate import AcceptanceGate, AcceptanceGateWithChampion
from components.anomaly_gate import AnomalyGate
from components.detector_fitter import DetectorFitter
from components.local_statistics_gen import LocalStatisticsGen
from components.mlflow_registrar import MlflowRegistrar
from components.release_builder import ReleaseBuilder
from components.release_pusher import ReleasePusher
from components.span_example_gen import SpanExampleGen, SpanFolderExampleGen
from components.use_cases import load_use_case
from pedalflow.release import MODEL_ARTIFACT, ONNX_MODEL
from pedalflow.use_case import UseCase
from pipelines.plan import Plan
from pipelines.properties import (
    as_text,
    lineage_tags,
    pusher_config,
    span_files,
    training_config,
    transform_config,
)

# Beam tries to download a runner of its own unless it is named; any argument without a container image builds a package of TFX.
BEAM_ARGUMENTS = [
    "--runner=FnApiRunner",
    "--sdk_container_image=none",
    "--tfxio_use_byte_size_batching",
    "--no_pipeline_type_check",  # checks the plumbing of TFX's own pipelines, and costs more than their work
]


@dataclass(frozen=True)
class Places:
    """Where a runner keeps things. `schema_file` is named after its content, because TFX's cache sees only the name."""

    pipeline_root: str
    schema_file: str
    releases: str
    registry: Mapping[str, str]


@dataclass(frozen=True)
class Brought:
    """What a cluster brings in as artifacts, where a run on one machine reads its own folders.

    The one output of `spans` is the folder with their files, that of `champion` the champion's model or its stand-in; `schema` has the
    curated schema. `others` are nodes that these three need.
    """

    spans: BaseNode
    schema: BaseNode
    champion: BaseNode
    others: tuple[BaseNode, ...]


def build_pipeline(
    plan: Plan,
    places: Places,
    metadata: metadata_store_pb2.ConnectionConfig | None = None,
    brought: Brought | None = None,
) -> Pipeline:
    """The nodes in the order of the data's journey; a plan that tunes ends with the Tuner."""
    case = load_use_case(plan.use_case)
    examples = _examples(plan, brought)
    schema = brought.schema if brought else ImportSchemaGen(schema_file=places.schema_file)
    statistics, validator = _data_checks(examples, schema)
    gate = AnomalyGate(anomalies=validator.outputs["anomalies"])
    transform = _transform(case, plan, examples, schema)
    transform.add_upstream_node(gate)
    first = [*brought.others, brought.spans] if brought else []
    prepared = [*first, examples, statistics, schema, validator, gate, transform]
    if plan.tune:
        return _pipeline(plan, places, metadata, [*prepared, _tuner(case, plan, examples, schema, transform)])
    trainer = _trainer(case, plan, examples, schema, transform)
    champion = brought.champion if brought else _champion(plan)
    baseline = None if champion is None else _only_output(champion)
    evaluator = _evaluator(case, examples, trainer, baseline)
    acceptance = _acceptance(plan, examples, trainer, evaluator, baseline if brought else None)
    detectors = DetectorFitter(
        examples=examples.outputs["examples"],
        model=trainer.outputs["model"],
        use_case=plan.use_case,
        settings=as_text(plan.parameters["detectors"]),
        code=plan.maker,
    )
    release = ReleaseBuilder(
        model=trainer.outputs["model"],
        detectors=detectors.outputs["detectors"],
        schema=schema.outputs["schema"],
        blessing=acceptance.outputs["blessing"],
        use_case=plan.use_case,
        facts=as_text(plan.facts),
    )
    registrar = MlflowRegistrar(
        release=release.outputs["release"],
        blessing=acceptance.outputs["blessing"],
        model_run=trainer.outputs["model_run"],
        examples=examples.outputs["examples"],
        use_case=plan.use_case,
        registry=as_text(dict(places.registry)),
        tags=as_text(lineage_tags(plan)),
    )
    pusher = ReleasePusher(
        model=release.outputs["release"],
        model_blessing=acceptance.outputs["blessing"],
        custom_config=pusher_config(places.releases),
    )
    baselines = [] if champion is None else [champion]
    nodes = [*prepared, trainer, *baselines, evaluator, acceptance, detectors, release, registrar, pusher]
    return _pipeline(plan, places, metadata, nodes)


def _pipeline(
    plan: Plan, places: Places, metadata: metadata_store_pb2.ConnectionConfig | None, nodes: list[BaseNode]
) -> Pipeline:
    return Pipeline(
        pipeline_name=pipeline_name(plan),
        pipeline_root=places.pipeline_root,
        components=nodes,
        metadata_connection_config=metadata,
        enable_cache=True,
        beam_pipeline_args=BEAM_ARGUMENTS,
    )


def pipeline_name(plan: Plan) -> str:
    """Lower case with hyphens, as Kubeflow wants it."""
    return f"{plan.use_case.replace('.', '-').replace('_', '-').lower()}-training"


def _examples(plan: Plan, brought: Brought | None) -> BaseNode:
    what = {
        "use_case": plan.use_case,
        "spans": span_files(plan),
        "first_evaluation_day": plan.first_evaluation_day,
        "code": plan.maker,
    }
    if brought is None:
        return SpanExampleGen(**what)
    return SpanFolderExampleGen(folder=_only_output(brought.spans), **what).with_id("SpanExampleGen")


def _data_checks(examples: BaseNode, schema: BaseNode) -> tuple[BaseNode, BaseNode]:
    statistics = LocalStatisticsGen(examples=examples.outputs["examples"]).with_id("StatisticsGen")
    validator = ExampleValidator(statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"])
    return statistics, validator


def _transform(case: UseCase, plan: Plan, examples: BaseNode, schema: BaseNode) -> BaseNode:
    """Learns the preprocessing; the Trainer applies it, so nothing is materialised and no statistics are made twice."""
    return Transform(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn=case.preprocessing_fn,
        materialize=False,
        disable_statistics=True,
        disable_analyzer_cache=True,
        custom_config=transform_config(plan),
    )


def _training_inputs(plan: Plan, examples: BaseNode, schema: BaseNode, transform: BaseNode) -> dict[str, Any]:
    """What Tuner and Trainer both take."""
    return {
        "examples": examples.outputs["examples"],
        "schema": schema.outputs["schema"],
        "transform_graph": transform.outputs["transform_graph"],
        "train_args": trainer_pb2.TrainArgs(splits=["train"]),
        "eval_args": trainer_pb2.EvalArgs(splits=["eval"]),
        "custom_config": training_config(plan),
    }


def _tuner(case: UseCase, plan: Plan, examples: BaseNode, schema: BaseNode, transform: BaseNode) -> BaseNode:
    return Tuner(tuner_fn=case.tuner_fn, **_training_inputs(plan, examples, schema, transform))


def _trainer(
    case: UseCase,
    plan: Plan,
    examples: BaseNode,
    schema: BaseNode,
    transform: BaseNode,
) -> BaseNode:
    return Trainer(run_fn=case.run_fn, **_training_inputs(plan, examples, schema, transform))


def _champion(plan: Plan) -> BaseNode | None:
    """The blessed model as an artifact, brought in by an importer: it was resolved before the run."""
    if plan.champion is None:
        return None
    importer = Importer(
        source_uri=str(Path(plan.champion) / MODEL_ARTIFACT), artifact_type=standard_artifacts.Model
    )
    return importer.with_id("Champion")


def _only_output(node: BaseNode) -> BaseChannel:
    (output,) = node.outputs.values()
    return output


def _evaluator(
    case: UseCase, examples: BaseNode, trainer: BaseNode, baseline: BaseChannel | None
) -> BaseNode:
    return Evaluator(
        examples=examples.outputs["examples"],
        example_splits=["eval"],
        model=trainer.outputs["model"],
        baseline_model=baseline,
        eval_config=evaluation_config(case, with_champion=baseline is not None),
    )


def evaluation_config(case: UseCase, *, with_champion: bool) -> tfma.EvalConfig:
    """What the acceptance gate compares its own figures with, overall and by each column that slices are cut from.

    Few metrics, and none of Keras: TFMA counts row by row in Python, and compiles each of Keras's once for every slice.
    """
    names = ["candidate", "champion"] if with_champion else ["candidate"]
    columns = dict.fromkeys(feature.column for feature in case.slices)
    metrics = ("MeanSquaredError", "ExampleCount")
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                name=name,
                is_baseline=name == "champion",
                model_type="tf_generic",
                signature_name="serving_default",
                label_key=case.label,
            )
            for name in names
        ],
        slicing_specs=[tfma.SlicingSpec(), *(tfma.SlicingSpec(feature_keys=[column]) for column in columns)],
        metrics_specs=[tfma.MetricsSpec(metrics=[tfma.MetricConfig(class_name=name) for name in metrics])],
    )


def _acceptance(
    plan: Plan, examples: BaseNode, trainer: BaseNode, evaluator: BaseNode, champion: BaseChannel | None
) -> BaseNode:
    """`champion` is its model where that is an artifact; else the gate gets the path of the plan's champion."""
    what = {
        "examples": examples.outputs["examples"],
        "model": trainer.outputs["model"],
        "evaluation": evaluator.outputs["evaluation"],
        "use_case": plan.use_case,
        "rules": as_text(plan.parameters["gates"]),
        "code": plan.maker,
    }
    if champion is not None:
        return AcceptanceGateWithChampion(champion=champion, **what).with_id("AcceptanceGate")
    return AcceptanceGate(champion=str(Path(plan.champion) / ONNX_MODEL) if plan.champion else "", **what)
