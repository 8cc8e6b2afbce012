"""The pipeline as it is compiled: what open-source Kubeflow cannot run is not in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tfx.dsl.compiler.compiler import Compiler
from tfx.proto.orchestration.pipeline_pb2 import Pipeline

from pedalflow.run_record import SpanUsed
from pipelines.builder import Places, build_pipeline
from pipelines.plan import Plan, PlannedSpan

PLACES = Places(
    "/tmp/root",
    "/tmp/schema.pbtxt",
    "/tmp/releases",
    {"tracking_uri": "sqlite://", "name": "x", "artifacts": "/tmp/a"},
)
PLAN = Plan(
    use_case="bikeshare",
    spans=(PlannedSpan(SpanUsed(1, 8645, "2011-01-01", "2011-12-31", "0" * 32), "/tmp/span-01.csv"),),
    first_evaluation_day="2011-12-18",
    commit="c" * 40,
    dirty=False,
    code="f" * 64,
    parameters={"model": {}, "tuner": {"trials": 1, "validation_days": 28}, "gates": {}, "detectors": {}},
    environment={"tensorflow": "2.16.2"},
    registry="sqlite bike-demand",
)
JOURNEY = [
    "SpanExampleGen",
    "StatisticsGen",
    "ExampleValidator",
    "AnomalyGate",
    "Transform",
    "Trainer",
    "Evaluator",
    "AcceptanceGate",
    "ReleaseBuilder",
    "MlflowRegistrar",
    "ReleasePusher",
]


def compiled(plan: Plan) -> Pipeline:
    return Compiler().compile(build_pipeline(plan, PLACES))


def names(plan: Plan) -> list[str]:
    return [node.pipeline_node.node_info.id for node in compiled(plan).nodes]


def test_nodes_stand_in_the_order_of_the_datas_journey() -> None:
    assert [name for name in names(PLAN) if name in JOURNEY] == JOURNEY


def test_the_tuner_is_there_only_where_it_is_wished() -> None:
    assert "Tuner" not in names(PLAN)
    assert names(replace(PLAN, tune=True))[-1] == "Tuner"


def test_the_champion_is_imported_only_where_there_is_one() -> None:
    assert "Champion" not in names(PLAN)
    assert "Champion" in names(replace(PLAN, champion="/tmp/releases/r-1"))


@pytest.mark.parametrize(
    "plan", [PLAN, replace(PLAN, champion="/tmp/releases/r-1"), replace(PLAN, tune=True)]
)
def test_no_resolver_and_no_span_pattern_is_in_the_pipeline(plan: Plan) -> None:
    pipeline = compiled(plan)
    types = {node.pipeline_node.node_info.type.name for node in pipeline.nodes}
    assert not [name for name in types if "resolver" in name.lower()]
    assert "{SPAN}" not in str(pipeline)
    assert "resolver_config" not in str(pipeline)


def test_transform_waits_for_the_anomaly_gate() -> None:
    transform = next(
        n.pipeline_node for n in compiled(PLAN).nodes if n.pipeline_node.node_info.id == "Transform"
    )
    assert "AnomalyGate" in transform.upstream_nodes


@pytest.mark.parametrize("change", [{"code": "e" * 64}, {"environment": {"tensorflow": "2.16.3"}}])
def test_code_and_environment_are_execution_properties_so_that_no_cache_outlives_them(
    change: dict[str, Any],
) -> None:
    changed = replace(PLAN, **change)
    differing = {
        before.pipeline_node.node_info.id
        for before, after in zip(compiled(PLAN).nodes, compiled(changed).nodes, strict=True)
        if before.pipeline_node.parameters != after.pipeline_node.parameters
    }
    assert {"SpanExampleGen", "Transform", "Trainer", "AcceptanceGate", "ReleaseBuilder"} <= differing
