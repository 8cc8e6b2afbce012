"""What Seldon's webhook and operator make of a SeldonDeployment, for the stand-in of a cluster: what is refused, and what pods say."""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema

from serving.cluster.deployment import ReleaseAt, annotations_of

NAMESPACE, NAME = "pedalflow-serving", "pedalflow"
ROOT = Path(__file__).parents[2]
Object = dict[str, Any]
_ANNOTATION_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[a-z0-9]([-\w.]{0,61}[a-z0-9])?",
    re.I,
)


class Fault(Exception):
    """An answer that is an error, with the reason that the API server gives."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


def seldon_deployment(main: ReleaseAt) -> Object:
    """The object of the manifests, cut to what matters here."""
    named = {"RELEASE_NAME": main.release, "RELEASE_CHECKSUM": main.checksum, "RELEASE_URI": main.uri}
    environment = [{"name": name, "value": value} for name, value in named.items()]
    predictor = {
        "name": "main",
        "traffic": 100,
        "replicas": 2,
        "labels": {"app.kubernetes.io/name": "pedalflow"},
        "graph": {
            "name": "outliers",
            "type": "TRANSFORMER",
            "children": [{"name": "predictor", "type": "MODEL"}],
        },
        "componentSpecs": [
            {
                "metadata": {"name": "graph", "annotations": annotations_of(main)},
                "hpaSpec": {"minReplicas": 2, "maxReplicas": 6},
                "spec": {
                    "initContainers": [{"name": "fetch", "image": "fetch", "env": environment}],
                    "containers": [{"name": "outliers", "image": "x"}, {"name": "predictor", "image": "x"}],
                },
            }
        ],
    }
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "annotations": {"kept": "as it is"},
            "resourceVersion": "100",
            "generation": 1,
        },
        "spec": {"predictors": [predictor]},
        "status": {},
    }


def template_annotations(one: Object, deployment: Object) -> dict[str, str]:
    """Those that Seldon's operator gives the first pod of a predictor. Raises Fault where the API server refuses such a Deployment.

    It copies the annotations of the object, the predictor and the component, and then, beside its executor, makes keys of the values of
    the predictor's.
    """
    own = one.get("annotations") or {}
    component = (one["componentSpecs"][0].get("metadata") or {}).get("annotations") or {}
    merged = {**(deployment["spec"].get("annotations") or {}), **own, **component}
    annotations = merged | {value: own.get(value, "") for value in own.values()}
    for key in annotations:
        if not _ANNOTATION_KEY.fullmatch(key):
            raise Fault(422, "Invalid", f'spec.template.annotations: Invalid value: "{key}"')
    return annotations


def check_admitted(body: Object) -> None:
    """Raises Fault where the schema or Seldon's webhook would refuse the object."""
    schema = _schema()
    if schema is not None:
        try:
            jsonschema.validate({**body, "status": body.get("status") or {}}, schema)
        except jsonschema.ValidationError as error:
            raise Fault(422, "Invalid", str(error.message)) from error
    routed = [one for one in body["spec"]["predictors"] if not one.get("shadow")]
    if len({one["name"] for one in routed}) != len(routed):
        raise Fault(422, "Invalid", "Duplicate predictor name")
    if len(routed) > 1 and sum(one.get("traffic", 0) for one in routed) != 100:
        raise Fault(422, "Invalid", "Traffic must sum to 100 for multiple predictors")
    if len(routed) == 1 and routed[0].get("traffic", 100) not in (0, 100):
        raise Fault(422, "Invalid", "Traffic must sum to 100 for a single predictor when set")


@lru_cache(maxsize=1)
def _schema() -> Object | None:
    """The published one, where `make manifests` finds it too; None where it is nowhere."""
    said = os.environ.get("PEDALFLOW_CRD_SCHEMAS")
    folders = [Path(said)] if said else [ROOT.parent / "shared" / "schemas", ROOT / "build" / "schemas"]
    for path in (folder / "SeldonDeployment.json" for folder in folders):
        if path.is_file():
            schema: Object = json.loads(path.read_text(encoding="utf-8"))
            return schema
    return None
