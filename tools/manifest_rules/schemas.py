"""Validation against schemas: Kubernetes' own kinds with kubernetes-validate, the others with those of a folder (`make schemas`)."""

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

from tools.manifest_rules.objects import Bundle, Finding, Object

RULE = "schema"
VERSION = "1.34.0"  # the oldest Kubernetes that docs/cluster.md supports
# The schemas of the folder, by group and kind: what is not named after its kind alone.
FILES = {("serving.knative.dev", "Service"): "KnativeService.json"}
# Kinds of others whose schemas are not in the folder. Only what the rules below say of every object is checked.
WITHOUT_SCHEMA = {
    "monitoring.coreos.com/AlertmanagerConfig": "the Prometheus operator",
    "external-secrets.io": "External Secrets",
    "kubeflow.org": "Kubeflow's notebooks and profiles",
    "networking.istio.io": "Istio",
    "security.istio.io": "Istio",
    "bitnami.com": "Sealed Secrets",
    "cert-manager.io": "cert-manager",
    "snapshot.storage.k8s.io": "the snapshot controller",
    "gateway.networking.k8s.io": "Gateway API",
}
_OWN = ("apps", "batch", "autoscaling", "policy", "")


class SchemasMissing(Exception):
    """The folder with the schemas of custom kinds is not there."""


def check_schemas(bundle: Bundle, folder: Path) -> Iterator[Finding]:
    """What the schemas refuse. Raises SchemasMissing where the folder is not there."""
    if not folder.is_dir():
        raise SchemasMissing(
            f"{folder} does not exist: `make schemas` fetches the vendors' CRDs, or PEDALFLOW_CRD_SCHEMAS names a folder that has them"
        )
    for found in bundle.objects:
        says = _refused(found, folder)
        if says:
            yield found.finding(RULE, says)


def _refused(found: Object, folder: Path) -> str:
    group = found.api.rpartition("/")[0]
    body = without_nulls(found.body)
    if group in WITHOUT_SCHEMA or f"{group}/{found.kind}" in WITHOUT_SCHEMA:
        return ""
    if group in _OWN or group.endswith(".k8s.io"):
        return _refused_by_kubernetes(json.dumps(body, sort_keys=True))
    path = folder / FILES.get((group, found.kind), f"{found.kind}.json")
    if not path.exists():
        return f"there is no schema for {found.api} {found.kind}; add it to tools/schemas.py, or to WITHOUT_SCHEMA in {__name__}"
    error = best_match(_validator(path).iter_errors(body))
    return "" if error is None else f"{_place(error.absolute_path)}: {error.message}; mend the field"


@functools.cache  # most objects are the same in all variants, and each look costs the package a few megabytes of JSON
def _refused_by_kubernetes(text: str) -> str:
    body = json.loads(text)
    try:
        kubernetes_validate.validate(body, VERSION, strict=True)
    except ValidationError as error:
        return f"{_place(error.path)}: {error.message}; mend the field"
    except SchemaNotFoundError:
        return f"Kubernetes {VERSION} has no {body['apiVersion']} {body['kind']}; mend apiVersion or kind"
    return ""


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
