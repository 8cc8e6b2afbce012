"""Renderings for the tests of the manifests, each made once in a test run, and copies of them that may be broken."""

from __future__ import annotations

import copy
import functools
import tempfile
from pathlib import Path

from tools.manifest_rules.objects import Body, Bundle, Object
from tools.manifest_rules.rendering import ROOT, Rendering, render
from tools.manifests import OVERLAYS, schemas_folder

SCHEMAS_FOLDER = schemas_folder()


@functools.cache
def rendered(overlay: str, *components: str) -> Bundle:
    """An overlay with components switched on."""
    wish = Rendering(
        "+".join((overlay, *components)), OVERLAYS / overlay, components, strict=overlay != "local"
    )
    return made(wish)


def made(wish: Rendering) -> Bundle:
    """A rendering in a folder of its own inside build/, which is removed."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="manifests-") as folder:
        return render(wish, Path(folder))


def copied(bundle: Bundle) -> Bundle:
    """A bundle that may be changed without changing the one that others use."""
    objects = tuple(Object(copy.deepcopy(found.body), found.file) for found in bundle.objects)
    return Bundle(bundle.name, objects, bundle.strict)


def body(bundle: Bundle, kind: str, name: str) -> Body:
    """The object of a kind and name."""
    return next(found.body for found in bundle.of(kind) if found.name == name)


def predictor(bundle: Bundle, name: str = "main", deployment: str = "pedalflow") -> Body:
    """A predictor of a SeldonDeployment."""
    predictors = body(bundle, "SeldonDeployment", deployment)["spec"]["predictors"]
    return next(one for one in predictors if one["name"] == name)


def container(bundle: Bundle, name: str) -> Body:
    """A container of any pod, or an init container, by its name."""
    return next(one for pod in bundle.pods for one in pod.containers if one["name"] == name)
