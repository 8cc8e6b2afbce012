"""What Seldon's and Knative's admission webhooks refuse and no schema sees, and how a release is named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tools.manifest_rules.objects import Body, Bundle, Finding, Object, Pod

NODE_TYPES = ("MODEL", "TRANSFORMER", "OUTPUT_TRANSFORMER", "ROUTER", "COMBINER")
PREPACKAGED = (
    "SKLEARN_SERVER",
    "XGBOOST_SERVER",
    "TENSORFLOW_SERVER",
    "MLFLOW_SERVER",
    "TRITON_SERVER",
    "HUGGINGFACE_SERVER",
    "TEMPO_SERVER",
)
BUILT_IN = ("SIMPLE_MODEL", "SIMPLE_ROUTER", "RANDOM_ABTEST", "AVERAGE_COMBINER", "UNKNOWN_IMPLEMENTATION")
LOGGER_MODES = ("all", "request", "response")
NAME, CHECKSUM, URI = (f"pedalflow.dev/release{suffix}" for suffix in ("", "-checksum", "-uri"))
FETCH, VERIFY = "fetch", "verify"
INITIALIZER = "{}-model-initializer"  # of a prepackaged server; Seldon adds its own where there is none
# An optional DNS name and `/`, then a name of at most 63 characters.
_ANNOTATION_KEY = re.compile(
    r"(?:(?=[^/]{1,253}/)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*/)?"
    r"[a-z0-9](?:[-_.a-z0-9]{0,61}[a-z0-9])?",
    re.IGNORECASE | re.ASCII,
)
RELEASE_ENV = {"RELEASE_NAME": NAME, "RELEASE_CHECKSUM": CHECKSUM, "RELEASE_URI": URI}


def nodes(graph: Body) -> Iterator[Body]:
    """The nodes of a graph, the root first."""
    yield graph
    for child in graph.get("children") or []:
        yield from nodes(child)


def _predictors(bundle: Bundle) -> Iterator[tuple[Object, Body]]:
    for found in bundle.of("SeldonDeployment"):
        for predictor in found.spec.get("predictors") or []:
            yield found, predictor


def _nodes(bundle: Bundle) -> Iterator[tuple[Object, Body, Body]]:
    for found, predictor in _predictors(bundle):
        for node in nodes(predictor.get("graph") or {}):
            yield found, predictor, node


def graph_type(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found, _, node in _nodes(bundle):
        if not node.get("implementation") and node.get("type") not in NODE_TYPES:
            yield found.finding(
                rule,
                f"node {node.get('name')} has the type {node.get('type')!r}; give one of {', '.join(NODE_TYPES)}",
            )


def graph_implementation(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found, _, node in _nodes(bundle):
        implementation = node.get("implementation")
        if implementation and implementation not in (*PREPACKAGED, *BUILT_IN):
            yield found.finding(
                rule,
                f"node {node.get('name')}: Seldon has no implementation {implementation}; give one of {', '.join(PREPACKAGED)}",
            )
        if implementation in PREPACKAGED and not node.get("modelUri"):
            yield found.finding(
                rule, f"node {node.get('name')}: a prepackaged server needs a modelUri; give one"
            )


def traffic(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found in bundle.of("SeldonDeployment"):
        shares = [p.get("traffic", 0) for p in found.spec.get("predictors") or [] if not p.get("shadow")]
        total = sum(shares)
        if total != 100:
            yield found.finding(
                rule,
                f"the traffic of its predictors adds up to {total}; let those that are no shadows have 100",
            )


def shadows(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found in bundle.of("SeldonDeployment"):
        predictors = found.spec.get("predictors") or []
        count = sum(bool(predictor.get("shadow")) for predictor in predictors)
        if count > 1:
            yield found.finding(rule, f"it has {count} shadows; leave one")
        if count and count == len(predictors):
            yield found.finding(rule, "a shadow is its only predictor; add one that answers")


def predictor_names(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found in bundle.of("SeldonDeployment"):
        names = Counter(predictor.get("name") for predictor in found.spec.get("predictors") or [])
        for name, count in names.items():
            if count > 1:
                yield found.finding(rule, f"{count} predictors are called {name}; give each its own name")


def predictor_annotations(rule: str, bundle: Bundle) -> Iterator[Finding]:
    """Where Seldon's operator adds its executor to a pod, it makes keys of the values of the predictor's annotations."""
    for found, predictor in _predictors(bundle):
        for key, value in (predictor.get("annotations") or {}).items():
            if not _ANNOTATION_KEY.fullmatch(str(value)):
                yield found.finding(
                    rule,
                    f"the annotation {key} of predictor {predictor.get('name')} is {value!r}, which cannot be a key of the pods' "
                    "annotations, as Seldon makes of it; move it to the metadata of the first of componentSpecs",
                )


def node_container(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found, predictor, node in _nodes(bundle):
        names = {
            container.get("name")
            for component in predictor.get("componentSpecs") or []
            for container in (component.get("spec") or {}).get("containers") or []
        }
        if node.get("name") not in names and not node.get("implementation"):
            yield found.finding(
                rule,
                f"no container of predictor {predictor.get('name')} is called {node.get('name')} like the node; add it, or rename one",
            )


def logger(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found, _, node in _nodes(bundle):
        settings = node.get("logger")
        if settings is None:
            continue
        if settings.get("mode") not in LOGGER_MODES:
            yield found.finding(
                rule,
                f"the logger of node {node.get('name')} has the mode {settings.get('mode')!r}; give one of {', '.join(LOGGER_MODES)}",
            )
        if not settings.get("url"):
            yield found.finding(
                rule,
                f"the logger of node {node.get('name')} has no url, so it posts to a broker that we do not have; give one",
            )
        if node.get("type") != "MODEL":
            yield found.finding(
                rule,
                f"the logger stands at {node.get('name')}, whose output the executor would log as a response; move it to the model",
            )


def trigger_subscriber(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for found in bundle.of("Trigger"):
        subscriber = found.spec.get("subscriber") or {}
        if not subscriber.get("ref") and not str(subscriber.get("uri", "")).startswith("http"):
            yield found.finding(
                rule, "it has no subscriber; name a Service under `ref`, or a whole address under `uri`"
            )
        broker = found.spec.get("broker", "")
        if not bundle.has("Broker", found.namespace, broker):
            yield found.finding(
                rule, f"there is no Broker {broker} in {found.namespace}; name one that there is"
            )


def release_named(rule: str, bundle: Bundle) -> Iterator[Finding]:
    """Every pod that serves a release names it once, whole, and verifies it."""
    for pod in bundle.pods:
        if _loads_release(pod):
            for says in _wrong_with_release(pod):
                yield pod.owner.finding(rule, says)


def _loads_release(pod: Pod) -> bool:
    return any(
        mount.get("mountPath") == "/mnt/release"
        for container in pod.containers
        for mount in container.get("volumeMounts") or []
    )


def prepackaged_verified(rule: str, bundle: Bundle) -> Iterator[Finding]:
    """A prepackaged server gets its model from init containers of ours, the last of which takes the place of Seldon's."""
    for found, predictor, node in _nodes(bundle):
        if node.get("implementation") not in PREPACKAGED:
            continue
        wanted = [FETCH, VERIFY, INITIALIZER.format(node.get("name"))]
        orders = [
            [container.get("name") for container in (component.get("spec") or {}).get("initContainers") or []]
            for component in predictor.get("componentSpecs") or []
        ]
        if wanted not in orders:
            yield found.finding(
                rule,
                f"node {node.get('name')}: Seldon would fetch {node.get('modelUri')} itself, and nobody would verify it; "
                f"write the init containers {', '.join(wanted)}, in this order",
            )


