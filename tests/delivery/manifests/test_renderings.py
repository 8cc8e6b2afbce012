"""Every overlay and every component that docs/manifests.md names renders and passes; what a component changes, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.samples.rendered_manifests import (
    SCHEMAS_FOLDER,
    body,
    container,
    copied,
    made,
    predictor,
    rendered,
)
from tools import manifests
from tools.manifest_rules.expected import VARIANTS
from tools.manifest_rules.objects import Bundle
from tools.manifest_rules.rendering import ROOT, NotRendered, Rendering
from tools.manifest_rules.schemas import check_schemas, missing_schemas
from tools.manifest_rules.table import check_rules

OVERLAYS = ("local", "staging", "production")
FOLDERS = {
    "local": "s3://pipelines/releases",
    "staging": "gs://example-pedalflow-staging/pipelines/releases",
    "production": "gs://example-pedalflow-production/pipelines/releases",
}
MISSING = missing_schemas(SCHEMAS_FOLDER)


@pytest.fixture(scope="module", params=list(manifests.renderings()), ids=lambda wish: wish.name)
def rendering(request: pytest.FixtureRequest) -> Bundle:
    """Each overlay and variant in turn."""
    return made(request.param)


def test_a_rendering_breaks_no_rule(rendering: Bundle) -> None:
    assert list(check_rules(rendering)) == []


def test_a_rendering_fits_all_schemas_that_are_on_this_machine(rendering: Bundle) -> None:
    assert list(check_schemas(rendering, SCHEMAS_FOLDER)) == []


def test_every_overlay_is_rendered() -> None:
    assert {wish.name for wish in manifests.renderings()} >= set(OVERLAYS)


def test_the_page_names_every_variant_and_every_component_of_serving_is_one() -> None:
    page = (ROOT / "docs" / "manifests.md").read_text(encoding="utf-8")
    named = set(
        re.findall(r"^\| `([a-z-]+)` \|", page.partition("## Variants")[2].partition("\n## ")[0], re.M)
    )
    assert named == {variant.component for variant in VARIANTS}
    assert all((ROOT / "k8s" / "components" / name).is_dir() for name in named)


def test_a_kustomization_that_cannot_be_rendered_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotRendered, match="nowhere"):
        made(Rendering("broken", tmp_path / "nowhere"))


def test_missing_schemas_are_no_pass(tmp_path: Path, capsys: Any) -> None:
    # when
    code = manifests.main(["--only", "local", "--schemas", str(tmp_path / "nowhere")])
    # then
    said = capsys.readouterr()
    assert (code, "make schemas" in said.err) == (2, True)
    assert "local: 9" in said.out  # it was judged by everything else


def test_without_schemas_what_breaks_a_rule_is_found_all_the_same(tmp_path: Path) -> None:
    # given
    bundle = copied(rendered("local"))
    del container(bundle, "predictor")["readinessProbe"]
    body(bundle, "Deployment", "explainer")["spec"]["replica"] = 1
    # then
    found = manifests.check(bundle, tmp_path / "nowhere")
    assert {finding.rule for finding in found} == {"probes", "schema"}


@pytest.mark.skipif(bool(MISSING), reason="; ".join(MISSING))
def test_the_command_writes_what_it_rendered_and_says_what_is_wrong_as_json(capsys: Any) -> None:
    # when
    code = manifests.main(["--only", "local", "--json"])
    # then
    assert (code, json.loads(capsys.readouterr().out)) == (0, {"local": []})
    assert "kind: SeldonDeployment" in (ROOT / "build" / "manifests" / "local.yaml").read_text(
        encoding="utf-8"
    )


def test_an_unknown_rendering_is_refused(capsys: Any) -> None:
    assert manifests.main(["--only", "moon"]) == 2
    assert "there is no moon" in capsys.readouterr().err


# What a component changes


@pytest.mark.parametrize(
    "component, name, shares",
    [("canary", "canary", {"main": 90, "canary": 10}), ("ab-test", "b", {"main": 50, "b": 50})],
)
def test_a_second_predictor_is_main_in_all_but_release_and_share(
    component: str, name: str, shares: dict[str, int]
) -> None:
    bundle = rendered("production", component)
    # then
    predictors = body(bundle, "SeldonDeployment", "pedalflow")["spec"]["predictors"]
    assert {one["name"]: one["traffic"] for one in predictors} == shares
    for part in ("graph", "componentSpecs", "svcOrchSpec"):
        assert predictor(bundle, name)[part] == predictor(bundle, "main")[part]
    assert "annotations" not in predictor(bundle, name)  # Seldon makes keys of their values


def test_a_shadow_gets_every_request_main_answers_them_and_no_detector_hears_of_them_twice() -> None:
    bundle = rendered("production", "shadow")
    for name in ("requests-to-drift", "requests-to-collector"):
        assert {"not": {"exact": {"endpoint": "shadow"}}} in body(bundle, "Trigger", name)["spec"]["filters"]
    assert predictor(bundle, "shadow")["shadow"] is True
    assert predictor(bundle, "main")["traffic"] == 100


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_second_release_reaches_the_canary_alone(overlay: str) -> None:
    # given an overlay whose second release has been written
    bundle = made_with_second_release(overlay, "r-123456789abc")
    # then
    component = predictor(bundle, "canary")["componentSpecs"][0]
    variables = {
        variable["name"]: variable.get("value")
        for one in component["spec"]["initContainers"]
        for variable in one["env"]
    }
    named = {
        "RELEASE_NAME": "r-123456789abc",
        "RELEASE_CHECKSUM": "123456789abc" + "0" * 52,
        "RELEASE_URI": f"{FOLDERS[overlay]}/r-123456789abc",
    }
    assert named.items() <= variables.items()
    assert sorted(component["metadata"]["annotations"].values()) == sorted(named.values())
    assert "r-123456789abc" not in json.dumps(predictor(bundle, "main"))


def made_with_second_release(overlay: str, name: str) -> Bundle:
    """The serving part of an overlay, as a copy in which the ConfigMap names another release, with a canary."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="second-") as folder:
        copy = Path(folder) / "k8s"
        shutil.copytree(ROOT / "k8s", copy)
        release = copy / "overlays" / overlay / "serving" / "second-release-configmap.yaml"
        text = release.read_text(encoding="utf-8").replace("0" * 64, name[2:] + "0" * 52)
        release.write_text(text.replace("r-" + "0" * 12, name), encoding="utf-8")
        kustomization = copy / "overlays" / overlay / "serving" / "kustomization.yaml"
        listed = kustomization.read_text(encoding="utf-8").replace(
            "components/release\n", "components/release\n  - ../../../components/canary\n"
        )
        kustomization.write_text(listed, encoding="utf-8")
        return made(Rendering("second", copy / "overlays" / overlay / "serving"))


