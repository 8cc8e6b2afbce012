"""The command line of a container in a manifest, to be run on this machine: paths of the pod become folders of a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

K8S = Path(__file__).resolve().parents[2] / "k8s"


def pod_of(manifest: str) -> Mapping[str, Any]:
    """The pod that the one object in a file of `k8s/` makes."""
    content = yaml.safe_load((K8S / manifest).read_text(encoding="utf-8"))
    return next(_pods(content))


def _pods(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict):
        if "containers" in value:
            yield value
        for inner in value.values():
            yield from _pods(inner)


def container_of(manifest: str, name: str) -> Mapping[str, Any]:
    """The container of this name, or the init container."""
    pod = pod_of(manifest)
    [found] = [one for one in (*pod.get("initContainers", ()), *pod["containers"]) if one["name"] == name]
    return found


def command_of(container: Mapping[str, Any], places: Mapping[str, Path | str]) -> list[str]:
    """Its command line; what `places` names is replaced wherever it stands."""
    return [_placed(word, places) for word in (*container["command"], *container.get("args", ()))]


def _placed(word: str, places: Mapping[str, Path | str]) -> str:
    for place, here in places.items():
        word = word.replace(place, str(here))
    return word
