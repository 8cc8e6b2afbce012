"""The objects of one rendering, and what a cluster makes of them: pods, and the Services that Seldon's operator adds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

Body = dict[str, Any]

ORIGIN = "config.kubernetes.io/origin"
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
CLUSTER_SCOPED = frozenset(
    (
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterSecretStore",
        "CustomResourceDefinition",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "Namespace",
        "PersistentVolume",
        "PriorityClass",
        "Profile",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    )
)
ALWAYS_ON = frozenset(("Deployment", "StatefulSet", "DaemonSet", "SeldonDeployment"))
EXECUTOR = "seldon-container-engine"
_JUPYTER = (
    {"name": "notebook-port", "containerPort": 8888},
)  # Kubeflow's controller adds it, and the Notebook's own labels


@dataclass(frozen=True)
class Finding:
    """What is wrong with an object: the rule's name, the object, the file it comes from, and a sentence that says what to do."""

    rule: str
    object: str
    file: str
    says: str


@dataclass(frozen=True)
class Object:
    """One rendered object. `generated` ones are not in the rendering: an operator makes them."""

    body: Body
    file: str = ""
    generated: bool = False

    @property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @property
    def api(self) -> str:
        return str(self.body.get("apiVersion", ""))

    @property
    def metadata(self) -> Body:
        return self.body.get("metadata") or {}

    @property
    def name(self) -> str:
        return str(self.metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        return str(self.metadata.get("namespace", ""))

    @property
    def spec(self) -> Body:
        return self.body.get("spec") or {}

    @property
    def labels(self) -> Mapping[str, str]:
        return self.metadata.get("labels") or {}

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"

    def finding(self, rule: str, says: str) -> Finding:
        return Finding(rule, str(self), self.file, says)


@dataclass(frozen=True)
class Pod:
    """A pod template: whose it is, its labels and annotations, its spec, and what its operator adds to it."""

    owner: Object
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Body
    added: tuple[Body, ...] = ()
    added_ports: tuple[Body, ...] = ()
    security: Body = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return self.owner.namespace

    @property
    def containers(self) -> list[Body]:
        """Those that the manifest writes, init containers first."""
        return [*(self.spec.get("initContainers") or []), *(self.spec.get("containers") or [])]

    @property
    def ports(self) -> list[Body]:
        """The container ports, also of what an operator adds."""
        running = [*(self.spec.get("containers") or []), *self.added]
        return [*(port for container in running for port in container.get("ports") or []), *self.added_ports]

    def has_port(self, port: object) -> bool:
        """Whether a container listens on the port, by number or by name."""
        return any(port in (known.get("containerPort"), known.get("name")) for known in self.ports)


@dataclass(frozen=True)
class Bundle:
    """Everything that one `kubectl apply -k` would send. `strict` where it is for staging or production."""

    name: str
    objects: tuple[Object, ...]
    strict: bool = True

    def of(self, *kinds: str) -> Iterator[Object]:
        return (found for found in self.objects if found.kind in kinds)

    def has(self, kind: str, namespace: str, name: str) -> bool:
        return any(found.name == name and found.namespace == namespace for found in self.of(kind))

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        return tuple(pod for found in self.objects for pod in pods_of(found))

    @cached_property
    def services(self) -> tuple[Object, ...]:
        """Services, those included that Seldon's operator makes for predictors."""
        made = (service for found in self.of("SeldonDeployment") for service in _predictor_services(found))
        return (*self.of("Service"), *made)

    @cached_property
    def namespaces(self) -> Mapping[str, Mapping[str, str]]:
        """The labels of the namespaces that the bundle makes or uses."""
        used = {
            found.namespace: {NAMESPACE_LABEL: found.namespace} for found in self.objects if found.namespace
        }
        made = {found.name: {NAMESPACE_LABEL: found.name, **found.labels} for found in self.of("Namespace")}
        return used | made


def pods_of(owner: Object) -> Iterator[Pod]:
    """The pod templates that an object holds."""
    spec = owner.spec
    if owner.kind in ("Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet"):
        yield _pod(owner, spec.get("template") or {})
    elif owner.kind == "CronJob":
        yield _pod(owner, ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template") or {})
    elif owner.kind == "Notebook":
        yield _pod(owner, spec.get("template") or {}, {"notebook-name": owner.name, **owner.labels}, _JUPYTER)
    elif owner.kind == "Pod":
        yield _pod(owner, owner.body)
    elif owner.kind == "SeldonDeployment":
        for predictor in spec.get("predictors") or []:
            yield from _pods_of_predictor(owner, predictor)


def _pod(
    owner: Object, template: Body, labels: Mapping[str, str] | None = None, ports: tuple[Body, ...] = ()
) -> Pod:
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    return Pod(
        owner,
        {**(metadata.get("labels") or {}), **(labels or {})},
        metadata.get("annotations") or {},
        spec,
        added_ports=ports,
        security=spec.get("securityContext") or {},
    )


def _pods_of_predictor(owner: Object, predictor: Body) -> Iterator[Pod]:
    """As Seldon's operator makes them: its labels and annotations, its executor in the first pod, its security context for ours."""
    for number, component in enumerate(predictor.get("componentSpecs") or []):
        metadata, spec = component.get("metadata") or {}, component.get("spec") or {}
        labels = {
            "seldon-deployment-id": owner.name,
            "seldon-app": predictor_key(owner, predictor),
            "app": f"{predictor_key(owner, predictor)}-{number}-{metadata.get('name', '')}",
            "version": predictor.get("name", ""),
            "app.kubernetes.io/managed-by": "seldon-core",
            **(predictor.get("labels") or {}),
            **(metadata.get("labels") or {}),
        }
        annotations = {**(predictor.get("annotations") or {}), **(metadata.get("annotations") or {})}
        yield Pod(owner, labels, annotations, spec, added=() if number else (_executor(predictor),))


def predictor_key(owner: Object, predictor: Body) -> str:
    """The name of a predictor's Service, and the label `seldon-app` of its pods."""
    return f"{owner.name}-{predictor.get('name', '')}"


def _executor(predictor: Body) -> Body:
    return {
        "name": EXECUTOR,
        "securityContext": {"runAsUser": 8888, "allowPrivilegeEscalation": False},  # nothing else can be had
        "resources": (predictor.get("svcOrchSpec") or {}).get("resources") or {},
        "ports": [
            {"name": "http", "containerPort": 8000},
            {"name": "metrics", "containerPort": 8000},
            {"name": "grpc", "containerPort": 5001},
        ],
    }


def _predictor_services(owner: Object) -> Iterator[Object]:
    for predictor in owner.spec.get("predictors") or []:
        key = predictor_key(owner, predictor)
        labels = {
            "seldon-app": key,
            "seldon-deployment-id": owner.name,
            "app.kubernetes.io/managed-by": "seldon-core",
        }
        ports = [
            {"name": "http", "port": 8000, "targetPort": 8000},
            {"name": "grpc", "port": 5001, "targetPort": 5001},
        ]
        yield Object(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": key, "namespace": owner.namespace, "labels": labels},
                "spec": {"selector": {"seldon-app": key}, "ports": ports},
            },
            owner.file,
            generated=True,
        )


def selects(selector: Body | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector (`matchLabels`, `matchExpressions`) takes these labels; an empty one takes all."""
    selector = selector or {}
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_matches(expression, labels) for expression in selector.get("matchExpressions") or [])


_OPERATORS: Mapping[str, Callable[[str | None, list[str]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, values: value is not None,
    "DoesNotExist": lambda value, values: value is None,
}


def _matches(expression: Body, labels: Mapping[str, str]) -> bool:
    return _OPERATORS[expression["operator"]](labels.get(expression["key"]), expression.get("values") or [])


def strings(value: object) -> Iterator[str]:
    """Every text inside a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