def _wrong_with_release(pod: Pod) -> Iterator[str]:
    name, checksum, uri = (pod.annotations.get(key, "") for key in (NAME, CHECKSUM, URI))
    if not re.fullmatch(r"r-[0-9a-f]{12}", name):
        yield f"the annotation {NAME} is {name!r}; write the release's name, such as r-0123456789ab"
    if not re.fullmatch(r"[0-9a-f]{64}", checksum) or not checksum.startswith(name[2:]):
        yield f"the annotation {CHECKSUM} is not the checksum of {name}: 64 hex digits that begin as the name does"
    if uri.rstrip("/").rpartition("/")[2] != name:
        yield f"the annotation {URI} is {uri!r}; give an immutable address that ends in {name}"
    order = [container.get("name") for container in pod.spec.get("initContainers") or []]
    if FETCH not in order or VERIFY not in order or order.index(FETCH) > order.index(VERIFY):
        yield f"its init containers are {order}; let `{FETCH}` bring the release and `{VERIFY}` check it, in this order"
    yield from _wrong_variables(pod)


def _wrong_variables(pod: Pod) -> Iterator[str]:
    """The variables of the init containers say what the annotations say, by reference or word for word."""
    given = {
        variable["name"]: variable
        for container in pod.spec.get("initContainers") or []
        for variable in container.get("env") or []
    }
    for name, annotation in RELEASE_ENV.items():
        variable = given.get(name) or {}
        path = ((variable.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath")
        if path != f"metadata.annotations['{annotation}']" and variable.get("value") != pod.annotations.get(
            annotation
        ):
            yield f"the variable {name} of the init containers is not the annotation {annotation}; take it from there"


def one_champion(rule: str, bundle: Bundle) -> Iterator[Finding]:
    """What listens to the main predictor reads events by the release that it serves."""
    champions = [
        pod for pod in bundle.pods if pod.owner.name == "pedalflow" and pod.labels.get("version") == "main"
    ]
    for champion in champions:
        for pod in bundle.pods:
            others = pod.annotations.get(CHECKSUM)
            if pod.owner.kind != "SeldonDeployment" and others not in (
                None,
                champion.annotations.get(CHECKSUM),
            ):
                yield pod.owner.finding(
                    rule,
                    f"its release is {pod.annotations.get(NAME)}, but `main` serves {champion.annotations.get(NAME)}; name one release",
                )
