"""What the manifests use and do not make, with who makes it; and the components that are tried, as docs/manifests.md names them."""

from __future__ import annotations

from dataclasses import dataclass

_KNATIVE, _KUBEFLOW, _PROMETHEUS = "Knative", "Kubeflow", "the Prometheus operator"

# Kind, namespace, name.
EXTERNAL: dict[tuple[str, str, str], str] = {
    ("ServiceAccount", "pedalflow-runs", "default-editor"): _KUBEFLOW,
}

# Secrets that people make by hand for the overlay `local` (docs/cluster.md); elsewhere an ExternalSecret has to make them.
BY_HAND: frozenset[tuple[str, str]] = frozenset(
    (
        ("kubeflow", "object-store-keys"),
        ("pedalflow", "mlflow-secrets"),
        ("pedalflow", "object-store-keys"),
        ("pedalflow", "postgresql-secrets"),
        ("pedalflow", "triggers-secrets"),
        ("pedalflow-serving", "release-store"),
        ("pedalflow-serving", "triggers-token"),
    )
)

# Pods that a network policy of the base may name though not every overlay has them.
SOMETIMES: frozenset[str] = frozenset(("object-store", "postgresql"))

# Namespace, name.
EXTERNAL_SERVICES: dict[tuple[str, str], str] = {
    ("knative-eventing", "broker-ingress"): _KNATIVE,
    ("kubeflow", "ml-pipeline"): _KUBEFLOW,
    ("monitoring", "prometheus-operated"): _PROMETHEUS,
    ("monitoring", "loki"): "Loki, for the component request-log-loki",
}


@dataclass(frozen=True)
class Variant:
    """A component that can be switched on, and the overlay that it is tried on."""

    component: str
    overlay: str = "production"
    after: tuple[str, ...] = ()


VARIANTS = (
    Variant("canary"),
    Variant("ab-test"),
    Variant("shadow"),
    Variant("grpc"),
    Variant("canary", after=("grpc",)),
    Variant("keda"),
    Variant("canary", after=("keda",)),
    Variant("prepackaged"),
    Variant("request-log-loki"),
    Variant("without-knative"),
    Variant("canary", after=("without-knative",)),
    Variant("cpu-only", overlay="local"),
    Variant("istio-gateway", overlay="local"),
    Variant("google-release-store", overlay="local"),
    Variant("restricted-executor", overlay="local"),
    Variant("without-knative", overlay="local"),
    Variant("canary", overlay="local"),
)
