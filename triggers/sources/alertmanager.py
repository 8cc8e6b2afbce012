"""Alertmanager's webhook, version 4: one event for each alert that fires, and one when it is resolved.

An alert with the label `pedalflow_reason` counts as what the label says; all others are alerts that people look at. One about drift that is
resolved is the verdict that nothing drifts any more; others are recorded. Layout: Prometheus, "Alerting configuration", webhook_config.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from triggers.events import IS_DRIFT, RELEASE, WEIGHED, Event, Fact, Kind, Source
from triggers.policy import VERDICTS
from triggers.sources.reading import (
    Object,
    list_of,
    moment_of,
    moment_or_none,
    object_of,
    object_or_nothing,
    read_object,
    text_of,
    text_or_nothing,
)
from triggers.sources.source_settings import SourceSettings

REASON = "pedalflow_reason"
KINDS: Mapping[str, Kind] = {
    kind.value: kind for kind in (Kind.DRIFT, Kind.CONCEPT_DRIFT, Kind.OUTLIERS, Kind.ADVERSARIAL)
}
_FIRING, _RESOLVED = "firing", "resolved"
_MODEL_LABELS = ("inferenceservice", "inferenceservicename", "deployment_name", "model_name", "model")
_MOST_LABELS = 40


def parse_alertmanager(
    headers: Mapping[str, str], body: bytes, settings: SourceSettings
) -> tuple[Event, ...]:
    """An event for each alert of the group. Headers are not needed."""
    alerts = list_of(read_object(body).get("alerts"), "alerts")
    return tuple(
        _event(object_of(alert, f"alerts[{index}]"), f"alerts[{index}]", settings)
        for index, alert in enumerate(alerts)
    )


def _event(alert: Object, where: str, settings: SourceSettings) -> Event:
    labels = _labels(object_of(alert.get("labels"), f"{where}.labels"))
    status = text_of(alert.get("status"), f"{where}.status")
    began = text_of(alert.get("startsAt"), f"{where}.startsAt")
    occurred = moment_of(began, f"{where}.startsAt")
    name = f"{_fingerprint(alert, labels)}/{began}"
    if status == _FIRING:
        return _firing(name, occurred, alert, labels, settings)
    ended = moment_or_none(alert.get("endsAt"), f"{where}.endsAt") if status == _RESOLVED else occurred
    return _not_firing(f"{name}/{status}", ended, status, labels, settings)


def _firing(
    name: str, occurred: float, alert: Object, labels: dict[str, Fact], settings: SourceSettings
) -> Event:
    kind = _kind(labels)
    says = object_or_nothing(alert.get("annotations"))
    said = text_or_nothing(says.get("summary")) or text_or_nothing(says.get("description"))
    return Event(
        source=Source.ALERTMANAGER,
        delivery=name,
        kind=kind,
        subject=_subject(kind, labels, settings),
        summary=f"The alert {_title(labels)} fires{f': {said}' if said else ''}",
        occurred=occurred,
        facts={
            **_verdict(kind, labels, is_drift=True),
            "labels": labels,
            "url": text_or_nothing(alert.get("generatorURL")),
        },
    )


def _not_firing(
    delivery: str, occurred: float | None, status: str, labels: dict[str, Fact], settings: SourceSettings
) -> Event:
    kind = _kind(labels) if status == _RESOLVED and _kind(labels) in VERDICTS else Kind.OTHER
    return Event(
        source=Source.ALERTMANAGER,
        delivery=delivery,
        kind=kind,
        subject=_subject(kind, labels, settings),
        summary=f"The alert {_title(labels)} is {status}",
        occurred=occurred,
        facts={**_verdict(kind, labels, is_drift=False), "status": status, "labels": labels},
    )


def _kind(labels: Mapping[str, Fact]) -> Kind:
    return KINDS.get(text_or_nothing(labels.get(REASON)), Kind.ALERT)


def _subject(kind: Kind, labels: Mapping[str, Fact], settings: SourceSettings) -> str:
    return f"{_model(labels, settings)}/{kind.value}" if kind in KINDS.values() else _title(labels)


def _verdict(kind: Kind, labels: Mapping[str, Fact], *, is_drift: bool) -> dict[str, Fact]:
    if kind not in VERDICTS:
        return {}
    return {IS_DRIFT: is_drift, WEIGHED: True, RELEASE: text_or_nothing(labels.get(RELEASE))}


def _labels(labels: Object) -> dict[str, Fact]:
    """Those that are text, as all of Prometheus' are."""
    texts = {name: value for name, value in labels.items() if isinstance(value, str)}
    return {name: texts[name] for name in sorted(texts)[:_MOST_LABELS]}


def _title(labels: Mapping[str, Fact]) -> str:
    instance = text_or_nothing(labels.get("instance"))
    return (text_or_nothing(labels.get("alertname")) or "without a name") + (
        f" on {instance}" if instance else ""
    )


def _model(labels: Mapping[str, Fact], settings: SourceSettings) -> str:
    named = (text_or_nothing(labels.get(label)) for label in _MODEL_LABELS)
    return next(filter(None, named), settings.model)


def _fingerprint(alert: Object, labels: Mapping[str, Fact]) -> str:
    """Alertmanager's own or, from one that sends none, a hash of the labels, which is what it stands for."""
    given = text_or_nothing(alert.get("fingerprint")).strip()
    return given or hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16]
