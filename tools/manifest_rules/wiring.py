"""Whether what refers to something finds it: selectors, ports, addresses, ConfigMaps, Secrets, claims, accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tools.manifest_rules.expected import BY_HAND, EXTERNAL, EXTERNAL_SERVICES, SOMETIMES
from tools.manifest_rules.objects import Body, Bundle, Finding, Object, Pod, selects, strings

_ADDRESS = re.compile(r"\b([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?:\.cluster\.local)?(?::(\d+))?(?=[/\"'\s,}]|$)")


def service_selects(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found in bundle.of("Service"):
        selector = found.spec.get("selector")
        if not selector or found.spec.get("type") == "ExternalName":
            continue
        pods = _pods(bundle, found.namespace, {"matchLabels": selector})
        if not pods:
            yield found.finding(
                rule, f"no pod of {found.namespace} has the labels {selector}; mend the selector"
            )
        for port in found.spec.get("ports") or [] if pods else []:
            target = port.get("targetPort", port.get("port"))
            if not any(pod.has_port(target) for pod in pods):
                yield found.finding(rule, f"none of its pods listens on port {target}; mend targetPort")


def _pods(bundle: Bundle, namespace: str, selector: Body | None) -> list[Pod]:
    return [pod for pod in bundle.pods if pod.namespace == namespace and selects(selector, pod.labels)]


def policy_selects(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found in bundle.of("NetworkPolicy"):
        selector = found.spec.get("podSelector")
        pods = _pods(bundle, found.namespace, selector)
        if selector and not pods:
            yield found.finding(rule, f"it selects no pod of {found.namespace}; mend podSelector")
            continue
        for way in found.spec.get("ingress") or [] if selector else []:
            for port in way.get("ports") or []:
                if not any(pod.has_port(port.get("port")) for pod in pods):
                    yield found.finding(
                        rule, f"none of its pods listens on port {port.get('port')}; mend the port"
                    )
        yield from _peers(rule, bundle, found)


def _peers(rule: str, bundle: Bundle, policy: Object) -> Iterator[Finding]:
    """Pods that a policy names on the other side, where the bundle knows the whole namespace they are in."""
    ways = [("from", way) for way in policy.spec.get("ingress") or []]
    ways += [("to", way) for way in policy.spec.get("egress") or []]
    for side, way in ways:
        for peer in way.get(side) or []:
            if "podSelector" not in peer:
                continue
            spaces = _namespaces(bundle, policy, peer.get("namespaceSelector"))
            pods = [pod for space in spaces for pod in _pods(bundle, space, peer["podSelector"])]
            if spaces and not pods and not SOMETIMES & set(strings(peer["podSelector"])):
                yield policy.finding(
                    rule,
                    f"the pods {peer['podSelector']} that it names under `{side}` are not in {', '.join(spaces)}; mend the selector",
                )
            for port in (way.get("ports") or []) if side == "to" and pods else []:
                if not any(pod.has_port(port.get("port")) for pod in pods):
                    yield policy.finding(
                        rule,
                        f"the pods {peer['podSelector']} do not listen on port {port.get('port')}; mend the port",
                    )


def _namespaces(bundle: Bundle, policy: Object, selector: Body | None) -> list[str]:
    if selector is None:
        return [policy.namespace]
    made = {found.name for found in bundle.of("Namespace")}  # of others the bundle does not know all pods
    return [name for name, labels in bundle.namespaces.items() if name in made and selects(selector, labels)]


def budget_selects(rule: str, bundle: Bundle) -> Iterator[Finding]:
    seen: dict[tuple[str, str], str] = {}
    for found in bundle.of("PodDisruptionBudget"):
        pods = _pods(bundle, found.namespace, found.spec.get("selector"))
        if not pods:
            yield found.finding(rule, f"it selects no pod of {found.namespace}; mend the selector")
        for pod in pods:
            key = (str(pod.owner), str(sorted(pod.labels.items())))
            if seen.setdefault(key, found.name) != found.name:
                yield found.finding(
                    rule,
                    f"{pod.owner} has the budget {seen[key]} already, and with two none of its pods can be evicted; leave one",
                )


def monitor_selects(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found in bundle.of("ServiceMonitor"):
        services = [
            service
            for service in bundle.services
            if service.namespace in _monitored(found) and selects(found.spec.get("selector"), service.labels)
        ]
        names = {port.get("name") for service in services for port in service.spec.get("ports") or []}
        yield from _scraped(rule, found, "Service", bool(services), names, found.spec.get("endpoints") or [])
    for found in bundle.of("PodMonitor"):
        pods = [
            pod for space in _monitored(found) for pod in _pods(bundle, space, found.spec.get("selector"))
        ]
        names = {port.get("name") for pod in pods for port in pod.ports}
        yield from _scraped(
            rule, found, "pod", bool(pods), names, found.spec.get("podMetricsEndpoints") or []
        )


def _monitored(monitor: Object) -> list[str]:
    return (monitor.spec.get("namespaceSelector") or {}).get("matchNames") or [monitor.namespace]


def _scraped(
    rule: str, monitor: Object, what: str, some: bool, names: set[object], endpoints: list[Body]
) -> Iterator[Finding]:
    if not some:
        yield monitor.finding(
            rule,
            f"it selects no {what} in {', '.join(_monitored(monitor))}; mend selector or namespaceSelector",
        )
        return
    for endpoint in endpoints:
        if endpoint.get("port") not in names:
            yield monitor.finding(
                rule,
                f"no {what} that it selects has a port called {endpoint.get('port')} (there are {sorted(map(str, names))}); name one",
            )


def address_exists(rule: str, bundle: Bundle) -> Iterator[Finding]:
    """Every address in the cluster that stands anywhere in an object is a Service, and has the port."""
    for found in bundle.objects:
        if found.kind in ("PrometheusRule", "NetworkPolicy", "CustomResourceDefinition"):
            continue
        asked = {match.groups() for text in strings(found.body) for match in _ADDRESS.finditer(text)}
        for name, namespace, port in sorted(asked, key=str):
            says = _wrong_address(bundle, name, namespace, port)
            if says:
                yield found.finding(rule, f"{name}.{namespace}{':' + port if port else ''}: {says}")


def _wrong_address(bundle: Bundle, name: str, namespace: str, port: str | None) -> str:
    if (namespace, name) in EXTERNAL_SERVICES:
        return ""
    service = next((one for one in bundle.services if (one.namespace, one.name) == (namespace, name)), None)
    if service is None:
        return "there is no such Service; mend the address, or list in tools/manifest_rules/expected.py whose it is"
    ports = [known.get("port") for known in service.spec.get("ports") or []]
    if int(port or 80) not in ports and (port or 443 not in ports):
        return f"the Service has the ports {ports}; ask one of them"
    return ""


def reference_exists(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for pod in bundle.pods:
        for says in sorted(
            {_wrong_reference(bundle, pod, *reference) for reference in _references(pod)} - {""}
        ):
            yield pod.owner.finding(rule, says)
    for found in bundle.of("RoleBinding", "ClusterRoleBinding"):
        yield from _binding(rule, bundle, found)
    for found in bundle.of("Trigger"):
        reference = (found.spec.get("subscriber") or {}).get("ref") or {}
        space = reference.get("namespace", found.namespace)
        if reference.get("kind") == "Service" and not bundle.has("Service", space, reference.get("name", "")):
            yield found.finding(
                rule,
                f"its subscriber, Service {space}/{reference.get('name')}, does not exist; name one that does",
            )


def _references(pod: Pod) -> Iterator[tuple[str, str, str]]:
    """Kind, name and key (empty: all of it) of what a pod needs to start."""
    yield "ServiceAccount", pod.spec.get("serviceAccountName") or "default", ""
    if pod.spec.get("priorityClassName"):
        yield "PriorityClass", pod.spec["priorityClassName"], ""
    for container in pod.containers:
        for source in container.get("envFrom") or []:
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in source and not source[field].get("optional"):
                    yield kind, source[field]["name"], ""
        for variable in container.get("env") or []:
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                reference = (variable.get("valueFrom") or {}).get(field)
                if reference and not reference.get("optional"):
                    yield kind, reference["name"], reference["key"]
    for volume in pod.spec.get("volumes") or []:
        yield from _volume(volume)
        for source in (volume.get("projected") or {}).get("sources") or []:
            yield from _volume(source)


def _volume(volume: Body) -> Iterator[tuple[str, str, str]]:
    for field, kind, name in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
        source = volume.get(field)
        if source and not source.get("optional"):
            for item in source.get("items") or [{"key": ""}]:
                yield kind, source.get(name) or source.get("name", ""), item["key"]
    if "persistentVolumeClaim" in volume:
        yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"], ""


def _wrong_reference(bundle: Bundle, pod: Pod, kind: str, name: str, key: str) -> str:
    space = "" if kind == "PriorityClass" else pod.namespace
    if (kind, space, name) in EXTERNAL or (kind == "ServiceAccount" and name == "default"):
        return ""
    if kind == "Secret" and (space, name) in BY_HAND and not bundle.strict:
        return ""
    keys = _keys(bundle, kind, space, name)
    if keys is None:
        return f"{kind} {name} does not exist in {space or 'the cluster'}; add it, or list in tools/manifest_rules/expected.py who makes it"
    if key and keys and key not in keys:
        return f"{kind} {name} has no key {key} (it has {', '.join(sorted(keys))}); mend the key"
    return ""


def _keys(bundle: Bundle, kind: str, namespace: str, name: str) -> Mapping[str, object] | None:
    """The keys of a ConfigMap or Secret; empty where they are not known, None where there is no such object."""
    for found in bundle.of(kind):
        if (found.namespace, found.name) == (namespace, name):
            return {**(found.body.get("data") or {}), **(found.body.get("stringData") or {})}
    for found in bundle.of("ExternalSecret", "SealedSecret") if kind == "Secret" else ():
        target = (found.spec.get("target") or {}).get("name", found.name)
        if (found.namespace, target) == (namespace, name):
            return {entry["secretKey"]: entry for entry in found.spec.get("data") or []}
    return None


def gateway_exists(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found in bundle.of("VirtualService"):
        for gateway in found.spec.get("gateways") or []:
            space, _, name = str(gateway).rpartition("/")
            if not bundle.has("Gateway", space or found.namespace, name):
                yield found.finding(rule, f"there is no Gateway {gateway}; name one that there is")


def _binding(rule: str, bundle: Bundle, found: Object) -> Iterator[Finding]:
    role = found.body.get("roleRef") or {}
    space = found.namespace if role.get("kind") == "Role" else ""
    if (
        not bundle.has(role.get("kind", ""), space, role.get("name", ""))
        and (role.get("kind"), space, role.get("name")) not in EXTERNAL
    ):
        yield found.finding(rule, f"{role.get('kind')} {role.get('name')} does not exist; name one that does")
    for subject in found.body.get("subjects") or []:
        key = ("ServiceAccount", subject.get("namespace", found.namespace), subject.get("name", ""))
        if subject.get("kind") == "ServiceAccount" and not bundle.has(*key) and key not in EXTERNAL:
            yield found.finding(
                rule,
                f"ServiceAccount {key[1]}/{key[2]} does not exist; add it, or list in tools/manifest_rules/expected.py who makes it",
            )
