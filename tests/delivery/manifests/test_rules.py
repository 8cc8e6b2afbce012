"""One broken manifest for each rule is refused by the rule's name."""

from __future__ import annotations

import pytest

from tests.samples.broken_manifests import BROKEN, Breaking, a_container_without_a_readiness_probe
from tests.samples.rendered_manifests import container, copied, predictor, rendered
from tools.manifest_rules.objects import Bundle
from tools.manifest_rules.rendering import ROOT
from tools.manifest_rules.table import RULES, check_rules


def found_by(bundle: Bundle) -> set[str]:
    return {finding.rule for finding in check_rules(bundle)}


@pytest.mark.parametrize(
    "rule, variant, breaking", BROKEN, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_broken_manifest_is_refused_by_its_rule(rule: str, variant: str, breaking: Breaking) -> None:
    # given
    bundle = copied(rendered(*variant.split("+")))
    assert rule not in found_by(bundle)
    # when
    broken = breaking(bundle) or Bundle(bundle.name, bundle.objects, bundle.strict)
    # then
    assert rule in found_by(broken)


def test_the_page_has_the_table_of_rules() -> None:
    page = (ROOT / "docs" / "manifests.md").read_text(encoding="utf-8")
    assert [f"| `{rule.name}` | {rule.meaning} |" in page for rule in RULES] == [True] * len(RULES)


def test_every_rule_has_a_broken_manifest() -> None:
    assert {rule for rule, _, _ in BROKEN} == {rule.name for rule in RULES}


def test_a_finding_says_file_object_rule_and_remedy() -> None:
    # given
    bundle = copied(rendered("production"))
    a_container_without_a_readiness_probe(bundle)
    # then
    finding = next(found for found in check_rules(bundle) if found.rule == "probes")
    assert (finding.file, finding.object) == (
        "k8s/base/serving/pedalflow-seldondeployment.yaml",
        "SeldonDeployment pedalflow-serving/pedalflow",
    )
    assert "add one" in finding.says


@pytest.mark.parametrize(
    "field",
    ["runAsNonRoot", "allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities", "seccompProfile"],
)
def test_a_pod_of_the_graph_keeps_to_the_standard_in_each_container(field: str) -> None:
    # given a pod whose own security context has the field: Seldon's operator replaces that one
    bundle = copied(rendered("production"))
    security = container(bundle, "predictor")["securityContext"]
    predictor(bundle)["componentSpecs"][0]["spec"]["securityContext"] = {field: security.pop(field)}
    # then
    assert "restricted" in found_by(bundle)
