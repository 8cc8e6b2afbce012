"""Seldon's executor, as its operator makes it, is refused where a namespace enforces "restricted"; as the policy changes it, it is not."""

from __future__ import annotations

import pytest
import yaml

from tests.samples.rendered_manifests import body, copied, rendered
from tools.manifest_rules import admission, pods
from tools.manifest_rules.objects import EXECUTOR, Bundle, Object
from tools.manifest_rules.rendering import ROOT

NAMESPACE = "pedalflow-serving"
POLICY = ("MutatingAdmissionPolicy", "pedalflow-executor")
BINDING = ("MutatingAdmissionPolicyBinding", "pedalflow-executor")


def _refused(bundle: Bundle) -> list[str]:
    return [found.says for found in pods.restricted("restricted", bundle)]


def _without(bundle: Bundle, kind: str, name: str) -> Bundle:
    kept = tuple(found for found in bundle.objects if (found.kind, found.name) != (kind, name))
    return Bundle(bundle.name, kept, bundle.strict)


def _changed(old: str, new: str) -> Bundle:
    """Production with another text in the patch of the policy."""
    bundle = copied(rendered("production"))
    patch = body(bundle, *POLICY)["spec"]["mutations"][0]["jsonPatch"]
    assert old in patch["expression"]
    patch["expression"] = patch["expression"].replace(old, new)
    return bundle


@pytest.mark.parametrize(
    "overlay, level", [("local", "baseline"), ("staging", "restricted"), ("production", "restricted")]
)
def test_a_namespace_enforces_what_its_pods_keep_to(overlay: str, level: str) -> None:
    bundle = rendered(overlay)
    assert bundle.namespaces[NAMESPACE]["pod-security.kubernetes.io/enforce"] == level
    assert _refused(bundle) == []


@pytest.mark.parametrize("kind, name", [POLICY, BINDING])
def test_without_policy_or_binding_the_executor_is_refused_for_what_seldon_leaves_out(
    kind: str, name: str
) -> None:
    refused = _refused(_without(rendered("production"), kind, name))
    for missing in ("runAsNonRoot", "seccompProfile", "capabilities"):
        assert any(EXECUTOR in says and missing in says for says in refused), missing


def test_the_policy_makes_the_executor_what_our_own_containers_are_and_leaves_them_alone() -> None:
    # given the containers of a pod, Seldon's among them
    bundle = rendered("production")
    [pod] = [one for one in bundle.pods if one.labels.get("seldon-app") == "pedalflow-main"]
    # then
    [executor] = [admission.admitted(bundle, NAMESPACE, one) for one in pod.added]
    assert executor["securityContext"] == {
        "runAsUser": 8888,
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in pod.containers:
        assert admission.admitted(bundle, NAMESPACE, container) == container


def test_the_executor_keeps_the_user_that_seldon_is_told() -> None:
    values = yaml.safe_load((ROOT / "k8s/upstream/seldon/values.yaml").read_text(encoding="utf-8"))
    [patch] = admission.patches(rendered("production"))
    assert patch.value["runAsUser"] == values["executor"]["user"]


@pytest.mark.parametrize(
    "old, new",
    [
        ('["ALL"]', '["NET_RAW"]'),
        ("runAsNonRoot: true", "runAsNonRoot: false"),
        ('"RuntimeDefault"', '"Unconfined"'),
        ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
        ("securityContext.capabilities{", "capabilities{"),  # the type of another place
        ('op: "add"', 'op: "test"'),
        ("string(variables.executor)", '"0"'),  # whatever container comes first
    ],
)
def test_a_patch_that_leaves_anything_out_or_is_none_lets_the_executor_be_refused(old: str, new: str) -> None:
    assert any(EXECUTOR in says for says in _refused(_changed(old, new)))


def test_the_policy_is_at_work_in_our_namespace_and_in_no_other() -> None:
    bundle = rendered("production")
    executor = {"name": EXECUTOR}
    other = Object({"kind": "Namespace", "metadata": {"name": "other"}})
    wider = Bundle(bundle.name, (*bundle.objects, other), bundle.strict)
    assert admission.admitted(wider, NAMESPACE, executor) != executor
    assert admission.admitted(wider, "other", executor) == executor


@pytest.mark.parametrize("field, value", [("operations", ["UPDATE"]), ("resources", ["deployments"])])
def test_a_policy_for_something_else_than_new_pods_changes_nothing(field: str, value: list[str]) -> None:
    bundle = copied(rendered("production"))
    body(bundle, *POLICY)["spec"]["matchConstraints"]["resourceRules"][0][field] = value
    assert any(EXECUTOR in says for says in _refused(bundle))


def test_a_pod_that_cannot_be_changed_is_not_made() -> None:
    assert body(rendered("production"), *POLICY)["spec"]["failurePolicy"] == "Fail"