def test_grpc_starts_one_server_in_both_wrappers_and_changes_nothing_else() -> None:
    plain, grpc = rendered("production"), rendered("production", "grpc")
    changed = [
        (before, after)
        for before, after in zip(plain.objects, grpc.objects, strict=True)
        if before.body != after.body
    ]
    assert [str(after) for _, after in changed] == ["SeldonDeployment pedalflow-serving/pedalflow"]
    for name in ("outliers", "predictor"):
        was, now = _env(container(plain, name)), _env(container(grpc, name))
        assert (was.pop("GRPC_WORKERS"), now.pop("GRPC_WORKERS")) == ("0", "1")
        assert was == now


def test_keda_takes_the_place_of_the_autoscaler() -> None:
    component = predictor(rendered("production", "keda"))["componentSpecs"][0]
    assert "hpaSpec" not in component
    keda = component["kedaSpec"]
    assert {trigger["name"] for trigger in keda["triggers"]} == {"request-rate", "waiting-requests"}
    assert all('namespace="pedalflow-serving"' in one["metadata"]["query"] for one in keda["triggers"])
    assert "fallback" not in keda  # Seldon does not hand it on


def test_without_knative_the_log_reaches_one_service_with_every_receiver() -> None:
    bundle = rendered("production", "without-knative")
    # then
    assert not list(bundle.of("Broker", "Trigger"))
    logger = predictor(bundle)["graph"]["children"][0]["logger"]
    assert logger == {"mode": "all", "url": "http://drift.pedalflow-serving.svc.cluster.local/"}
    arguments = container(bundle, "drift")["args"]
    assert "--receivers=drift,concept,collector" in arguments
    assert "--broker=http://triggers.pedalflow.svc.cluster.local/events/cloudevents" in arguments


