"""What a rollout changes in a SeldonDeployment, and what it reads of it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pedalflow.errors import ServingFailed
from serving.cluster.availability import Pods, pods_of
from serving.cluster.deployment import (
    CHECKSUM,
    URI,
    ReleaseAt,
    annotations_of,
    main_of,
    predictor,
    release_of,
    shares,
    with_canary,
    with_main,
    with_share,
    without_canary,
)
from serving.cluster.under_way import UNDER_WAY, last_ended, under_way
from tests.samples.seldon_stand_in import (
    Fault,
    check_admitted,
    seldon_deployment,
    template_annotations,
)

MANIFEST = Path(__file__).parents[3] / "k8s" / "base" / "serving" / "pedalflow-seldondeployment.yaml"

OLD = ReleaseAt("r-0123456789ab", "0123456789ab" + "0" * 52, "s3://pipelines/releases/r-0123456789ab")
NEW = ReleaseAt("r-ba9876543210", "ba9876543210" + "0" * 52, "s3://pipelines/releases/r-ba9876543210")


@pytest.fixture
def deployment() -> dict[str, Any]:
    return seldon_deployment(OLD)


def literal(deployment: dict[str, Any]) -> dict[str, Any]:
    """The same with init containers that name the release in variables, arguments and the command."""
    containers = deployment["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["initContainers"]
    containers[0] = {
        "name": "fetch",
        "args": [f"{OLD.uri}/", "/mnt"],
        "env": [{"name": "A", "value": OLD.uri}],
    }
    containers.append({"name": "verify", "command": ["verify", f"--name={OLD.release}", OLD.checksum]})
    return deployment


def test_a_canary_is_main_with_another_release(deployment: dict[str, Any]) -> None:
    before = copy.deepcopy(deployment)
    made = with_canary(deployment, NEW)
    assert deployment == before
    main, canary = made["spec"]["predictors"]
    assert shares(made) == {"main": 100, "canary": 0}
    assert (release_of(main), release_of(canary)) == (OLD, NEW)
    assert canary["graph"] == main["graph"]
    assert canary["componentSpecs"] == main_of(with_main(deployment, NEW))["componentSpecs"]
    assert canary["labels"] == {**main["labels"], "version": "canary"}
    assert without_canary(with_share(made, 30)) == before


def test_init_containers_that_name_the_release_name_the_new_one(deployment: dict[str, Any]) -> None:
    changed = with_main(literal(deployment), NEW)
    fetch, verify = changed["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["initContainers"]
    assert fetch["args"] == [f"{NEW.uri}/", "/mnt"] and fetch["env"] == [{"name": "A", "value": NEW.uri}]
    assert verify["command"] == ["verify", f"--name={NEW.release}", NEW.checksum]
    assert OLD.checksum not in json.dumps(changed)
    assert with_main(changed, OLD) == deployment


def test_init_containers_that_read_the_annotations_stay_as_they_are(deployment: dict[str, Any]) -> None:
    containers = deployment["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["initContainers"]
    containers[0]["env"] = [
        {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{key}']"}}}
        for key in (CHECKSUM, URI)
    ]
    main = with_main(deployment, NEW)["spec"]["predictors"][0]
    [before], [after] = deployment["spec"]["predictors"][0]["componentSpecs"], main["componentSpecs"]
    assert after["spec"] == before["spec"]
    assert release_of(main) == NEW


def test_the_manifest_of_the_cluster_takes_a_canary() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    main = release_of(manifest["spec"]["predictors"][0])
    made = with_canary(manifest, NEW)
    check_admitted(made)
    first, canary = (json.dumps(one) for one in made["spec"]["predictors"])
    assert main.checksum in first and main.uri in first
    assert not any(said in canary for said in (main.release, main.checksum, main.uri))
    assert canary.count(NEW.checksum) == first.count(main.checksum) >= 2


def test_the_operators_pods_say_the_release_of_the_manifest() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    main = main_of(manifest)
    assert annotations_of(release_of(main)).items() <= template_annotations(main, manifest).items()


def test_a_release_that_the_predictor_itself_names_gets_no_pods(deployment: dict[str, Any]) -> None:
    main = main_of(deployment)
    main["annotations"] = annotations_of(OLD)
    with pytest.raises(Fault, match="Invalid value"):
        template_annotations(main, deployment)


def test_pods_that_would_fetch_another_release_than_they_say_are_refused(deployment: dict[str, Any]) -> None:
    containers = deployment["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["initContainers"]
    containers[0]["env"] = []
    with pytest.raises(ServingFailed, match="no init container of predictor main reads the annotation"):
        with_main(deployment, NEW)


def test_a_predictor_that_does_not_say_its_release_is_named(deployment: dict[str, Any]) -> None:
    del deployment["spec"]["predictors"][0]["componentSpecs"][0]["metadata"]["annotations"][CHECKSUM]
    with pytest.raises(ServingFailed, match=f"predictor main has no annotation {CHECKSUM}"):
        with_canary(deployment, NEW)


def test_other_predictors_that_take_requests_are_refused_and_a_shadow_is_not(
    deployment: dict[str, Any],
) -> None:
    other = {**deployment["spec"]["predictors"][0], "name": "b", "shadow": True}
    deployment["spec"]["predictors"].append(other)
    assert shares(with_canary(deployment, NEW)) == {"main": 100, "canary": 0}
    other["shadow"] = False
    with pytest.raises(ServingFailed, match="has the predictors b, main"):
        with_canary(deployment, NEW)


def one_deployment(**changes: Any) -> dict[str, Any]:
    """Two pods of main, all there with the old release, but for the changes."""
    status = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
    template = {"metadata": {"annotations": {CHECKSUM: changes.pop("checksum", OLD.checksum)}}}
    return {
        "metadata": {"labels": {"version": "main"}, "generation": changes.pop("generation", 3)},
        "spec": {"replicas": changes.pop("wanted", 2), "template": template},
        "status": {**status, **changes},
    }


TIMED_OUT = [{"type": "Progressing", "status": "False", "message": "timed out"}]


@pytest.mark.parametrize(
    ("made", "pods"),
    [
        ([one_deployment()], Pods(True, 2, 2)),
        ([], Pods(False, 0, 0)),
        ([one_deployment(checksum=NEW.checksum)], Pods(False, 0, 2)),  # the operator has not come round to it
        ([one_deployment(generation=4)], Pods(False, 0, 2)),  # Kubernetes has not
        ([one_deployment(replicas=3, updatedReplicas=1, availableReplicas=2)], Pods(False, 0, 2)),
        ([one_deployment(replicas=3, updatedReplicas=2, availableReplicas=3)], Pods(False, 2, 2)),  # an old one is left
        ([one_deployment(availableReplicas=1)], Pods(False, 1, 2)),
        ([one_deployment(wanted=5)], Pods(False, 2, 5)),
        ([one_deployment(), one_deployment(availableReplicas=0)], Pods(False, 0, 2)),
        ([one_deployment(availableReplicas=1, conditions=TIMED_OUT)], Pods(False, 1, 2, "timed out")),
    ],
)  # fmt: skip
def test_pods_are_up_when_all_of_the_newest_template_are(
    deployment: dict[str, Any], made: list[dict[str, Any]], pods: Pods
) -> None:
    assert pods_of(deployment, made, "main") == pods


def test_a_predictor_that_is_not_there_has_no_pods(deployment: dict[str, Any]) -> None:
    assert predictor(deployment, "canary") is None
    assert not pods_of(deployment, [one_deployment()], "canary").up


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"phase": "dancing"}'])
def test_a_state_that_cannot_be_read_stops_everything(deployment: dict[str, Any], text: str) -> None:
    deployment["metadata"]["annotations"][UNDER_WAY] = text
    with pytest.raises(ServingFailed, match="cannot be read"):
        under_way(deployment)


def test_what_cannot_be_read_of_the_last_rollout_is_nothing(deployment: dict[str, Any]) -> None:
    deployment["metadata"]["annotations"]["pedalflow.dev/last-rollout"] = '{"release": 1}'
    assert last_ended(deployment) is None
