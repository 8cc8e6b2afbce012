"""The plan that is made on Kubeflow is the plan that a run on one machine has."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pedalflow.errors import RunFailed, SettingsError
from pedalflow.run_record import SpanUsed
from pipelines import provenance
from pipelines.kubeflow.parameters import (
    SpanArgument,
    read_argument,
    read_spans,
    root_parameters,
    spans_argument,
)
from pipelines.kubeflow.run_plan import OUTPUTS, check_code, check_image, plan_of
from pipelines.plan import Plan, PlannedSpan, code_fingerprint
from pipelines.properties import as_text, lineage_tags
from tests.samples.compiled_golden import MAKINGS

SPAN = SpanArgument(1, 8645, "2011-01-01", "2011-12-31", "0" * 32, "span-01.csv")
COMPLETE = {
    "members": 1,
    "units": [16],
    "embedding": 8,
    "frequencies": 4,
    "harmonics": 2,
    "epochs": 3,
    "batch_size": 256,
    "learning_rate": 0.02,
    "weight_decay": 0.3,
    "seed": 7,
}


def given(**more: Any) -> dict[str, Any]:
    defaults = {p.name: p.default for p in root_parameters(MAKINGS)}
    fixed = {"use_case": MAKINGS.use_case, "image": MAKINGS.image}
    data = {"spans": spans_argument([SPAN]), "first_evaluation_day": "2011-12-18"}
    return {**defaults, **fixed, **data, **more}


def local() -> Plan:
    """What the local runner would have."""
    return Plan(
        use_case="bikeshare",
        spans=(PlannedSpan(SpanUsed(1, 8645, "2011-01-01", "2011-12-31", "0" * 32), "span-01.csv"),),
        first_evaluation_day="2011-12-18",
        commit=MAKINGS.commit,
        dirty=False,
        code=MAKINGS.code,
        parameters={**MAKINGS.parameters, "model": COMPLETE},
        environment=provenance.environment(),
        registry="http://mlflow.pedalflow.svc.cluster.local:5000 bike-demand",
    )


def test_the_plan_of_the_parameters_is_the_local_plan() -> None:
    assert plan_of(given()) == local()
    assert plan_of(given()).key == local().key


def test_every_text_is_what_the_local_builder_would_hand_over() -> None:
    plan, parameters = plan_of(given()), given()
    texts = {name: text(plan, parameters) for name, text in OUTPUTS.items()}
    assert texts["facts"] == as_text(local().facts)
    assert texts["maker"] == local().maker
    assert json.loads(texts["training_config"]) == {
        "code": local().maker,
        "hyperparameters": COMPLETE,
        "tuner": MAKINGS.parameters["tuner"],
    }
    assert json.loads(texts["span_files"]) == [{"number": 1, "path": "span-01.csv", "md5": "0" * 32}]
    assert json.loads(texts["pusher_config"]) == {"releases": "/mnt/pedalflow/releases"}


def test_a_hyperparameter_that_a_run_sets_is_in_the_plan() -> None:
    model = plan_of(given(model_epochs=9, model_units="[8, 4]")).parameters["model"]
    assert (model["epochs"], model["units"]) == (9, [8, 4])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"model_epochs": 0}, "epochs is 0"),
        ({"gates": "{}"}, "parameter gates is not the section"),
        ({"detectors": "no JSON"}, "parameter detectors is not the section"),
        ({"spans": "[]"}, "nothing to train on"),
        ({"spans": '[{"number": 1}]'}, "parameter spans is no JSON list"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        plan_of(given(**wrong))


def test_an_image_with_other_code_than_the_run_says_is_refused() -> None:
    code = code_fingerprint(provenance.REPOSITORY, provenance.code_folders("bikeshare"))
    check_code(replace(local(), code=code))
    with pytest.raises(RunFailed, match="the image holds code with the fingerprint"):
        check_code(local())


@pytest.mark.parametrize("digest", [f"sha256:{'2' * 64}", "1" * 64, MAKINGS.image, ""])
def test_a_run_that_was_started_for_another_image_is_refused(digest: str) -> None:
    check_image(given())
    with pytest.raises(RunFailed, match=r"compiled with sha256:1{64}, .* leave image_digest out"):
        check_image(given(image_digest=digest))


def test_the_image_is_recorded_in_the_registry_and_not_in_the_release() -> None:
    recorded = json.loads(OUTPUTS["tags"](plan_of(given()), given()))
    assert recorded == {**lineage_tags(local()), "pedalflow.image": MAKINGS.image}
    for name, text in OUTPUTS.items():
        assert name == "tags" or MAKINGS.image not in text(plan_of(given()), given())


def test_spans_travel_as_text_and_back() -> None:
    assert read_spans(spans_argument([SPAN])) == (SPAN,)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("STRING", "3", "3"),
        ("NUMBER_INTEGER", "3", 3),
        ("NUMBER_DOUBLE", "0.5", 0.5),
        ("BOOLEAN", "true", True),
        ("BOOLEAN", "False", False),
    ],
)
def test_what_is_typed_becomes_a_value_of_the_kind(kind: str, text: str, value: Any) -> None:
    assert read_argument({"parameterType": kind}, "p", text) == value


@pytest.mark.parametrize(
    ("kind", "text"), [("NUMBER_INTEGER", "3.5"), ("NUMBER_DOUBLE", "x"), ("BOOLEAN", "1"), ("STRUCT", "{}")]
)
def test_what_is_typed_and_no_value_of_the_kind_is_refused(kind: str, text: str) -> None:
    with pytest.raises(SettingsError, match="no value for a parameter of the kind"):
        read_argument({"parameterType": kind}, "p", text)
