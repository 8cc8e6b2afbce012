"""A stand-in for a cluster's API over real HTTP, with what a rollout asks of it: SeldonDeployments, Deployments, StatefulSets.

It keeps versions and answers 409 as the API server does, holds what is written against the published schema (where that is there) and
against the rules of Seldon's webhook, and does what Seldon's operator does: Deployments that come up after some looks, or never, and a
routing that changes only once all of them are ready.
"""

from __future__ import annotations

import copy
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema

from serving.cluster.deployment import ReleaseAt, annotations_of, release_of
from tests.samples.json_server import Asked, Told, json_server

NAMESPACE, NAME = "pedalflow-serving", "pedalflow"
TOKEN = "a-token-that-must-not-be-said"
FINE, BREAK, BREAK_BEFORE = 200, 0, -1  # BREAK: do what was asked and close the connection without an answer
ROOT = Path(__file__).parents[2]
Object = dict[str, Any]
Call = tuple[str, str, str]


class Fault(Exception):
    """An answer that is an error, with the reason that the API server gives."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


@dataclass
class Made:
    """A Deployment that the operator made of a predictor."""

    checksum: str
    generation: int = 1
    observed: int = 1
    looks_left: int = 0


@dataclass
class ClusterApi:
    """A cluster with one SeldonDeployment.

    Args:
        main: the release that serves.
        looks: after so many looks new pods are ready.
        broken: checksums of releases whose pods never are.
        given_up: those of them on which Kubernetes gives up.
        failures: by number of the call, beginning with 1: a status, BREAK or BREAK_BEFORE.
        before_write: is told of every write before it is looked at, to change something first.
        at_call: is told the number of every call once it is done, before it is answered.
    """

    main: ReleaseAt
    looks: int = 2
    broken: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)
    failures: dict[int, int] = field(default_factory=dict)
    before_write: Callable[[ClusterApi], None] = lambda _: None
    at_call: Callable[[int], object] = lambda _: None
    calls: list[Call] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    history: list[Object] = field(default_factory=list)
    routed: dict[str, int] = field(default_factory=lambda: {"main": 100})
    made: dict[str, Made] = field(default_factory=dict)
    followers: dict[str, ReleaseAt] = field(default_factory=dict)
    object: Object = field(default_factory=dict)
    _turn: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.object = seldon_deployment(self.main)
        self.followers = dict.fromkeys(("drift", "collector", "explainer"), self.main)
        self._default()
        self._reconcile(at_once=True)
        self.history.append(copy.deepcopy(self.object))

    def edit(self, change: Callable[[Object], None]) -> None:
        """What somebody else does to the object."""
        with self._turn:
            change(self.object)
            self._changed(generation=True)

    def answer(self, asked: Asked) -> Told | None:
        """What a request is answered with; None closes the connection."""
        with self._turn:
            parts = [part for part in asked.path.split("/") if part]
            self.calls.append(_call(asked.method, parts))
            number = len(self.calls)
            failure = self.failures.get(number, FINE)
            if failure == BREAK_BEFORE:
                return None
            self.tokens.add(asked.headers.get("authorization", ""))
            try:
                if failure >= 400:
                    raise Fault(failure, "InternalError", "a failure that the test asked for")
                told = Told(self._routed_to(asked, parts))
            except Fault as fault:
                told = _status(fault)
            self.at_call(number)
            return None if failure == BREAK else told

    def _routed_to(self, asked: Asked, parts: list[str]) -> Object:
        match (asked.method, *parts):
            case (
                "GET",
                "apis",
                "machinelearning.seldon.io",
                "v1",
                "namespaces",
                _,
                "seldondeployments",
                name,
            ):
                self._check_name(parts[4], name)
                self._reconcile()
                return copy.deepcopy(self.object)
            case (
                "PUT",
                "apis",
                "machinelearning.seldon.io",
                "v1",
                "namespaces",
                _,
                "seldondeployments",
                name,
            ):
                self._check_name(parts[4], name)
                self.before_write(self)
                return self._replace(asked.body)
            case ("GET", "apis", "apps", "v1", "namespaces", _, kind):
                return {"kind": "List", "items": self._listed(kind, asked.query.get("labelSelector", ""))}
            case ("PATCH", "apis", "apps", "v1", "namespaces", _, kind, name):
                annotations = asked.body["spec"]["template"]["metadata"]["annotations"]
                self.followers[name] = release_of({"name": name, "annotations": annotations})
                return self._follower(kind, name)
        raise Fault(404, "NotFound", f"{asked.method} {asked.path} is not there")

    def _check_name(self, namespace: str, name: str) -> None:
        if (namespace, name) != (NAMESPACE, NAME):
            raise Fault(404, "NotFound", f'seldondeployments.machinelearning.seldon.io "{name}" not found')

    def _replace(self, body: Object) -> Object:
        if body["metadata"].get("resourceVersion") != self.object["metadata"]["resourceVersion"]:
            raise Fault(
                409,
                "Conflict",
                "the object has been modified; please apply your changes to the latest version",
            )
        check_admitted(body)
        changed = body["spec"] != self.object["spec"]
        self.object = {**copy.deepcopy(body), "status": self.object["status"]}
        self._default()
        self._changed(generation=changed)
        self.history.append(copy.deepcopy(self.object))
        return copy.deepcopy(self.object)

    def _changed(self, generation: bool = False) -> None:
        metadata = self.object["metadata"]
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
        metadata["generation"] += generation

    def _default(self) -> None:
        """What Seldon's webhook adds."""
        for one in self.object["spec"]["predictors"]:
            one["labels"] = {"version": one["name"], **one.get("labels", {})}

    def _reconcile(self, at_once: bool = False) -> None:
        """What Seldon's operator does between two looks."""
        wanted = {one["name"]: release_of(one).checksum for one in self.object["spec"]["predictors"]}
        for name, checksum in wanted.items():
            one = self.made.get(name)
            if one is None:
                self.made[name] = Made(checksum, looks_left=0 if at_once else self.looks)
            elif one.checksum != checksum:
                one.checksum, one.generation, one.looks_left = checksum, one.generation + 1, self.looks
            elif one.looks_left and checksum not in self.broken | self.given_up:
                one.looks_left -= 1
                one.observed = one.generation
        ready = all(self.made[name].looks_left == 0 for name in wanted)
        if ready:
            traffic = {one["name"]: one.get("traffic", 100) for one in self.object["spec"]["predictors"]}
            self.routed = traffic
            self.made = {name: one for name, one in self.made.items() if name in wanted}
        state = "Available" if ready else "Creating"
        if self.object["status"].get("state") != state:
            self.object["status"]["state"] = state
            self._changed()

    def _listed(self, kind: str, selector: str) -> list[Object]:
        made = [_deployment(name, one, self) for name, one in self.made.items()]
        if selector:
            assert selector == f"seldon-deployment-id={NAME}", selector
            return made
        own = [name for name in self.followers if (name == "explainer") == (kind == "deployments")]
        return [*(made if kind == "deployments" else []), *(self._follower(kind, name) for name in own)]

    def _follower(self, kind: str, name: str) -> Object:
        template = {"metadata": {"annotations": annotations_of(self.followers[name])}}
        return {"kind": kind, "metadata": {"name": name}, "spec": {"template": template}}


