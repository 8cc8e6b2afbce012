"""The cluster's API as a rollout uses it: read the SeldonDeployment and its Deployments, and write the SeldonDeployment back.

A write is a replacement that carries the version that was read: the API server refuses it (409) where anybody has written meanwhile. So
nothing is overwritten that was not seen, and a write whose answer was lost is no riddle: whoever asked reads again and decides anew.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from pedalflow.errors import ServingFailed, SettingsError
from serving.cluster.availability import Pods, pods_with
from serving.cluster.deployment import (
    CHECKSUM,
    GROUP,
    PLURAL,
    RELEASE,
    VERSION,
    Object,
    ReleaseAt,
    annotations_of,
)
from serving.cluster.pace import Pace

FIELD_MANAGER = "pedalflow-rollout"
# (verb, group, resource) of every call that is made here, in the namespace of the SeldonDeployment: what a Role must allow.
CALLS = (
    ("get", GROUP, PLURAL),
    ("update", GROUP, PLURAL),
    ("list", "apps", "deployments"),
    ("patch", "apps", "deployments"),
    ("list", "apps", "statefulsets"),
    ("patch", "apps", "statefulsets"),
)
_OF_DEPLOYMENT = "seldon-deployment-id"  # Seldon's label on the Deployments that it makes
_KUBECONFIG = Path("~/.kube/config")
_CONNECT_S, _READ_S = 5.0, 15.0
_PASSING = frozenset((0, 408, 429, 500, 502, 503, 504))
_CONFLICT, _NOT_FOUND, _DENIED = 409, 404, (401, 403)


@dataclass(frozen=True)
class Seen:
    """What was read: the SeldonDeployment, and the Deployments that Seldon made of it."""

    deployment: Object
    deployments: tuple[Object, ...]


@dataclass(frozen=True)
class Follower:
    """A Deployment (`deployment`) or StatefulSet (`stateful_set`) whose pods name the release that they work with; those with it."""

    kind: str
    name: str
    release: str
    pods: Pods


def connect(context: str | None) -> client.ApiClient:
    """A client by the kubeconfig, or in a pod by its service account. Raises SettingsError where there is neither."""
    configuration = client.Configuration()
    try:
        _load(configuration, context)
    except ConfigException as error:
        raise SettingsError(
            f"no cluster is known ({error}); look at $KUBECONFIG and --context, or run it in a pod with a service account"
        ) from error
    configuration.retries = False  # they are made here, where it is known what may be repeated
    return client.ApiClient(configuration)


def _load(configuration: client.Configuration, context: str | None) -> None:
    named, usual = os.environ.get("KUBECONFIG"), _KUBECONFIG.expanduser()
    files = named or str(usual)
    if context or named or usual.exists():
        config.load_kube_config(files, context, configuration)
    else:
        config.load_incluster_config(configuration)


class Cluster:
    """One SeldonDeployment on a cluster. Everything raises ServingFailed once it has tried for long enough."""

    def __init__(self, api: client.ApiClient, namespace: str, name: str, pace: Pace) -> None:
        self.namespace, self.name, self.pace = namespace, name, pace
        self._custom, self._apps = client.CustomObjectsApi(api), client.AppsV1Api(api)
        self._failing: tuple[float, float] | None = None  # writes: since when, and last when

    def look(self) -> Seen:
        """The state of the cluster now."""
        deployment = self._patiently(self._get)
        made = self._listed("deployment", f"{_OF_DEPLOYMENT}={self.name}")
        return Seen(deployment, tuple(made["items"]))

    def followers(self) -> list[Follower]:
        """What serves beside the graph with the champion: the Deployments and StatefulSets whose pods name a release, but Seldon's own."""
        listed = [
            (kind, each) for kind in ("deployment", "stateful_set") for each in self._listed(kind)["items"]
        ]
        return [
            Follower(
                kind,
                each["metadata"]["name"],
                annotations[RELEASE],
                pods_with(each, annotations.get(CHECKSUM, "")),
            )
            for kind, each in listed
            if RELEASE in (annotations := each["spec"]["template"]["metadata"].get("annotations") or {})
            and _OF_DEPLOYMENT not in (each["metadata"].get("labels") or {})
        ]

    def point(self, follower: Follower, release: ReleaseAt) -> bool:
        """Let a follower take up a release, by new pods; False where nobody can tell whether this was done."""
        patch = {"spec": {"template": {"metadata": {"annotations": annotations_of(release)}}}}
        call = getattr(self._apps, f"patch_namespaced_{follower.kind}")
        return self._written(
            lambda: call(
                follower.name,
                self.namespace,
                patch,
                field_manager=FIELD_MANAGER,
                _request_timeout=(_CONNECT_S, _READ_S),
                _preload_content=False,
            )
        )

    def write(self, deployment: Object) -> bool:
        """Replace the object; False where it must be read again: somebody else wrote first, or nobody can tell whether this was done."""
        return self._written(
            lambda: self._custom.replace_namespaced_custom_object(
                *self._address,
                deployment,
                field_manager=FIELD_MANAGER,
                _request_timeout=(_CONNECT_S, _READ_S),
            )
        )

    def _written(self, call: Callable[[], Any]) -> bool:
        try:
            call()
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            if not _is(error, _CONFLICT):
                self._pause(error)
            return False
        self._failing = None
        return True

    @property
    def _address(self) -> tuple[str, str, str, str, str]:
        return GROUP, VERSION, self.namespace, PLURAL, self.name

    def _get(self) -> Any:
        return self._custom.get_namespaced_custom_object(
            *self._address, _request_timeout=(_CONNECT_S, _READ_S)
        )

    def _listed(self, kind: str, selector: str = "") -> Any:
        call = getattr(self._apps, f"list_namespaced_{kind}")
        return self._patiently(
            lambda: json.loads(
                call(
                    self.namespace,
                    label_selector=selector,
                    _request_timeout=(_CONNECT_S, _READ_S),
                    _preload_content=False,
                ).data
            )
        )

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """The answer to a call that changes nothing, however often it takes."""
        started, wait_s = time.monotonic(), self.pace.retry_s
        while True:
            try:
                return call()
            except (ApiException, urllib3.exceptions.HTTPError, ValueError) as error:
                self._check(error, time.monotonic() - started)
                time.sleep(_asked_to_wait(error) or wait_s)
                wait_s = min(2 * wait_s, self.pace.longest_retry_s)

    def _pause(self, error: Exception) -> None:
        """Before a write that failed is decided anew."""
        now = time.monotonic()
        since, last = self._failing or (now, now)
        since = now if now - last > self.pace.give_up_s else since
        self._failing = since, now
        self._check(error, now - since)
        time.sleep(_asked_to_wait(error) or self.pace.retry_s)

    def _check(self, error: Exception, failing_s: float) -> None:
        """Raises ServingFailed where trying again does not help, or has not for too long."""
        if isinstance(error, ApiException) and error.status not in _PASSING:
            raise ServingFailed(self._refusal(error)) from error
        if failing_s >= self.pace.give_up_s:
            raise ServingFailed(
                f"the API server does not answer as it should for {failing_s:.0f} s ({_said(error)}); the rollout stands as it is: "
                "the same command goes on where this one ended"
            ) from error

    def _refusal(self, error: ApiException) -> str:
        if error.status == _NOT_FOUND:
            return f"there is no SeldonDeployment {self.name} in the namespace {self.namespace}; look at --namespace and --context"
        if error.status in _DENIED:
            needed = ", ".join(f"{verb} {resource}" for verb, _, resource in CALLS)
            return f"the API server does not let you ({_said(error)}); a rollout needs: {needed} in {self.namespace}"
        return f"the API server refuses the change ({_said(error)}); nothing was changed by it"


def _is(error: Exception, status: int) -> bool:
    return isinstance(error, ApiException) and error.status == status


def _said(error: Exception) -> str:
    """The API server's own sentence, or that of the connection."""
    if not isinstance(error, ApiException):
        return f"{type(error).__name__}: {error}"[:300]
    try:
        return f"{error.status}: {json.loads(error.body)['message']}"[:300]
    except (ValueError, KeyError, TypeError):
        return f"{error.status} {error.reason}"


def _asked_to_wait(error: Exception) -> float | None:
    """Seconds that the API server asks for with a 429 or 503."""
    headers = error.headers if isinstance(error, ApiException) else None
    text = str((headers or {}).get("Retry-After", ""))
    return min(float(text), 60.0) if text.isdecimal() else None
