"""What the Prometheus operator makes of our manifests, as the files that a plain Prometheus and a plain Alertmanager read.

Only what those manifests use is translated; anything else ends with a KeyError rather than being left out in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ROOT / "k8s" / "base" / "monitoring"
RUNBOOKS = "https://pedalflow.example.org/operations.html"

_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION = r"(?:\d+(?:ms|[smhdw]))+"
_FEWEST_MS = 1000  # a shorter window than a second would hold no two scrapes


def rule_files() -> dict[str, dict[str, Any]]:
    """The rule file in each PrometheusRule, by the object's name."""
    found = (
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in MANIFESTS.glob("*-prometheusrule.yaml")
    )
    return {each["metadata"]["name"]: each["spec"] for each in found}


def rules() -> list[dict[str, Any]]:
    """Every rule, alerts and records."""
    return [rule for spec in rule_files().values() for group in spec["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert by its name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def alertmanager_config() -> dict[str, Any]:
    """The AlertmanagerConfig."""
    text = (MANIFESTS / "pedalflow-alertmanagerconfig.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def faster(spec: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """A rule file whose time runs `factor` times as fast: `for`, `interval` and the ranges of expressions are shorter by as much.

    No duration becomes shorter than a second. Names of records stay what they are.
    """
    return {"groups": [_faster_group(group, factor) for group in spec["groups"]]}


def _faster_group(group: Mapping[str, Any], factor: float) -> dict[str, Any]:
    rules = [_faster_rule(rule, factor) for rule in group["rules"]]
    return {**group, "interval": shorter(group.get("interval", "30s"), factor), "rules": rules}


def _faster_rule(rule: Mapping[str, Any], factor: float) -> dict[str, Any]:
    given = dict(rule)
    given["expr"] = shorter_ranges(given["expr"], factor)
    if "for" in given:
        given["for"] = shorter(given["for"], factor)
    return given


def shorter_ranges(expression: str, factor: float) -> str:
    """An expression with its ranges, such as [5m], divided by `factor`."""
    return re.sub(rf"\[({_DURATION})\]", lambda found: f"[{shorter(found.group(1), factor)}]", expression)


def shorter(duration: str, factor: float) -> str:
    """A duration of Prometheus divided by `factor`, in milliseconds."""
    parts = re.findall(r"(\d+)(ms|[smhdw])", duration)
    whole = sum(int(count) * _MILLISECONDS[unit] for count, unit in parts)
    return f"{max(round(whole / factor), _FEWEST_MS)}ms"


def plain_alertmanager(
    config: Mapping[str, Any], webhook: str, token_file: Path, factor: float = 1.0
) -> dict[str, Any]:
    """Alertmanager's own configuration: the webhook's address is `webhook`, its token that of `token_file`.

    As the operator does it, the object's route lies below the cluster's own, here one to nobody, and lets alerts go on to that. The
    operator would add a matcher for the namespace of the object; outside a cluster there is none.
    """
    spec = config["spec"]
    ours = {**_route(spec["route"], factor), "continue": True}
    return {
        "route": {"receiver": "others", "routes": [ours]},
        "receivers": [
            {"name": "others"},
            *(_receiver(receiver, webhook, token_file) for receiver in spec["receivers"]),
        ],
    }


def _route(route: Mapping[str, Any], factor: float) -> dict[str, Any]:
    made: dict[str, Any] = {"receiver": route["receiver"]}
    for ours, theirs in (
        ("groupWait", "group_wait"),
        ("groupInterval", "group_interval"),
        ("repeatInterval", "repeat_interval"),
    ):
        if ours in route:
            made[theirs] = shorter(route[ours], factor)
    if "groupBy" in route:
        made["group_by"] = list(route["groupBy"])
    if "matchers" in route:
        made["matchers"] = [_matcher(matcher) for matcher in route["matchers"]]
    return made


def _matcher(matcher: Mapping[str, str]) -> str:
    return f'{matcher["name"]}{matcher["matchType"]}"{matcher["value"]}"'


def _receiver(receiver: Mapping[str, Any], webhook: str, token_file: Path) -> dict[str, Any]:
    made: dict[str, Any] = {"name": receiver["name"]}
    hooks = receiver.get("webhookConfigs", ())
    if hooks:
        made["webhook_configs"] = [_webhook(hook, webhook, token_file) for hook in hooks]
    return made


def _webhook(hook: Mapping[str, Any], webhook: str, token_file: Path) -> dict[str, Any]:
    kind = hook["httpConfig"]["authorization"]["type"]
    return {
        "url": webhook,
        "send_resolved": hook["sendResolved"],
        "max_alerts": hook["maxAlerts"],
        "http_config": {"authorization": {"type": kind, "credentials_file": str(token_file)}},
    }


def scrape_config(job: str, address: str, path: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """One job of a plain Prometheus with the labels that our monitors give its targets in a cluster."""
    target = {"targets": [address], "labels": {"namespace": "local", **labels}}
    return {"job_name": f"{job}/{address}", "metrics_path": path, "static_configs": [_named(target, job)]}


def _named(target: Mapping[str, Any], job: str) -> dict[str, Any]:
    """`job` is a label like any other where the target sets it."""
    return {**target, "labels": {**target["labels"], "job": job}}


def plain_prometheus(
    scrapes: Sequence[Mapping[str, Any]], rule_paths: Sequence[Path], alertmanager: str, interval: str
) -> dict[str, Any]:
    """Prometheus' own configuration; without an address of Alertmanager alerts are evaluated and go nowhere."""
    made: dict[str, Any] = {
        "global": {"scrape_interval": interval, "evaluation_interval": interval, "scrape_timeout": interval},
        "rule_files": [str(path) for path in rule_paths],
        "scrape_configs": list(scrapes),
    }
    if alertmanager:
        made["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    return made
