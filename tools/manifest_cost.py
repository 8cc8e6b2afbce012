"""What an overlay asks of a cluster all day: requests times replicas, by namespace, as the table of docs/operations.md.

.venv/delivery/bin/python -m tools.manifest_cost
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.manifest_rules.objects import ALWAYS_ON, Bundle, Pod
from tools.manifest_rules.quota import quantity
from tools.manifest_rules.rendering import ROOT, Rendering, render

OVERLAYS = ("local", "staging", "production")
GIB = 2.0**30


@dataclass(frozen=True)
class Standing:
    """What stands all day: pods, CPUs, and bytes of memory and of volumes."""

    pods: int = 0
    cpus: float = 0.0
    memory: float = 0.0
    storage: float = 0.0

    def __add__(self, other: Standing) -> Standing:
        return Standing(
            self.pods + other.pods,
            self.cpus + other.cpus,
            self.memory + other.memory,
            self.storage + other.storage,
        )


def standing(bundle: Bundle) -> dict[str, Standing]:
    """By namespace. Jobs come and go, so they are left out; of what scales by itself its least counts."""
    found: dict[str, Standing] = {}
    for namespace, one in (*_pods(bundle), *_volumes(bundle)):
        found[namespace] = found.get(namespace, Standing()) + one
    return dict(sorted(found.items()))


def _pods(bundle: Bundle) -> Iterator[tuple[str, Standing]]:
    for pod in bundle.pods:
        if pod.owner.kind in (*ALWAYS_ON, "Notebook"):
            count = _replicas(pod)
            yield (
                pod.namespace,
                Standing(count, count * _requested(pod, "cpu"), count * _requested(pod, "memory")),
            )


def _requested(pod: Pod, resource: str) -> float:
    running = [*pod.spec["containers"], *pod.added]
    return sum(
        quantity(((one.get("resources") or {}).get("requests") or {}).get(resource, 0)) for one in running
    )


def _replicas(pod: Pod) -> int:
    spec = pod.owner.spec
    for predictor in spec.get("predictors") or ():
        if predictor["name"] == pod.labels.get("version"):
            return int(predictor.get("replicas", spec.get("replicas", 1)))
    return int(spec.get("replicas", 1))


def _volumes(bundle: Bundle) -> Iterator[tuple[str, Standing]]:
    for claim in bundle.of("PersistentVolumeClaim"):
        yield claim.namespace, Standing(storage=_size(claim.spec))
    for owner in bundle.of("StatefulSet"):
        for claim in owner.spec.get("volumeClaimTemplates") or ():
            yield owner.namespace, Standing(storage=int(owner.spec.get("replicas", 1)) * _size(claim["spec"]))


def _size(claim: Mapping[str, Any]) -> float:
    return quantity(claim["resources"]["requests"]["storage"])


def rows(overlay: str, bundle: Bundle) -> Iterable[str]:
    """Rows of a Markdown table: each namespace, and all together."""
    found = standing(bundle)
    for namespace, one in {**found, "**all**": sum(found.values(), Standing())}.items():
        yield (
            f"| {overlay} | {namespace} | {one.pods} | {one.cpus:.2f} | {one.memory / GIB:.1f} | {one.storage / GIB:.0f} |"
        )


def main() -> int:
    print("| overlay | namespace | pods | CPUs | GiB of memory | GiB of volumes |\n|---|---|---|---|---|---|")
    for overlay in OVERLAYS:
        bundle = render(
            Rendering(overlay, Path(ROOT / "k8s" / "overlays" / overlay)), ROOT / "build" / "cost"
        )
        print(*rows(overlay, bundle), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
