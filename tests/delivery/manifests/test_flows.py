"""Who may talk to whom, and as whom to a cloud: the policies and accounts of all overlays against the page that lists them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

import pytest

from tests.samples.cluster_page import PAGE, table
from tests.samples.rendered_manifests import made
from tools.manifest_rules.flows import RECEIVER, SENDER, Flow, closed_namespaces, flows, half_open
from tools.manifest_rules.objects import Bundle
from tools.manifest_rules.rendering import ROOT, Rendering

OVERLAYS = ("local", "staging", "production")
WHERE = {"everywhere": set(OVERLAYS), "cloud": {"staging", "production"}, "one node": {"local"}}
PERMITTED = {"both ends": {RECEIVER, SENDER}, "the receiver": {RECEIVER}, "the sender": {SENDER}}
# Either the broker's proxy or the event service posts to the retraining service, so one of the two is open at one end only.
EITHER = {
    Flow("pedalflow-serving: triggers-with-token", "pedalflow: triggers", "9100"),
    Flow("pedalflow-serving: drift", "pedalflow: triggers", "9100"),
}
NAMES = {"kube-system: kube-dns", "kube-system: node-local-dns", "169.254.20.10/32", "169.254.169.254/32"}
METADATA = {("169.254.169.254/32", "80"), ("169.254.169.252/32", "988")}
IDENTITY = "iam.gke.io/gcp-service-account"


def _flows_of_the_page() -> dict[tuple[Flow, str], set[str]]:
    """By flow and overlay, who permits it. A cell may name several, with commas between them."""
    found: dict[tuple[Flow, str], set[str]] = {}
    for from_, to, port, permitted, where in list(table("Who talks to whom"))[1:]:
        for parts in itertools.product(from_.split(", "), to.split(", "), port.split(", "), WHERE[where]):
            assert (
                found.setdefault((Flow(*parts[:3]), parts[3]), PERMITTED[permitted]) == PERMITTED[permitted]
            )
    return found


@pytest.fixture(scope="module")
def broker() -> Bundle:
    """What stands in front of Knative's broker, beside every overlay."""
    return made(Rendering("broker", ROOT / "k8s" / "upstream" / "knative-policy"))


def test_the_table_of_flows_says_what_the_policies_permit(
    bundles: Mapping[str, Bundle], broker: Bundle
) -> None:
    permitted = {
        (flow, name): set(ends)
        for name, bundle in bundles.items()
        for flow, ends in flows(Bundle(name, (*bundle.objects, *broker.objects))).items()
    }
    assert _flows_of_the_page() == permitted


def test_knatives_broker_lets_in_who_may_post_to_it_and_nobody_else(
    bundles: Mapping[str, Bundle], broker: Bundle
) -> None:
    """Its proxy puts our token on whatever it delivers."""
    senders = {flow.from_.partition(":")[0] for flow in flows(broker)}
    assert senders == {"pedalflow-serving", "knative-eventing"}
    posts = {flow for flow in flows(bundles["production"]) if flow.to == "knative-eventing"}
    assert {(flow.from_.partition(":")[0], flow.port) for flow in posts} == {("pedalflow-serving", "8080")}
    assert {flow.port for flow in flows(broker)} == {"8080"}
    assert "../knative-policy" in (ROOT / "k8s" / "upstream" / "knative" / "kustomization.yaml").read_text()


@pytest.mark.parametrize("name", OVERLAYS)
def test_who_may_ask_for_names_may_ask_whoever_answers_in_a_cluster(
    name: str, bundles: Mapping[str, Bundle]
) -> None:
    """Which of the four it is depends on the cluster: a cache on each node stands before kube-dns, Cloud DNS instead of it."""
    asked: dict[str, set[str]] = {}
    for flow in flows(bundles[name]):
        if flow.port == "53":
            asked.setdefault(flow.from_, set()).add(flow.to)
    assert asked and all(answers == NAMES for answers in asked.values())


@pytest.mark.parametrize("name", ["staging", "production"])
def test_who_has_an_identity_for_the_buckets_reaches_the_server_that_knows_it(
    name: str, bundles: Mapping[str, Bundle]
) -> None:
    bundle = bundles[name]
    reached = {flow.from_ for flow in flows(bundle) if (flow.to, flow.port) in METADATA}
    for pod in bundle.pods:
        if (pod.namespace, pod.spec["serviceAccountName"]) in identities(bundle):
            own = f"{pod.namespace}: {pod.labels['app.kubernetes.io/name']}"
            assert {own, pod.namespace} & reached, own
    assert "pedalflow-runs" in reached  # whose pods Kubeflow makes


def identities(bundle: Bundle) -> dict[tuple[str, str], str]:
    """By our account, whose name it has at Google."""
    found = {
        (each.namespace, each.name): (each.metadata.get("annotations") or {}).get(IDENTITY, "")
        for each in bundle.of("ServiceAccount")
    }
    return {account: identity.partition("@")[0] for account, identity in found.items() if identity}


@pytest.mark.parametrize("name", ["staging", "production"])
def test_each_account_has_an_identity_of_its_own_that_the_page_makes(
    name: str, bundles: Mapping[str, Bundle]
) -> None:
    of_the_page = {
        (namespace, account): identity
        for identity, namespace, account in re.findall(r"^identity (\S+) (\S+)/(\S+)", PAGE, re.M)
    }
    assert identities(bundles[name]) == of_the_page
    assert len(set(of_the_page.values())) == len(of_the_page)


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_flow_between_our_namespaces_is_open_at_one_end_only(
    name: str, bundles: Mapping[str, Bundle]
) -> None:
    found = flows(bundles[name])
    assert set(half_open(found, closed_namespaces(bundles[name]))) <= EITHER


def test_a_flow_that_one_end_forgot_is_found(bundles: Mapping[str, Bundle]) -> None:
    """The check above can fail."""
    bundle = bundles["local"]
    without = tuple(each for each in bundle.objects if each.name != "postgresql-clients")
    found = half_open(flows(Bundle("changed", without)), closed_namespaces(bundle))
    assert Flow("pedalflow: mlflow", "pedalflow: postgresql", "5432") in found


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_pod_of_ours_lies_where_nothing_passes_by_default(
    name: str, bundles: Mapping[str, Bundle]
) -> None:
    """But for what stands in Kubeflow's own namespace, on one node."""
    closed = {*closed_namespaces(bundles[name]), *(["kubeflow"] if name == "local" else [])}
    assert {pod.namespace for pod in bundles[name].pods} <= closed
