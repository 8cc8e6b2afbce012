"""Every kind of our manifests has somebody who knows it, and refuses a misspelt field and a value of another type in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.samples.rendered_manifests import SCHEMAS_FOLDER, body, copied, rendered
from tools.manifest_rules import models
from tools.manifest_rules.objects import Body, Bundle, Object
from tools.manifest_rules.schemas import check_schemas, missing_schemas

needs_folder = pytest.mark.skipif(
    not SCHEMAS_FOLDER.is_dir(), reason=f"{SCHEMAS_FOLDER} does not exist; `make schemas` makes it"
)
needs_models = pytest.mark.skipif(
    not models.installed(), reason='the models are missing; `make setup ENVIRONMENTS="delivery"` brings them'
)
EVERYTHING = ("production", "sealed-secrets")


def _said(bundle: Bundle) -> list[tuple[str, str]]:
    """The object and the sentence of each finding."""
    return [(found.object, found.says) for found in check_schemas(bundle, SCHEMAS_FOLDER)]


def _broken(kind: str, name: str, place: str, value: Any) -> list[tuple[str, str]]:
    """What is said where the field at a place (`spec.owner`, `spec.route.0.to`) has another value."""
    bundle = copied(rendered(*EVERYTHING))
    inner: Any = body(bundle, kind, name)
    *path, last = place.split(".")
    for step in path:
        inner = inner[int(step)] if step.isdecimal() else inner[step]
    inner[last] = value
    return _said(Bundle(bundle.name, tuple(bundle.of(kind))))


@pytest.mark.parametrize("misspelt, value", [("replica", 2), ("replicas", "two")])
def test_a_kind_of_kubernetes_is_held_to_its_schema(misspelt: str, value: object) -> None:
    [(found, says)] = _broken("Deployment", "explainer", f"spec.{misspelt}", value)
    assert found == "Deployment pedalflow-serving/explainer"
    assert misspelt in says


@needs_folder
@pytest.mark.parametrize(
    "kind, name, place, value",
    [
        ("SeldonDeployment", "pedalflow", "spec.predictor", {}),
        ("Broker", "pedalflow", "spec.deliver", {}),
        ("Trigger", "requests-to-drift", "spec.broker", 5),
        ("PrometheusRule", "serving", "spec.groups.0.rule", []),
        ("PodMonitor", "serving", "spec.selektor", {}),
        ("ServiceMonitor", "events", "spec.endpoint", []),
    ],
)
def test_a_kind_with_a_json_schema_is_held_to_it(kind: str, name: str, place: str, value: object) -> None:
    [(found, says)] = _broken(kind, name, place, value)
    assert found.startswith(f"{kind} ")
    assert place.rpartition(".")[2] in says


@needs_models
@pytest.mark.parametrize(
    "kind, name, place, value",
    [
        ("AlertmanagerConfig", "pedalflow", "spec.route.groupWaits", "1m"),
        ("AlertmanagerConfig", "pedalflow", "spec.receivers.0.webhookConfigs.0.sendResolved", "yes"),
        ("ExternalSecret", "triggers-token", "spec.refreshIntervall", "1h"),
        ("ExternalSecret", "triggers-token", "spec.secretStoreRef.kind", "SecretsStore"),
        ("Gateway", "pedalflow", "spec.server", []),
        ("Gateway", "pedalflow", "spec.servers.0.hosts", "*"),
        ("VirtualService", "explainer", "spec.gateway", []),
        ("VirtualService", "explainer", "spec.http.0.timeout", 1),
        ("SealedSecret", "triggers-token", "spec.encrypted", {}),
        ("SealedSecret", "triggers-token", "spec.template.type", 1),
    ],
)
def test_a_kind_with_a_model_is_held_to_it(kind: str, name: str, place: str, value: object) -> None:
    [(found, says)] = _broken(kind, name, place, value)
    assert found.startswith(f"{kind} ")
    assert place.rpartition(".")[2] in says or "not assignable to type" in says


@needs_models
def test_a_field_that_a_model_wants_has_to_be_there() -> None:
    # given
    bundle = copied(rendered(*EVERYTHING))
    del body(bundle, "Gateway", "pedalflow")["spec"]["servers"][0]["port"]
    # then
    [(found, says)] = _said(Bundle(bundle.name, tuple(bundle.of("Gateway"))))
    assert (found, "port" in says) == ("Gateway pedalflow-serving/pedalflow", True)


@needs_models
def test_a_version_that_a_model_does_not_have_is_refused() -> None:
    [(_, says)] = _broken("Gateway", "pedalflow", "apiVersion", "networking.istio.io/v9")
    assert "networking.istio.io/v9" in says


@pytest.mark.parametrize(
    "kind, name, place, value",
    [
        ("Notebook", "pedalflow", "spec.templates", {}),
        ("Notebook", "pedalflow", "spec.template.spec.containers.0.imagePullPolice", "Always"),
        ("Profile", "pedalflow-runs", "spec.quota", {}),
        ("Profile", "pedalflow-runs", "spec.owner.kind", "Team"),
        ("Profile", "pedalflow-runs", "spec.resourceQuotaSpec.harder", {}),
    ],
)
def test_a_kind_of_kubeflow_is_held_to_what_is_written_down_and_to_the_pod_or_quota_in_it(
    kind: str, name: str, place: str, value: object
) -> None:
    [(found, says)] = _broken(kind, name, place, value)
    assert found.startswith(f"{kind} ")
    assert place.rpartition(".")[2] in says or str(value) in says


def test_a_kind_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    strange = Bundle("one", (_thing({"apiVersion": "example.org/v1", "kind": "Thing"}),))
    assert "no schema" in next(check_schemas(strange, tmp_path)).says


def test_a_kind_of_kubeflow_that_is_not_written_down_is_refused(tmp_path: Path) -> None:
    strange = Bundle("one", (_thing({"apiVersion": "kubeflow.org/v1", "kind": "TFJob"}),))
    assert "not written down" in next(check_schemas(strange, tmp_path)).says


def _thing(content: Body) -> Object:
    return Object({**content, "metadata": {"name": "a"}})


def test_what_is_missing_is_named_with_what_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_COMPILER", tmp_path / "tsc")
    folder, npm = missing_schemas(tmp_path / "nowhere")
    assert ("make schemas" in folder, "make setup" in npm) == (True, True)
