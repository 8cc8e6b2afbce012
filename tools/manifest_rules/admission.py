"""What the mutating admission policies of a bundle make of a container, as far as this can be read without a cluster: policies of the one
form in which ours are written, a JSON patch that sets one field of the container of a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tools.manifest_rules.objects import Body, Bundle, Object, selects

_NUMBER = re.compile(r"object\.spec\.containers\.map\((\w+), \1\.name\)\.indexOf\('([\w-]+)'\)")
_PATCH = re.compile(
    r'\[\s*JSONPatch\{\s*op: "add",\s*path: "/spec/containers/" \+ string\(variables\.(\w+)\) \+ "/(\w+)",'
    r"\s*value: (Object\..+\})\s*\}\s*\]\s*",
    re.DOTALL,
)
_TYPE = re.compile(r"Object((?:\.\w+)*)(?=\{)")


@dataclass(frozen=True)
class Patch:
    """A field that every container of a name gets, in namespaces with certain labels."""

    namespaces: Body
    container: str
    field: str
    value: Any


def admitted(bundle: Bundle, namespace: str, container: Body) -> Body:
    """A container of a pod as the policies leave it."""
    labels = bundle.namespaces.get(namespace, {})
    changed = {
        patch.field: patch.value
        for patch in patches(bundle)
        if patch.container == container["name"] and selects(patch.namespaces, labels)
    }
    return {**container, **changed}


def patches(bundle: Bundle) -> Iterator[Patch]:
    """What the policies set that a binding makes work."""
    policies = {found.name: found for found in bundle.of("MutatingAdmissionPolicy")}
    for binding in bundle.of("MutatingAdmissionPolicyBinding"):
        policy = policies.get(binding.spec.get("policyName", ""))
        if policy is not None and _changes_pods(policy):
            selector = (binding.spec.get("matchResources") or {}).get("namespaceSelector") or {}
            yield from _patches_of(policy, selector)


def _changes_pods(policy: Object) -> bool:
    rules = (policy.spec.get("matchConstraints") or {}).get("resourceRules") or []
    return any(
        "pods" in rule.get("resources", ()) and "CREATE" in rule.get("operations", ()) for rule in rules
    )


def _patches_of(policy: Object, namespaces: Body) -> Iterator[Patch]:
    variables = {one["name"]: one["expression"] for one in policy.spec.get("variables") or []}
    for mutation in policy.spec.get("mutations") or []:
        patch = _PATCH.fullmatch((mutation.get("jsonPatch") or {}).get("expression", ""))
        number = _NUMBER.fullmatch(variables.get(patch[1], "")) if patch else None
        if patch and number:
            yield Patch(namespaces, number[2], patch[2], _value(patch[3], f".spec.containers.{patch[2]}"))


def _value(literal: str, place: str) -> Any:
    """An object as CEL writes it, `Object.spec.x{a: 1}`. Its types have to be those of their places, or the API server takes none of it."""
    value = yaml.safe_load(_TYPE.sub("", literal))
    types = {place, *(f"{place}.{key}" for key, inner in value.items() if isinstance(inner, dict))}
    return value if set(_TYPE.findall(literal)) == types else {}
