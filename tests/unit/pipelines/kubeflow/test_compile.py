"""The compiled file: the golden, what may be in it, and that every parameter finds its task."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from pedalflow.errors import SettingsError
from pipelines.kubeflow.allow_list import problems
from pipelines.kubeflow.compile import _template, as_yaml, compile_pipeline
from pipelines.kubeflow.parameters import root_parameters
from pipelines.kubeflow.policies import TASKS
from pipelines.settings import DetectorSettings, GateSettings, TunerSettings
from tests.samples.compiled_golden import GOLDEN, MAKINGS

Spec = dict[str, Any]


@pytest.fixture(scope="module")
def text() -> str:
    return as_yaml(compile_pipeline(MAKINGS))


@pytest.fixture(scope="module")
def kept(text: str) -> list[Spec]:
    return list(yaml.safe_load_all(text))


@pytest.fixture
def spec(kept: list[Spec]) -> Spec:
    return copy.deepcopy(kept[0])


def inner(spec: Spec) -> Spec:
    return spec["components"]["tfx-dag"]["dag"]["tasks"]


def container(spec: Spec, task: str) -> Spec:
    return spec["deploymentSpec"]["executors"][spec["components"][task]["executorLabel"]]["container"]


def test_the_compiled_file_is_the_golden(text: str) -> None:
    assert text == GOLDEN.read_text(encoding="utf-8"), (
        "if the change is meant: .venv/pipelines/bin/python tests/samples/compiled_golden.py"
    )


def test_compiling_again_gives_the_same_file(text: str) -> None:
    assert as_yaml(compile_pipeline(MAKINGS)) == text


def test_nothing_of_the_template_that_tfx_compiled_is_left(text: str) -> None:
    template = _template(MAKINGS)
    for trace in (template.maker, template.key, '"spans": []', "constant: ''"):
        assert trace not in text


def test_nothing_in_it_is_unknown_to_kubeflow(spec: Spec) -> None:
    assert problems(spec) == []


def _resolver(spec: Spec) -> None:
    spec["deploymentSpec"]["executors"]["Trainer_executor"] = {"resolver": {}}


def _lifecycle(spec: Spec) -> None:
    container(spec, "SpanExampleGen")["lifecycle"] = {"preCacheCheck": {}}


def _latest(spec: Spec) -> None:
    container(spec, "Trainer")["image"] = "pedalflow-pipelines:latest"


def _unwired(spec: Spec) -> None:
    del inner(spec)["Trainer"]["inputs"]["parameters"]["custom_config"]


def _not_passed_in(spec: Spec) -> None:
    del spec["components"]["tfx-dag"]["inputDefinitions"]["parameters"]["spans"]


def _no_wait(spec: Spec) -> None:
    inner(spec)["Trainer"]["dependentTasks"].remove("RunPlan")


def _unknown_output(spec: Spec) -> None:
    wire = inner(spec)["Evaluator"]["inputs"]["artifacts"]["model"]["taskOutputArtifact"]
    wire["outputArtifactKey"] = "modle"


def _unused(spec: Spec) -> None:
    spec["root"]["inputDefinitions"]["parameters"]["forgotten"] = {"parameterType": "STRING"}


def _upper_case(spec: Spec) -> None:
    spec["pipelineInfo"]["name"] = "Bikeshare"


def _loop(spec: Spec) -> None:
    inner(spec)["Trainer"]["parameterIterator"] = {}


def _old_schema(spec: Spec) -> None:
    spec["schemaVersion"] = "2.0.0"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_resolver, "resolver"),
        (_lifecycle, "lifecycle"),
        (_latest, "which no digest pins"),
        (_unwired, "custom_config in parameters is not wired"),
        (_not_passed_in, "spans, which is not passed in"),
        (_no_wait, "RunPlan, for which the task does not wait"),
        (_unknown_output, "modle of Trainer"),
        (_unused, "forgotten is used by no task"),
        (_upper_case, "lower case"),
        (_loop, "parameterIterator"),
        (_old_schema, "schema version 2.0.0"),
    ],
)
def test_what_would_not_run_is_named(change: Callable[[Spec], None], named: str, spec: Spec) -> None:
    change(spec)
    assert any(named in problem for problem in problems(spec)), problems(spec)


@pytest.mark.parametrize("image", ["pedalflow", "pedalflow:latest", "pedalflow@sha256:abc", ""])
def test_an_image_that_no_digest_pins_is_refused(image: str) -> None:
    with pytest.raises(SettingsError, match="not pinned"):
        replace(MAKINGS, image=image)


def test_every_parameter_has_a_kind_a_description_and_all_but_the_data_a_default(spec: Spec) -> None:
    declared = spec["root"]["inputDefinitions"]["parameters"]
    assert list(declared) == sorted(p.name for p in root_parameters(MAKINGS))
    assert [name for name, p in declared.items() if "defaultValue" not in p] == [
        "first_evaluation_day",
        "spans",
    ]
    assert all(p["description"] for p in declared.values())
    assert declared["model_epochs"] == {
        "parameterType": "NUMBER_INTEGER",
        "defaultValue": 3,
        "isOptional": True,
        "description": "Hyperparameter epochs.",
    }
    assert declared["model_learning_rate"]["parameterType"] == "NUMBER_DOUBLE"
    assert json.loads(declared["model_units"]["defaultValue"]) == [16]
    assert declared["dirty"]["parameterType"] == "BOOLEAN"


def test_a_run_of_the_file_says_where_it_was_compiled_to_that_it_is_over() -> None:
    door, token = "http://triggers.pedalflow.svc.cluster.local/events/cloudevents", "/secrets/token"
    told = replace(MAKINGS, events_url=door, events_token_file=token)
    parameters = compile_pipeline(told)[0]["root"]["inputDefinitions"]["parameters"]
    assert parameters["events_url"]["defaultValue"] == door
    assert parameters["events_token_file"]["defaultValue"] == token


@pytest.mark.parametrize(
    ("name", "section"), [("tuner", TunerSettings), ("gates", GateSettings), ("detectors", DetectorSettings)]
)
def test_a_section_travels_as_its_settings(name: str, section: type, spec: Spec) -> None:
    text = spec["root"]["inputDefinitions"]["parameters"][name]["defaultValue"]
    assert section.model_validate(json.loads(text)).model_dump() == MAKINGS.parameters[name]


def test_every_task_has_a_policy_and_every_policy_a_task(spec: Spec) -> None:
    tasks = {*inner(spec), *spec["root"]["dag"]["tasks"]} - {"tfx-dag", "Spans", "Champion"}
    assert tasks == set(TASKS)


def test_a_gate_is_not_tried_again_and_an_effect_outside_is_not_cached(spec: Spec) -> None:
    assert "retryPolicy" not in inner(spec)["AcceptanceGate"]
    assert inner(spec)["MlflowRegistrar"]["retryPolicy"]["maxRetryCount"] == 3
    assert inner(spec)["MlflowRegistrar"]["cachingOptions"] == {}
    assert inner(spec)["Trainer"]["cachingOptions"] == {"enableCache": True}


def test_each_container_restores_types_from_the_inputs_that_it_really_has(spec: Spec) -> None:
    for task in TASKS:
        arguments = container(spec, task)["args"]
        stated = json.loads(arguments[arguments.index("--json_serialized_inputs_spec_args") + 1])
        assert stated == spec["components"][task].get("inputDefinitions", {})


def test_containers_run_what_makes_the_same_bytes(spec: Spec) -> None:
    for task in TASKS:
        variables = {entry["name"]: entry["value"] for entry in container(spec, task)["env"]}
        assert variables["PYTHONHASHSEED"] == "0"
        assert variables["OPENBLAS_NUM_THREADS"] == "1"


def test_the_exit_handler_waits_for_all_others_whatever_came_of_them(spec: Spec) -> None:
    handler = spec["root"]["dag"]["tasks"]["RunCompletion"]
    assert handler["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert handler["dependentTasks"] == ["tfx-dag"]
    assert handler["inputs"]["parameters"]["status"] == {"taskFinalStatus": {"producerTask": "tfx-dag"}}


def test_secrets_and_volumes_are_named_for_executors_that_exist(kept: list[Spec]) -> None:
    pipeline, platform = kept
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(executors) <= set(pipeline["deploymentSpec"]["executors"])
    assert executors["ReleasePusher_executor"]["pvcMount"][0]["mountPath"] == "/mnt/pedalflow"


def test_the_digest_that_a_run_may_say_is_that_of_the_image_in_which_all_tasks_run(spec: Spec) -> None:
    declared = spec["root"]["inputDefinitions"]["parameters"]["image_digest"]
    compiled_in = inner(spec)["RunPlan"]["inputs"]["parameters"]["image"]["runtimeValue"]["constant"]
    assert {container(spec, task)["image"] for task in TASKS} == {compiled_in}
    assert compiled_in.endswith(f"@{declared['defaultValue']}")


def test_no_anchor_of_yaml_is_in_the_file(text: str) -> None:
    assert "&id" not in text
