"""A stand-in for a cluster's API over real HTTP, with what a rollout asks of it: SeldonDeployments, Deployments, StatefulSets.

It keeps versions and answers 409 as the API server does, holds what is written against the published schema (where that is there) and
against the rules of Seldon's webhook, and does what Seldon's operator does: Deployments that come up after some looks, or never, a
routing that changes only once all of them are ready, and keys of annotations that are made of values, which no Deployment may have.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from serving.cluster.deployment import CHECKSUM, RELEASE, URI, ReleaseAt, annotations_of
from tests.samples.json_server import Asked, Told, json_server
from tests.samples.seldon_stand_in import (
    NAME,
    NAMESPACE,
    Fault,
    Object,
    check_admitted,
    seldon_deployment,
    template_annotations,
)

TOKEN = "a-token-that-must-not-be-said"
FINE, BREAK, BREAK_BEFORE = 200, 0, -1  # BREAK: do what was asked and close the connection without an answer
Call = tuple[str, str, str]


@dataclass
class Made:
    """A Deployment that the operator made of a predictor, by the annotations of its pods."""

    annotations: dict[str, str]
    generation: int = 1
    observed: int = 1
    looks_left: int = 0

    @property
    def checksum(self) -> str:
        """Of the release that it says."""
        return self.annotations.get(CHECKSUM, "")


@dataclass
class ClusterApi:
    """A cluster with one SeldonDeployment.

    Args:
        main: the release that serves.
        looks: after so many looks new pods are ready.
        stuck: names of followers whose new pods never are.
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
    stuck: set[str] = field(default_factory=set)
    failures: dict[int, int] = field(default_factory=dict)
    before_write: Callable[[ClusterApi], None] = lambda _: None
    at_call: Callable[[int], object] = lambda _: None
    calls: list[Call] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    history: list[Object] = field(default_factory=list)
    routed: dict[str, int] = field(default_factory=lambda: {"main": 100})
    made: dict[str, Made] = field(default_factory=dict)
    followers: dict[str, ReleaseAt] = field(default_factory=dict)
    coming: dict[str, int] = field(default_factory=dict)
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
                self.followers[name] = ReleaseAt(
                    annotations[RELEASE], annotations[CHECKSUM], annotations[URI]
                )
                self.coming[name] = self.looks
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
        try:
            wanted = {
                one["name"]: template_annotations(one, self.object)
                for one in self.object["spec"]["predictors"]
            }
        except Fault as refused:
            self._say("Failed", str(refused))
            return
        for name, given in wanted.items():
            one = self.made.get(name)
            if one is None:
                self.made[name] = Made(given, looks_left=0 if at_once else self.looks)
            elif one.annotations != given:
                one.annotations, one.generation, one.looks_left = given, one.generation + 1, self.looks
            elif one.looks_left and one.checksum not in self.broken | self.given_up:
                one.looks_left -= 1
                one.observed = one.generation
        ready = all(self.made[name].looks_left == 0 for name in wanted)
        if ready:
            traffic = {one["name"]: one.get("traffic", 100) for one in self.object["spec"]["predictors"]}
            self.routed = traffic
            self.made = {name: one for name, one in self.made.items() if name in wanted}
        self._say("Available" if ready else "Creating")

    def _say(self, state: str, description: str = "") -> None:
        status = {"state": state, **({"description": description} if description else {})}
        if self.object["status"] != status:
            self.object["status"] = status
            self._changed()

    def _listed(self, kind: str, selector: str) -> list[Object]:
        made = [_deployment(name, one, self) for name, one in self.made.items()]
        if selector:
            assert selector == f"seldon-deployment-id={NAME}", selector
            return made
        own = [name for name in self.followers if (name == "explainer") == (kind == "deployments")]
        return [*(made if kind == "deployments" else []), *(self._follower(kind, name) for name in own)]

    def _follower(self, kind: str, name: str) -> Object:
        """As it is shown, with its one pod, which ends before the next one starts."""
        template = {"metadata": {"annotations": annotations_of(self.followers[name])}}
        ready = not self.coming.get(name, 0)
        if not ready and name not in self.stuck:
            self.coming[name] -= 1
        status = {
            "observedGeneration": 1,
            "replicas": 1,
            "updatedReplicas": 1,
            "availableReplicas": int(ready),
        }
        spec = {"replicas": 1, "template": template}
        return {"kind": kind, "metadata": {"name": name, "generation": 1}, "spec": spec, "status": status}


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
    return {
        "kind": "Deployment",
        "metadata": {"name": f"{NAME}-{name}-0-graph", "labels": labels, "generation": one.generation},
        "spec": {
            "replicas": replicas,
            "template": {"metadata": {"labels": labels, "annotations": one.annotations}},
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