def seldon_deployment(main: ReleaseAt) -> Object:
    """The object of the manifests, cut to what matters here."""
    named = {"RELEASE_NAME": main.release, "RELEASE_CHECKSUM": main.checksum, "RELEASE_URI": main.uri}
    environment = [{"name": name, "value": value} for name, value in named.items()]
    predictor = {
        "name": "main",
        "traffic": 100,
        "replicas": 2,
        "annotations": annotations_of(main),
        "labels": {"app.kubernetes.io/name": "pedalflow"},
        "graph": {
            "name": "outliers",
            "type": "TRANSFORMER",
            "children": [{"name": "predictor", "type": "MODEL"}],
        },
        "componentSpecs": [
            {
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


def _deployment(name: str, one: Made, cluster: ClusterApi) -> Object:
    """As Kubernetes shows it: while new pods come up, the old ones are there."""
    ready, replicas = one.looks_left == 0, 2
    old = 0 if ready or one.generation == 1 else replicas
    status: Object = {
        "observedGeneration": one.observed,
        "replicas": old + replicas,
        "updatedReplicas": replicas,
        "availableReplicas": old + (replicas if ready else 0),
    }
    if one.checksum in cluster.given_up:
        message = 'ReplicaSet "pedalflow" has timed out progressing.'
        status["conditions"] = [{"type": "Progressing", "status": "False", "message": message}]
    labels = {"seldon-deployment-id": NAME, "version": name}
    annotations = {"pedalflow.dev/release-checksum": one.checksum}
    return {
        "kind": "Deployment",
        "metadata": {"name": f"{NAME}-{name}-0-graph", "labels": labels, "generation": one.generation},
        "spec": {
            "replicas": replicas,
            "template": {"metadata": {"labels": labels, "annotations": annotations}},
        },
        "status": status,
    }


_VERBS = {"PUT": "update", "PATCH": "patch", "POST": "create", "DELETE": "delete"}


def _call(method: str, parts: list[str]) -> Call:
    """Verb, group and resource (with its subresource) of a request, as a Role names them."""
    group, names = parts[1], parts[5:]
    verb = _VERBS.get(method) or ("get" if len(names) > 1 else "list")
    return verb, group, "/".join((names[0], *names[2:]))


def _status(fault: Fault) -> Told:
    content = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": str(fault),
        "reason": fault.reason,
        "code": fault.status,
    }
    return Told(content, fault.status)


@contextmanager
def kubernetes_api(cluster: ClusterApi, folder: Path) -> Iterator[Path]:
    """Serves the cluster and gives a kubeconfig that leads to it."""
    with json_server(cluster.answer) as address:
        named = {
            "clusters": [{"name": "c", "cluster": {"server": address}}],
            "users": [{"name": "u", "user": {"token": TOKEN}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "x", **named}))
        yield path
