"""Alerts that fire are events, those with `pedalflow_reason` of the kind that it names; a resolved one takes back what it said."""

from __future__ import annotations

from typing import Any

import pytest

from tests.samples.trigger_deliveries import delivery
from triggers.errors import Refused
from triggers.events import IS_DRIFT, RELEASE, WEIGHED, Kind, Source
from triggers.sources.source_settings import SourceSettings

BEGAN = "2026-11-21T08:13:45.828394817Z"


def test_an_alert_about_drift_is_a_verdict_of_drift():
    event = delivery("alertmanager/drift").event()

    assert (event.source, event.kind, event.subject) == (Source.ALERTMANAGER, Kind.DRIFT, "pedalflow/drift")
    assert event.delivery == f"1a30ba71cca2921f/{BEGAN}"
    assert event.facts[IS_DRIFT] is True
    assert event.facts[RELEASE] == "r-40eba854257d"
    assert event.occurred == 1795248825.828394
    assert event.summary == (
        "The alert PedalflowDrift on 10.2.0.7:9031 fires: PedalflowDrift for a quarter of an hour"
    )


def test_a_group_is_an_event_for_each_alert_and_a_resolved_one_says_that_nothing_drifts_any_more():
    concept, slow, resolved = delivery("alertmanager/group").parsed()

    assert (concept.kind, concept.subject) == (Kind.CONCEPT_DRIFT, "pedalflow/concept-drift")
    assert (slow.kind, slow.subject) == (Kind.ALERT, "PedalflowSlow on 10.2.0.9:9500")
    assert IS_DRIFT not in slow.facts
    assert (resolved.kind, resolved.delivery) == (Kind.DRIFT, f"1a30ba71cca2921f/{BEGAN}/resolved")
    assert (resolved.facts[IS_DRIFT], resolved.facts[WEIGHED]) == (False, True)
    assert resolved.occurred == 1795250625.828394
    assert resolved.summary == "The alert PedalflowDrift on 10.2.0.7:9031 is resolved"


def test_an_alert_that_is_sent_again_while_it_fires_is_the_same_delivery():
    first, again = delivery("alertmanager/drift"), delivery("alertmanager/drift")

    assert first.event().delivery == again.with_content({"groupKey": "{}:{}"}).event().delivery


@pytest.mark.parametrize(
    ("reason", "kind", "verdict"),
    [
        ("drift", Kind.DRIFT, True),
        ("concept-drift", Kind.CONCEPT_DRIFT, True),
        ("outliers", Kind.OUTLIERS, None),
        ("adversarial", Kind.ADVERSARIAL, None),
        ("code", Kind.ALERT, None),
        ("", Kind.ALERT, None),
        (3, Kind.ALERT, None),
    ],
)
def test_the_label_says_which_kind(reason: object, kind: Kind, verdict: bool | None):
    event = delivery("alertmanager/drift").with_content({"alerts.0.labels.pedalflow_reason": reason}).event()

    assert (event.kind, event.facts.get(IS_DRIFT)) == (kind, verdict)


def test_a_resolved_alert_is_about_the_same_thing_as_the_one_that_fired():
    fires = delivery("alertmanager/drift")
    resolved = fires.with_content({"alerts.0.status": "resolved", "alerts.0.endsAt": BEGAN}).event()

    assert (resolved.kind, resolved.subject) == (fires.event().kind, fires.event().subject)
    assert resolved.facts[RELEASE] == fires.event().facts[RELEASE]


@pytest.mark.parametrize("reason", ["outliers", "adversarial", ""])
def test_a_resolved_alert_without_a_verdict_is_recorded_only(reason: str):
    change = {"alerts.0.status": "resolved", "alerts.0.endsAt": BEGAN}
    labelled = {**change, "alerts.0.labels.pedalflow_reason": reason}
    resolved = delivery("alertmanager/drift").with_content(labelled).event()

    assert (resolved.kind, IS_DRIFT in resolved.facts) == (Kind.OTHER, False)


def test_an_alert_that_names_no_model_is_about_the_one_of_the_settings():
    alert = delivery("alertmanager/drift").with_content({"alerts.0.labels.inferenceservice": ...})

    assert alert.event(SourceSettings(model="bikes")).subject == "bikes/drift"


def test_without_a_fingerprint_the_labels_tell_alerts_apart():
    change = {"alerts.0.fingerprint": ..., "alerts.1.fingerprint": ..., "alerts.2.fingerprint": ...}

    deliveries = [event.delivery for event in delivery("alertmanager/group").with_content(change).parsed()]
    again = [event.delivery for event in delivery("alertmanager/group").with_content(change).parsed()]

    assert len(set(deliveries)) == 3
    assert deliveries == again


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alerts": ...}, "alerts must be an array"),
        ({"alerts": [None]}, r"alerts\[0\] must be a JSON object, but is missing or null"),
        ({"alerts.0.status": ...}, r"alerts\[0\].status must be a string"),
        ({"alerts.0.labels": []}, r"alerts\[0\].labels must be a JSON object"),
        ({"alerts.0.startsAt": "0001-01-01T00:00:00Z"}, r"alerts\[0\].startsAt must be a moment"),
        ({"alerts.0.startsAt": 5}, r"alerts\[0\].startsAt must be a string"),
    ],
)
def test_a_group_of_another_form_is_refused_by_the_field(change: dict[str, Any], message: str):
    with pytest.raises(Refused, match=message):
        delivery("alertmanager/drift").with_content(change).parsed()


def test_a_group_without_alerts_is_no_event():
    assert delivery("alertmanager/drift").with_content({"alerts": []}).parsed() == ()


def test_more_alerts_than_may_come_at_once_are_refused():
    alert = delivery("alertmanager/drift").content["alerts"][0]

    with pytest.raises(Refused, match="1,001 events came in one delivery") as refused:
        delivery("alertmanager/drift").with_content({"alerts": [alert] * 1001}).parsed()

    assert refused.value.rule == "MANY"
