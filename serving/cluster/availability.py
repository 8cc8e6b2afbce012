"""Whether the pods of a predictor, or of what serves beside it, are all there with the release that it names. Pure.

Seldon's own `status.state` does not say for which version of the object it holds, and right after a change it still holds for the one
before. The Deployments do say: Seldon copies the annotations of the predictor's component into their pod template, and Kubernetes counts
the pods of the newest template.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serving.cluster.deployment import CHECKSUM, Object, predictor, release_of, version_of

_VERSION = "version"


@dataclass(frozen=True)
class Pods:
    """The pods of one predictor: all there and ready (`up`), how many of how many are, and why they never will be, if that is known."""

    up: bool
    ready: int
    wanted: int
    failed: str = ""

    @property
    def said(self) -> str:
        """In words."""
        return self.failed or f"{self.ready} of {self.wanted} pods are ready with it"


NOT_THERE = Pods(False, 0, 0)


def pods_of(deployment: Object, deployments: Sequence[Object], name: str) -> Pods:
    """The pods of a predictor of the SeldonDeployment, with the release that it names now."""
    one = predictor(deployment, name)
    if one is None:
        return NOT_THERE
    found = with_version(deployments, version_of(one))
    checksum = release_of(one).checksum
    counted = [pods_with(each, checksum) for each in found]
    if not counted:
        return NOT_THERE
    return Pods(
        up=all(pods.up for pods in counted),
        ready=min(pods.ready for pods in counted),
        wanted=max(pods.wanted for pods in counted),
        failed=next((pods.failed for pods in counted if pods.failed), ""),
    )


def with_version(deployments: Sequence[Object], version: str) -> list[Object]:
    """The Deployments of the predictor whose pods have this label."""
    return [each for each in deployments if (each["metadata"].get("labels") or {}).get(_VERSION) == version]


def pods_with(workload: Object, checksum: str) -> Pods:
    """The pods of one Deployment or StatefulSet with this release; those of an older template do not count."""
    wanted = int(workload["spec"].get("replicas", 1))
    status = workload.get("status") or {}
    seen = int(status.get("observedGeneration", 0)) >= int(workload["metadata"].get("generation", 1))
    template = workload["spec"]["template"]["metadata"].get("annotations") or {}
    if not seen or template.get(CHECKSUM) != checksum:
        return Pods(False, 0, wanted)
    updated, all_pods, available = (
        int(status.get(key, 0)) for key in ("updatedReplicas", "replicas", "availableReplicas")
    )
    ready = max(0, available - (all_pods - updated))
    return Pods(ready >= wanted and all_pods == updated, ready, wanted, _given_up(status))


def _given_up(status: Object) -> str:
    """Why Kubernetes stopped waiting for the pods; empty where it has not."""
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Progressing" and condition.get("status") == "False":
            return str(condition.get("message") or condition.get("reason") or "its pods do not come up")
    return ""
