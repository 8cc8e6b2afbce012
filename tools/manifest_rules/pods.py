"""How a pod has to be written: images, resources, probes, and the Pod Security Standard "restricted"."""

from __future__ import annotations

from collections.abc import Iterator

from tools.manifest_rules.admission import admitted
from tools.manifest_rules.expected import EXTERNAL
from tools.manifest_rules.objects import ALWAYS_ON, Body, Bundle, Finding, Pod

OUR_IMAGES = "pedalflow-"
ENFORCE = "pod-security.kubernetes.io/enforce"
NEEDED = (("requests", "cpu"), ("requests", "memory"), ("limits", "memory"))
VOLUMES = frozenset(
    (
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
)
# Containers that write to their root file system, and why they may.
WRITABLE = {("Notebook", "pedalflow"): "people install packages into it"}


def _containers(bundle: Bundle) -> Iterator[tuple[Pod, Body]]:
    return ((pod, container) for pod in bundle.pods for container in pod.containers)


def image_pinned(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for pod, container in _containers(bundle):
        image = container.get("image", "")
        name, _, digest = image.partition("@")
        tag = name.rpartition("/")[2].partition(":")[2]
        ours = name.rpartition("/")[2].startswith(OUR_IMAGES)
        if tag == "latest" or not (tag or digest):
            yield pod.owner.finding(
                rule,
                f"container {container['name']}: image {image!r} may be another one tomorrow; give a version or a digest",
            )
        elif bundle.strict and ours and not digest:
            yield pod.owner.finding(
                rule,
                f"container {container['name']}: image {image!r} has no digest; set that of build/images.json",
            )


def resources(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for pod in bundle.pods:
        for container in (*pod.containers, *pod.added):
            given = container.get("resources") or {}
            missing = [f"{kind}.{what}" for kind, what in NEEDED if what not in (given.get(kind) or {})]
            if missing:
                yield pod.owner.finding(
                    rule, f"container {container['name']} has no {', '.join(missing)}; give them"
                )


def probes(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for pod in bundle.pods:
        if pod.owner.kind in ALWAYS_ON:
            for container in pod.spec.get("containers") or []:
                for says in _wrong_probes(container):
                    yield pod.owner.finding(rule, f"container {container['name']}: {says}")


def _wrong_probes(container: Body) -> Iterator[str]:
    known = [port.get(key) for port in container.get("ports") or [] for key in ("name", "containerPort")]
    for name in ("readinessProbe", "livenessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is None:
            if name != "startupProbe":
                yield f"there is no {name}; add one"
            continue
        asked = probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}
        if asked and asked.get("port") not in known:
            yield f"the {name} asks port {asked.get('port')}, but the container has {known}; name one of these"
        if asked.get("path") == "/health/status":
            yield f"the {name} asks /health/status, which computes all metrics each time; ask /health/ping"


def restricted(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for pod in bundle.pods:
        for says in _wrong_pod(pod.spec):
            yield pod.owner.finding(rule, says)
    for pod, container in _containers(bundle):
        own = container.get("securityContext") or {}
        writable = (pod.owner.kind, container["name"]) in WRITABLE
        for says in _wrong_container({**pod.security, **own}, own, writable):
            yield pod.owner.finding(rule, f"container {container['name']}: {says}")
    yield from _added(rule, bundle)


def _added(rule: str, bundle: Bundle) -> Iterator[Finding]:
    """What operators add, where the namespace refuses pods that do not keep to the standard; it says nothing of the root file system."""
    for pod in bundle.pods:
        for container in pod.added if _refuses(bundle, pod.namespace) else ():
            own = admitted(bundle, pod.namespace, container).get("securityContext") or {}
            for says in _wrong_container(own, own, writable=True):
                yield pod.owner.finding(
                    rule,
                    f"container {container['name']}, which an operator adds, is refused in {pod.namespace}: {says}, by a "
                    "MutatingAdmissionPolicy",
                )


def _refuses(bundle: Bundle, namespace: str) -> bool:
    return bundle.namespaces[namespace].get(ENFORCE) == "restricted"


def _wrong_pod(spec: Body) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield f"{name} is on; leave it out"
    for volume in spec.get("volumes") or []:
        for kind in set(volume) - VOLUMES - {"name"}:
            yield f"volume {volume['name']} is a {kind}, which the standard refuses; use one of {', '.join(sorted(VOLUMES))}"
    for container in spec.get("containers") or []:
        if any(port.get("hostPort") for port in container.get("ports") or []):
            yield f"container {container['name']} takes a port of the node; leave hostPort out"


def _wrong_container(together: Body, own: Body, writable: bool) -> Iterator[str]:
    if together.get("runAsNonRoot") is not True or together.get("runAsUser") == 0:
        yield "it may run as root; set runAsNonRoot: true"
    if (together.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "it has no seccomp profile; set seccompProfile: {type: RuntimeDefault}"
    if own.get("privileged") or own.get("allowPrivilegeEscalation") is not False:
        yield "it may get more rights than it starts with; set allowPrivilegeEscalation: false"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or []) or set(capabilities.get("add") or []) - {
        "NET_BIND_SERVICE"
    }:
        yield "it keeps capabilities; set capabilities: {drop: [ALL]}"
    if own.get("readOnlyRootFilesystem") is not True and not writable:
        yield "its root file system can be written; set readOnlyRootFilesystem: true, and mount an emptyDir where it has to write"


def service_account(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for pod in bundle.pods:
        if not pod.spec.get("serviceAccountName"):
            yield pod.owner.finding(
                rule, "it runs as the namespace's default ServiceAccount; give it one of its own"
            )
        if pod.spec.get("automountServiceAccountToken") is not False and not _asks_api_server(bundle, pod):
            yield pod.owner.finding(
                rule,
                "it carries a token of the API server that no RoleBinding gives rights to; set automountServiceAccountToken: false",
            )


def _asks_api_server(bundle: Bundle, pod: Pod) -> bool:
    name = pod.spec.get("serviceAccountName")
    if ("ServiceAccount", pod.namespace, name) in EXTERNAL:
        return True  # whoever makes it gives it its rights
    return any(
        subject.get("name") == name and subject.get("namespace", pod.namespace) == pod.namespace
        for binding in bundle.of("RoleBinding", "ClusterRoleBinding")
        for subject in binding.body.get("subjects") or []
    )
