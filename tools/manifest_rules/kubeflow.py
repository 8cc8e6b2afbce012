"""Kubeflow's Notebook and Profile: a few fields of their own around a pod and a quota, which are held against Kubernetes' own schemas."""

from __future__ import annotations

from typing import Any

from tools.manifest_rules.objects import Body

_TEXT = {"type": "string"}
_ANYTHING = {"type": "object"}


def _closed(required: tuple[str, ...], **fields: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": fields,
        "required": list(required),
        "additionalProperties": False,
    }


def _kind(spec: dict[str, Any]) -> dict[str, Any]:
    version = {"const": "kubeflow.org/v1"}
    return _closed(("metadata", "spec"), apiVersion=version, kind=_TEXT, metadata=_ANYTHING, spec=spec)


_OWNER = _closed(
    ("kind", "name"), kind={"enum": ["User", "Group", "ServiceAccount"]}, name=_TEXT, apiGroup=_TEXT
)
_PLUGINS = {
    "type": "array",
    "items": _closed(("kind",), kind=_TEXT, apiVersion=_TEXT, spec=_ANYTHING),
}
# Closed, so that a misspelt field fails as it does on an API server.
SHAPES = {
    "Notebook": _kind(_closed(("template",), template=_closed(("spec",), spec=_ANYTHING))),
    "Profile": _kind(_closed(("owner",), owner=_OWNER, plugins=_PLUGINS, resourceQuotaSpec=_ANYTHING)),
}


def inside(body: Body) -> Body:
    """What the object holds of Kubernetes' own, as an object by itself: a notebook's pod, a profile's quota."""
    metadata = {"name": body["metadata"]["name"]}
    if body["kind"] == "Notebook":
        spec = body["spec"]["template"]["spec"]
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    spec = body["spec"].get("resourceQuotaSpec", {})
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec}
