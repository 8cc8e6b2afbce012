"""Whether what may run fits into what a namespace allows: ResourceQuotas at the highest number of pods, and the limits of LimitRanges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tools.manifest_rules.objects import ALWAYS_ON, Body, Bundle, Finding, Pod

_UNITS: Mapping[str, float] = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "m": 0.001, "": 1.0}
_COUNTED = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")


def quantity(text: object) -> float:
    """A quantity of Kubernetes as a number: `250m`, `64Mi`, `2`."""
    unit = next(unit for unit in _UNITS if str(text).endswith(unit))
    return float(str(text).removesuffix(unit)) * _UNITS[unit]


def fits_quota(rule: str, bundle: Bundle) -> Iterator[Finding]:
    for quota in bundle.of("ResourceQuota"):
        allowed = quota.spec.get("hard") or {}
        pods = [pod for pod in bundle.pods if pod.namespace == quota.namespace]
        for name in (*_COUNTED, "pods"):
            needed = sum(most(pod) * (1 if name == "pods" else _asked(pod, name)) for pod in pods)
            if name in allowed and needed > quantity(allowed[name]):
                yield quota.finding(
                    rule,
                    f"all pods at their most need {name} {needed:g}, but it allows {allowed[name]}; raise it, or scale less",
                )


def most(pod: Pod) -> int:
    """The highest number of these pods; a job is one."""
    if pod.owner.kind not in ALWAYS_ON:
        return 1
    spec = pod.owner.spec
    for predictor in spec.get("predictors") or []:
        if predictor.get("name") == pod.labels.get("version"):
            component: Body = next(
                (one for one in predictor["componentSpecs"] if one["spec"] is pod.spec), {}
            )
            scaled = (component.get("kedaSpec") or {}).get("maxReplicaCount") or (
                component.get("hpaSpec") or {}
            ).get("maxReplicas")
            return int(scaled or predictor.get("replicas", 1))
    return int(spec.get("replicas", 1))


def _asked(pod: Pod, name: str) -> float:
    """What a pod counts for: its containers together, or its greediest init container."""
    kind, _, what = name.partition(".")
    running = [*(pod.spec.get("containers") or []), *pod.added]
    starting = pod.spec.get("initContainers") or []
    amounts = [
        [quantity(((one.get("resources") or {}).get(kind) or {}).get(what, 0)) for one in some]
        for some in (running, starting)
    ]
    return max(sum(amounts[0]), max(amounts[1], default=0.0))


def within_limit_range(rule: str, bundle: Bundle) -> Iterator[Finding]:
    """A container without a limit gets the namespace's, and is refused where it asks for more than that."""
    for limits in bundle.of("LimitRange"):
        given = next(
            (
                one.get("default") or {}
                for one in limits.spec.get("limits") or []
                if one.get("type") == "Container"
            ),
            {},
        )
        for pod in (pod for pod in bundle.pods if pod.namespace == limits.namespace):
            for container in pod.containers:
                resources = container.get("resources") or {}
                for what, limit in given.items():
                    asked = (resources.get("requests") or {}).get(what, 0)
                    if what not in (resources.get("limits") or {}) and quantity(asked) > quantity(limit):
                        yield pod.owner.finding(
                            rule,
                            f"container {container['name']} asks for {asked} {what} without a limit, so it gets {limit} and "
                            "is refused; give it a limit",
                        )
