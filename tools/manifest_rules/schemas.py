"""Validation of every object, strictly, by whoever knows its kind.

Kubernetes' own kinds are held against kubernetes-validate, those of others against JSON schemas in a folder (`make schemas`), against the
models that npm has (`models`), or, Kubeflow's, against what is written down in `kubeflow`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match
from kubernetes_validate.utils import SchemaNotFoundError, ValidationError

from tools.manifest_rules import kubeflow, models
from tools.manifest_rules.objects import Body, Bundle, Finding, Object

RULE = "schema"
VERSION = "1.34.0"  # the oldest Kubernetes that docs/cluster.md supports
# Kinds of components that ask for a newer one.
SINCE = {"MutatingAdmissionPolicy": "1.36.0", "MutatingAdmissionPolicyBinding": "1.36.0"}
# The schemas of the folder, by group and kind: what is not named after its kind alone.
FILES = {("serving.knative.dev", "Service"): "KnativeService.json"}
_OWN = ("apps", "batch", "autoscaling", "policy", "")
_KUBEFLOW = "kubeflow.org"


def check_schemas(bundle: Bundle, folder: Path) -> Iterator[Finding]:
    """What schemas refuse. Kinds whose schemas are not on this machine are passed over; `missing_schemas` says which."""
    for found in bundle.objects:
        if says := _refused(found, folder):
            yield found.finding(RULE, says)
    if models.installed():
        modelled = [
            Object(without_nulls(found.body), found.file)
            for found in bundle.objects
            if models.package_of(found)
        ]
        for found, says in models.refused(modelled):
            yield found.finding(RULE, f"{says}; mend the field")


def missing_schemas(folder: Path) -> list[str]:
    """What cannot be judged here, with what brings it."""
    sentences = []
    if not folder.is_dir():
        sentences.append(
            f"{folder} does not exist, so kinds of Seldon, Knative and Prometheus were held to the rules only: `make schemas` "
            "fetches the vendors' CRDs, or PEDALFLOW_CRD_SCHEMAS names a folder that has them"
        )
    if not models.installed():
        sentences.append(
            f"there are no models in {models.MODULES}, so kinds of {', '.join(models.PACKAGES)} were held to the rules only: "
            '`make setup ENVIRONMENTS="delivery"` brings them'
        )
    return sentences


def _refused(found: Object, folder: Path) -> str:
    """What is wrong with an object by any schema but those of `models`."""
    group = found.api.rpartition("/")[0]
    body = without_nulls(found.body)
    if models.package_of(found):
        return ""
    if group in _OWN or group.endswith(".k8s.io"):
        return _refused_by_kubernetes(json.dumps(body, sort_keys=True), SINCE.get(found.kind, VERSION))
    if group == _KUBEFLOW:
        return _refused_by_kubeflow(body)
    return _refused_by_folder(found, body, folder) if folder.is_dir() else ""


@functools.cache  # most objects are the same in all variants, and each look costs the package a few megabytes of JSON
def _refused_by_kubernetes(text: str, version: str = VERSION) -> str:
    body = json.loads(text)
    try:
        kubernetes_validate.validate(body, version, strict=True)
    except ValidationError as error:
        return f"{_place(error.path)}: {error.message}; mend the field"
    except SchemaNotFoundError:
        return f"Kubernetes {version} has no {body['apiVersion']} {body['kind']}; mend apiVersion or kind"
    return ""


def _refused_by_kubeflow(body: Body) -> str:
    if body["kind"] not in kubeflow.SHAPES:
        return f"Kubeflow's {body['kind']} is not written down; add it to SHAPES in {kubeflow.__name__}"
    return _refused_by(Draft7Validator(kubeflow.SHAPES[body["kind"]]), body) or _refused_by_kubernetes(
        json.dumps(kubeflow.inside(body), sort_keys=True)
    )


def _refused_by_folder(found: Object, body: Body, folder: Path) -> str:
    path = folder / FILES.get((found.api.rpartition("/")[0], found.kind), f"{found.kind}.json")
    if not path.exists():
        return f"there is no schema for {found.api} {found.kind}; add it to tools/schemas.py, or to PACKAGES in {models.__name__}"
    return _refused_by(_validator(path), body)


def _refused_by(validator: Draft7Validator, body: Body) -> str:
    error = best_match(validator.iter_errors(body))
    return "" if error is None else f"{_place(error.absolute_path)}: {error.message}; mend the field"


@functools.cache
def _validator(path: Path) -> Draft7Validator:
    return Draft7Validator(json.loads(path.read_text(encoding="utf-8")))


def _place(path: Any) -> str:
    return ".".join(str(part) for part in path) or "the object"


def without_nulls(value: Any) -> Any:
    """The value as an API server takes it: a field that is null is no field."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value