def test_cpu_only_keeps_serving_off_nodes_with_a_gpu() -> None:
    bundle = rendered("local", "cpu-only")
    kept = {
        str(pod.owner)
        for pod in bundle.pods
        if "nvidia.com/gpu.present" in json.dumps(pod.spec.get("affinity", {}))
    }
    assert kept == {
        f"{kind} pedalflow-serving/{name}"
        for kind, name in (
            ("SeldonDeployment", "pedalflow"),
            ("StatefulSet", "drift"),
            ("StatefulSet", "collector"),
            ("Deployment", "explainer"),
        )
    }


@pytest.mark.parametrize("overlay", ("staging", "production"))
def test_in_a_cloud_every_pod_reads_its_release_from_where_it_is_published_with_its_own_identity(
    overlay: str,
) -> None:
    bundle = rendered(overlay)
    # then all four read a bucket of Google's as an account of their own
    fetching = [
        one for pod in bundle.pods for one in pod.spec.get("initContainers") or [] if one["name"] == "fetch"
    ]
    assert len(fetching) == 4
    for one in fetching:
        assert (
            _env(one).items()
            >= {
                "RCLONE_CONFIG_GS_TYPE": "google cloud storage",
                "RCLONE_CONFIG_GS_ANONYMOUS": "false",
                "RCLONE_CONFIG_GS_ENV_AUTH": "true",
                "RCLONE_CONFIG_GS_BUCKET_POLICY_ONLY": "true",
            }.items()
        )
        assert "envFrom" not in one
    account = body(bundle, "ServiceAccount", "serving")["metadata"]["annotations"]
    assert account["iam.gke.io/gcp-service-account"].startswith("pedalflow-serving@")
    # and the bucket is the one that releases are published to
    published = next(
        found.body["data"]["RELEASES"]
        for found in bundle.of("ConfigMap")
        if found.name.startswith("publish-releases")
    )
    assert published.removeprefix("store:") == FOLDERS[overlay].removeprefix("gs://")
    named = predictor(bundle)["componentSpecs"][0]["metadata"]["annotations"]["pedalflow.dev/release-uri"]
    assert named.startswith(f"{FOLDERS[overlay]}/r-")


def test_seldons_operator_is_told_of_the_gateway_that_the_component_makes() -> None:
    values = yaml.safe_load((ROOT / "k8s/upstream/seldon/values.yaml").read_text(encoding="utf-8"))
    gateway = next(rendered("production").of("Gateway"))
    assert values["istio"]["gateway"] == f"{gateway.namespace}/{gateway.name}"


def test_an_event_service_that_never_gets_ready_is_replaced_all_the_same() -> None:
    policies = {one.name: one.spec.get("podManagementPolicy") for one in rendered("local").of("StatefulSet")}
    assert (policies["drift"], policies["collector"]) == ("Parallel", "Parallel")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_prepackaged_server_is_beside_the_graph_with_its_release_fetched_and_verified_as_there(
    overlay: str,
) -> None:
    bundle = rendered(overlay, "prepackaged")
    assert predictor(bundle) == predictor(rendered(overlay))
    # then
    [main] = predictor(bundle)["componentSpecs"]
    triton = predictor(bundle, "triton", "pedalflow-prepackaged")
    [component] = triton["componentSpecs"]
    assert component["metadata"]["annotations"] == main["metadata"]["annotations"]
    fetch, verify, initializer = component["spec"]["initContainers"]
    assert [fetch, verify] == main["spec"]["initContainers"]
    assert initializer["image"] == verify["image"]
    assert triton["graph"]["modelUri"] == f"{FOLDERS[overlay]}/r-000000000000"


def test_the_prepackaged_server_finds_the_model_where_seldon_tells_it_to_look(tmp_path: Path) -> None:
    # given a release, and the pod's folders as folders of this machine
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "model.onnx").write_bytes(b"model")
    spec = predictor(rendered("local", "prepackaged"), "triton", "pedalflow-prepackaged")
    initializer = spec["componentSpecs"][0]["spec"]["initContainers"][-1]
    # when the model is laid out by the manifest's own command
    command = [word.replace("/mnt/", f"{tmp_path}/") for word in initializer["command"]]
    subprocess.run(command, check=True)
    # then it is the first version of the model that the node is called after
    laid_out = tmp_path / "models" / spec["graph"]["name"] / "1" / "model.onnx"
    assert laid_out.read_bytes() == b"model"
    [server] = spec["componentSpecs"][0]["spec"]["containers"]
    assert {
        "name": f"{server['name']}-provision-location",
        "mountPath": "/mnt/models",
        "readOnly": True,
    } in server["volumeMounts"]


def _env(one: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable.get("value", "") for variable in one["env"]}
