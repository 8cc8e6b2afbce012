"""The rules: name, meaning and check. A rule is what schemas cannot see; `schemas.check_schemas` is the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tools.manifest_rules import pods, quota, seldon, wiring
from tools.manifest_rules.objects import CLUSTER_SCOPED, Bundle, Finding

_SECRET_WORDS = ("PASSWORD", "TOKEN", "SECRET", "ACCESS_KEY", "PRIVATE_KEY")
_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/part-of")


@dataclass(frozen=True)
class Rule:
    """A rule; `check` gets its name and a bundle, and yields what is wrong."""

    name: str
    meaning: str
    check: Callable[[str, Bundle], Iterator[Finding]]


def duplicate(rule: str, bundle: Bundle) -> Iterator[Finding]:
    seen = Counter(
        (found.api.partition("/")[0], found.kind, found.namespace, found.name) for found in bundle.objects
    )
    for found in bundle.objects:
        if seen[(found.api.partition("/")[0], found.kind, found.namespace, found.name)] > 1:
            yield found.finding(rule, "it is there more than once; leave one")


def namespace_set(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found in bundle.objects:
        if found.kind in CLUSTER_SCOPED:
            continue
        if not found.namespace:
            yield found.finding(rule, "it has no namespace, so it lands wherever kubectl points to; set one")


def labelled(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found in bundle.objects:
        generated = found.file.endswith("kustomization.yaml")  # where one label for all is the most there is
        missing = [label for label in _LABELS[generated:] if not found.labels.get(label)]
        if missing:
            yield found.finding(rule, f"it has no label {', '.join(missing)}; add it")


def no_secret(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found in bundle.of("Secret"):
        if (found.body.get("data") or found.body.get("stringData")) and bundle.strict:
            yield found.finding(rule, "it holds its secret in the repository; refer to one (docs/cluster.md)")
    for pod in bundle.pods:
        for container in pod.containers:
            for variable in container.get("env") or []:
                if variable.get("value") and any(variable["name"].endswith(word) for word in _SECRET_WORDS):
                    yield pod.owner.finding(
                        rule,
                        f"container {container['name']} has {variable['name']} as plain text; take it from a Secret",
                    )


RULES = (
    Rule("duplicate", "no object is there twice", duplicate),
    Rule("namespace", "every object that can be in a namespace names one", namespace_set),
    Rule("labels", "every object has app.kubernetes.io/name and part-of", labelled),
    Rule("secret-literal", "no secret stands in the repository", no_secret),
    Rule("graph-type", "nodes of a graph have a type that Seldon knows", seldon.graph_type),
    Rule(
        "graph-implementation",
        "prepackaged servers are Seldon's, with a modelUri",
        seldon.graph_implementation,
    ),
    Rule("traffic", "the predictors that answer have 100 % of the traffic together", seldon.traffic),
    Rule("shadow", "at most one shadow, never alone", seldon.shadows),
    Rule("predictor-name", "predictors have different names", seldon.predictor_names),
    Rule(
        "predictor-annotation",
        "the values of a predictor's own annotations could be keys, which Seldon makes of them",
        seldon.predictor_annotations,
    ),
    Rule("node-container", "every node has its container", seldon.node_container),
    Rule("logger", "loggers have a mode and an address, and stand at the model", seldon.logger),
    Rule("trigger-subscriber", "every Trigger has a subscriber and a broker", seldon.trigger_subscriber),
    Rule("release", "a release is named once, whole, and verified before it serves", seldon.release_named),
    Rule(
        "prepackaged",
        "prepackaged servers get a verified release, not what Seldon would fetch",
        seldon.prepackaged_verified,
    ),
    Rule("champion", "event services and explainer have the release of `main`", seldon.one_champion),
    Rule("image", "images have a version, and ours a digest in staging and production", pods.image_pinned),
    Rule("resources", "containers say what they need and how much memory they may have", pods.resources),
    Rule("quota", "all pods at their most fit into the quota of their namespace", quota.fits_quota),
    Rule("limit-range", "no container asks for more than the limit it is given", quota.within_limit_range),
    Rule(
        "probes",
        "what runs all the time is asked whether it is ready and alive, at a port it has",
        pods.probes,
    ),
    Rule("restricted", "pods keep to the Pod Security Standard, with a read-only root", pods.restricted),
    Rule(
        "service-account",
        "pods have an account of their own, and no token they do not use",
        pods.service_account,
    ),
    Rule("service-selects", "Services select pods that listen on the port", wiring.service_selects),
    Rule(
        "policy-selects",
        "network policies select pods, and name pods and ports that exist",
        wiring.policy_selects,
    ),
    Rule("budget-selects", "disruption budgets select pods, each pod by one", wiring.budget_selects),
    Rule("monitor-selects", "monitors select what has the port", wiring.monitor_selects),
    Rule("address", "addresses in the cluster are Services with that port", wiring.address_exists),
    Rule("reference", "what is referred to exists", wiring.reference_exists),
    Rule("gateway", "routes stand at a gateway that exists", wiring.gateway_exists),
)


def check_rules(bundle: Bundle) -> Iterator[Finding]:
    """What the rules find, in the order of the table."""
    for rule in RULES:
        yield from rule.check(rule.name, bundle)
