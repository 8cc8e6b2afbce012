"""Renders a kustomization with `kubectl kustomize`, and keeps for each object the file it comes from."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.manifest_rules.objects import ORIGIN, Bundle, Object

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = ROOT / ".venv" / "delivery" / "bin" / "kubectl"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NotRendered(Exception):
    """A kustomization cannot be rendered; the text is what kubectl says, or what is missing."""


@dataclass(frozen=True)
class Rendering:
    """What to render: a name, the overlay, the components that are switched on beside its own, and how strictly it is judged."""

    name: str
    overlay: Path
    components: tuple[str, ...] = ()
    strict: bool = True


def render(wish: Rendering, work: Path) -> Bundle:
    """The objects of an overlay with components; `work` is a folder inside the repository for the kustomization that combines them.

    Raises:
        NotRendered: kubectl is missing, or refuses.
    """
    folder = work / wish.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text(_combined(wish, folder), encoding="utf-8")
    return Bundle(wish.name, tuple(parse(_kustomize(folder), folder)), wish.strict)


def _combined(wish: Rendering, folder: Path) -> str:
    components = [os.path.relpath(ROOT / "k8s" / "components" / name, folder) for name in wish.components]
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(wish.overlay, folder)],
        "components": components,
        "buildMetadata": ["originAnnotations"],
    }
    text: str = yaml.safe_dump(content, sort_keys=False)
    return text


def _kustomize(folder: Path) -> str:
    kubectl = str(KUBECTL) if KUBECTL.exists() else shutil.which("kubectl")
    if kubectl is None:
        raise NotRendered('there is no kubectl; `make setup ENVIRONMENTS="delivery"` brings it')
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRendered(done.stderr.strip())
    return done.stdout


def parse(text: str, folder: Path) -> Iterable[Object]:
    """The objects of a rendered stream, without the annotation that says where each comes from."""
    for body in yaml.load_all(text, Loader=_LOADER):
        if not body:
            continue
        annotations = (body.get("metadata") or {}).get("annotations") or {}
        origin = yaml.safe_load(annotations.pop(ORIGIN, "")) or {}
        if not annotations:
            (body.get("metadata") or {}).pop("annotations", None)
        yield Object(body, _file(origin, folder))


def _file(origin: dict[str, Any], folder: Path) -> str:
    """Where a resource is written; of one that a generator made, the kustomization with the generator."""
    path = origin.get("path") or origin.get("configuredIn") or ""
    return os.path.relpath((folder / path).resolve(), ROOT) if path else ""


def written(objects: Sequence[Object]) -> str:
    """The stream that is kept in build/manifests/."""
    text: str = yaml.safe_dump_all([found.body for found in objects], sort_keys=False, width=1000)
    return text
