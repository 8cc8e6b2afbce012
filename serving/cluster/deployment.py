"""A SeldonDeployment as a rollout sees it: which release each predictor serves, which share it has, and the object after a change. Pure.

Every change takes the object as it was read and returns a new one with nothing else touched, so that what others own in it (the
operator's defaults, replicas, resources, other predictors) goes back as it came.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pedalflow.errors import ServingFailed

GROUP, VERSION, PLURAL = "machinelearning.seldon.io", "v1", "seldondeployments"
MAIN, CANARY = "main", "canary"
RELEASE, CHECKSUM, URI = (
    "pedalflow.dev/release",
    "pedalflow.dev/release-checksum",
    "pedalflow.dev/release-uri",
)
_VERSION_LABEL = "version"  # Seldon's webhook sets it to the predictor's name where there is none

Object = dict[str, Any]


@dataclass(frozen=True)
class ReleaseAt:
    """A release: its name, the sha256 of its manifest, and the address that pods fetch it from."""

    release: str
    checksum: str
    uri: str


def predictor(deployment: Object, name: str) -> Object | None:
    """The predictor of this name; None where there is none."""
    found: list[Object] = [each for each in deployment["spec"]["predictors"] if each["name"] == name]
    return found[0] if found else None


def main_of(deployment: Object) -> Object:
    """The predictor `main`. Raises ServingFailed where a rollout cannot work on these predictors."""
    main = predictor(deployment, MAIN)
    takes_requests = {each["name"] for each in deployment["spec"]["predictors"] if not each.get("shadow")}
    others = sorted(takes_requests - {MAIN, CANARY})
    if main is None or others:
        has = f"the predictors {', '.join(sorted(takes_requests))}" if takes_requests else "no predictor"
        raise ServingFailed(
            f"{_name(deployment)} has {has}; a rollout needs {MAIN} alone, beside which it puts {CANARY} (and a shadow may be)"
        )
    return main


def release_of(one: Object) -> ReleaseAt:
    """Which release a predictor serves, by its pods' annotations. Raises ServingFailed where they do not say."""
    annotations = pod_annotations(one)
    missing = [key for key in (RELEASE, CHECKSUM, URI) if not annotations.get(key)]
    if missing:
        raise ServingFailed(
            f"predictor {one['name']} has no annotation {', '.join(missing)} at its first component, so nobody can tell which release "
            "it serves; apply the manifests of k8s/ again"
        )
    return ReleaseAt(annotations[RELEASE], annotations[CHECKSUM], annotations[URI])


def pod_annotations(one: Object) -> Mapping[str, str]:
    """What a predictor's first component says of its pods.

    A predictor's own annotations cannot name a release: Seldon's operator also makes keys of their values, and the API server refuses
    a pod template whose annotation has an address for its key.
    """
    components = one.get("componentSpecs") or [{}]
    annotations: Mapping[str, str] = (components[0].get("metadata") or {}).get("annotations") or {}
    return annotations


def annotations_of(release: ReleaseAt) -> dict[str, str]:
    """The annotations that name a release."""
    return {RELEASE: release.release, CHECKSUM: release.checksum, URI: release.uri}


def version_of(one: Object) -> str:
    """What the label `version` of the predictor's pods says, by which they are found."""
    return str((one.get("labels") or {}).get(_VERSION_LABEL, one["name"]))


def shares(deployment: Object) -> Mapping[str, int]:
    """The share of the requests in percent, by predictor; a predictor that is alone has all."""
    routed = [each for each in deployment["spec"]["predictors"] if not each.get("shadow")]
    if len(routed) == 1:
        return {routed[0]["name"]: 100}
    return {each["name"]: int(each.get("traffic", 0)) for each in routed}


def with_canary(deployment: Object, release: ReleaseAt) -> Object:
    """The object with a canary of the release beside main, without a share: the same as main in everything else."""
    changed = without_canary(deployment)
    made = copy.deepcopy(main_of(changed))
    _name_release(made, release)
    made["name"] = CANARY
    made["labels"] = {**(made.get("labels") or {}), _VERSION_LABEL: CANARY}
    made.pop("explainer", None)
    changed["spec"]["predictors"].append(made)
    return with_share(changed, 0)


def with_share(deployment: Object, percent: int) -> Object:
    """The object with a share for the canary, and the rest for main."""
    changed = copy.deepcopy(deployment)
    for name, share in ((MAIN, 100 - percent), (CANARY, percent)):
        one = predictor(changed, name)
        assert one is not None, name
        one["traffic"] = share
    return changed


def with_main(deployment: Object, release: ReleaseAt) -> Object:
    """The object whose main serves the release."""
    changed = copy.deepcopy(deployment)
    _name_release(main_of(changed), release)
    return changed


def without_canary(deployment: Object) -> Object:
    """The object without a canary: all requests are main's."""
    changed = copy.deepcopy(deployment)
    kept = [each for each in changed["spec"]["predictors"] if each["name"] != CANARY]
    changed["spec"]["predictors"] = kept
    main_of(changed)["traffic"] = 100
    return changed


def _name_release(one: Object, release: ReleaseAt) -> None:
    """Let a predictor name another release: in its pods' annotations, and wherever its init containers name the old one themselves."""
    before = release_of(one)
    one["componentSpecs"][0]["metadata"]["annotations"] |= annotations_of(release)
    renamed = [
        (before.uri, release.uri),
        (before.checksum, release.checksum),
        (before.release, release.release),
    ]
    containers = [
        container
        for spec in one.get("componentSpecs") or []
        for container in spec.get("spec", {}).get("initContainers") or []
    ]
    for container in containers:
        _rename(container, renamed)
    for key, value in ((URI, release.uri), (CHECKSUM, release.checksum)):
        if value not in str(containers) and f"['{key}']" not in json.dumps(containers):
            raise ServingFailed(
                f"no init container of predictor {one['name']} reads the annotation {key} or says the same as it, so its pods would "
                "fetch another release than they say; apply the manifests of k8s/ again"
            )


def _rename(container: Object, renamed: list[tuple[str, str]]) -> None:
    for key in ("command", "args"):
        if key in container:
            container[key] = [_renamed(text, renamed) for text in container[key]]
    for variable in container.get("env") or []:
        if "value" in variable:
            variable["value"] = _renamed(variable["value"], renamed)


def _renamed(text: str, renamed: list[tuple[str, str]]) -> str:
    """The text with the first of the old names that it holds replaced; the address comes first, because a name may be part of it."""
    for before, after in renamed:
        if before in text:
            return text.replace(before, after)
    return text


def _name(deployment: Object) -> str:
    return f"SeldonDeployment {deployment['metadata']['name']}"
