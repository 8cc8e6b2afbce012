"""Who may talk to whom, read from the NetworkPolicies of a rendering. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.manifest_rules.objects import Bundle, Object

RECEIVER, SENDER = "receiver", "sender"
ANY_ADDRESS, INTERNET = "any address", "the internet"


@dataclass(frozen=True, order=True)
class Flow:
    """One permission: `from_` and `to` are `namespace`, `namespace: pods` or an address; `port` is a number, or `any`."""

    from_: str
    to: str
    port: str


def flows(bundle: Bundle) -> Mapping[Flow, frozenset[str]]:
    """Every permission, and whose policies give it: the receiver's, the sender's, or both."""
    found: dict[Flow, set[str]] = {}
    for policy in bundle.of("NetworkPolicy"):
        for end, flow in _of_policy(policy):
            found.setdefault(flow, set()).add(end)
    return {flow: frozenset(ends) for flow, ends in sorted(found.items())}


def _of_policy(policy: Object) -> Iterator[tuple[str, Flow]]:
    own = _pods(policy.namespace, policy.spec.get("podSelector") or {})
    for rule in policy.spec.get("ingress") or ():
        for peer, port in _pairs(rule, "from", policy.namespace):
            yield from ((RECEIVER, Flow(peer, pods, port)) for pods in own)
    for rule in policy.spec.get("egress") or ():
        for peer, port in _pairs(rule, "to", policy.namespace):
            yield from ((SENDER, Flow(pods, peer, port)) for pods in own)


def _pairs(rule: Mapping[str, Any], side: str, namespace: str) -> Iterator[tuple[str, str]]:
    ports = [str(each["port"]) for each in rule.get("ports") or ()] or ["any"]
    peers = [name for peer in rule.get(side) or () for name in _peer(peer, namespace)] or [ANY_ADDRESS]
    return ((peer, port) for peer in peers for port in ports)


def _peer(peer: Mapping[str, Any], namespace: str) -> list[str]:
    if "ipBlock" in peer:
        return [_address(peer["ipBlock"])]
    namespaces = _values(peer.get("namespaceSelector") or {}) or [namespace]
    return [name for each in namespaces for name in _pods(each, peer.get("podSelector") or {})]


def _address(block: Mapping[str, Any]) -> str:
    if block["cidr"] != "0.0.0.0/0":
        return str(block["cidr"])
    return INTERNET if block.get("except") else ANY_ADDRESS


def _pods(namespace: str, selector: Mapping[str, Any]) -> list[str]:
    return [f"{namespace}: {value}" for value in _values(selector)] or [namespace]


def _values(selector: Mapping[str, Any]) -> list[str]:
    """What a selector asks for: values of labels, whichever label it is."""
    values: list[str] = list((selector.get("matchLabels") or {}).values())
    for expression in selector.get("matchExpressions") or ():
        values += expression.get("values") or ()
    return values


def half_open(found: Mapping[Flow, frozenset[str]], closed: Sequence[str]) -> list[Flow]:
    """Flows between two namespaces that deny by default and that only one end permits, so that nothing passes."""
    return [
        flow
        for flow, ends in found.items()
        if _namespace(flow.from_) in closed and _namespace(flow.to) in closed and len(ends) == 1
        if not _covered(flow, found)
    ]


def _covered(flow: Flow, found: Mapping[Flow, frozenset[str]]) -> bool:
    """Whether the other end permits it to the whole namespace."""
    wider = {
        Flow(from_, to, flow.port)
        for from_ in (flow.from_, _namespace(flow.from_))
        for to in (flow.to, _namespace(flow.to))
    }
    ends = frozenset(end for each in wider for end in found.get(each, ()))
    return len(ends) == 2


def _namespace(entity: str) -> str:
    return entity.partition(":")[0]


def closed_namespaces(bundle: Bundle) -> list[str]:
    """The namespaces in which nothing may pass that no policy permits."""
    return sorted(
        policy.namespace
        for policy in bundle.of("NetworkPolicy")
        if policy.spec.get("podSelector") == {}
        and not (policy.spec.get("ingress") or policy.spec.get("egress"))
        if set(policy.spec.get("policyTypes") or ()) == {"Ingress", "Egress"}
    )
