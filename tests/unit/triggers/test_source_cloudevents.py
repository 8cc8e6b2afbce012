"""CloudEvents of all content modes: what the detectors, a pipeline or a bucket say becomes an event of its kind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.samples.trigger_deliveries import Delivery, delivery
from triggers.errors import Refused
from triggers.events import IS_DRIFT, OBJECTS, RELEASE, Kind, Source
from triggers.sources.source_settings import SourceSettings

SENT = 1795248467.215  # 2026-11-21T08:07:47.215Z


def test_a_window_that_drifts_is_a_verdict_with_its_figures():
    event = delivery("cloudevents/drift").event()

    assert (event.source, event.kind, event.subject) == (Source.CLOUDEVENTS, Kind.DRIFT, "pedalflow/drift")
    assert event.delivery == "io.seldon.serving.pedalflow-drift 0736413f-f4ea-4c65-afa8-5255aac96fc5"
    assert event.summary == "Drift of pedalflow in the rows of 2012-04-22 to 2012-04-29: score 4.00, limit 1"
    assert event.facts[IS_DRIFT] is True
    assert event.facts[RELEASE] == "r-40eba854257d"
    assert (event.facts["score"], event.facts["threshold"]) == (4.0, 1.0)
    assert event.facts["window"] == {"rows": 168, "first": "2012-04-22", "last": "2012-04-29"}
    assert event.facts["namespace"] == "seldon"
    assert len(event.facts["reasons"]) == 2
    assert (event.occurred, event.request_id) == (SENT, "q167")


def test_the_time_of_the_data_is_the_end_of_the_windows_last_day():
    assert delivery("cloudevents/drift").event().data_time == 1335744000  # 2012-04-30T00:00:00Z


def test_a_window_that_does_not_drift_is_a_verdict_too():
    event = delivery("cloudevents/no_drift").event()

    assert event.facts[IS_DRIFT] is False
    assert event.summary.startswith("No drift of pedalflow")


def test_a_day_of_concept_drift_has_its_errors():
    event = delivery("cloudevents/concept_drift").event()

    assert (event.kind, event.subject) == (Kind.CONCEPT_DRIFT, "pedalflow/concept-drift")
    assert event.facts[IS_DRIFT] is True
    assert (event.facts["day"], event.facts["rmse"], event.facts["wape"]) == ("2012-01-09", 158.6, 0.414)
    assert event.facts["rolling"] == {"rows": 168, "rmse": 97.6, "wape": 0.345}
    assert event.data_time == 1326153600  # 2012-01-10T00:00:00Z
    assert event.summary == "Concept drift of pedalflow on 2012-01-09: score 1.31, limit 1"


def test_the_vendors_server_is_understood():
    event = delivery("cloudevents/drift_of_the_vendor").event()

    assert (event.kind, event.subject, event.facts[IS_DRIFT]) == (Kind.DRIFT, "cifar10/drift", True)
    assert (event.occurred, event.data_time) == (None, None)
    assert RELEASE not in event.facts
    assert event.summary == "Drift of cifar10"


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(1, True), (0, False), (True, True), (False, False), ([1], True), ([False], False), (1.0, True)],
)
def test_a_verdict_has_several_forms(value: object, verdict: bool):
    event = delivery("cloudevents/drift").with_content({"data.is_drift": value}).event()

    assert event.facts[IS_DRIFT] is verdict


@pytest.mark.parametrize("value", [2, "yes", None, [], [0, 1], {}, [[1]], -1, ...])
def test_what_is_no_verdict_is_refused(value: object):
    with pytest.raises(Refused, match=r"data\.is_drift must be 0 or 1") as refused:
        delivery("cloudevents/drift").with_content({"data.is_drift": value}).parsed()

    assert refused.value.rule == "FIELD"


def test_a_verdict_may_stand_without_the_vendors_frame():
    sent = delivery("cloudevents/drift")

    flat = Delivery(sent.source, sent.headers, sent.content["data"])

    assert flat.parsed() == sent.parsed()


def test_data_from_after_its_event_tells_no_time():
    ahead = delivery("cloudevents/drift").with_content({"data.window.last": "2026-11-23"})
    today = delivery("cloudevents/drift").with_content({"data.window.last": "2026-11-21"})

    assert ahead.event().data_time is None
    assert today.event().data_time == 1795305600


@pytest.mark.parametrize("last", [None, 3, "", "soon", "2012-13-01", "9999-12-31", {}])
def test_a_window_without_a_date_that_can_be_read_tells_no_time(last: object):
    assert delivery("cloudevents/drift").with_content({"data.window.last": last}).event().data_time is None


@pytest.mark.parametrize(
    ("name", "kind", "summary"),
    [
        ("outliers", Kind.OUTLIERS, "1 of 2 rows of a request were flagged as outliers"),
        ("adversarial", Kind.ADVERSARIAL, "1 of 1 rows of a request were flagged as made to move the model"),
    ],
)
def test_flagged_rows_are_recorded_with_their_request(name: str, kind: Kind, summary: str):
    event = delivery(f"cloudevents/{name}").event()

    assert (event.kind, event.summary) == (kind, summary)
    assert event.subject == f"pedalflow/{kind.value}"
    assert event.request_id in ("q30", "q31")


def test_the_request_id_in_the_message_counts_where_the_header_has_none():
    assert delivery("cloudevents/outliers").with_headers(ce_requestid=None).event().request_id == "q30"


@pytest.mark.parametrize(
    ("headers", "subject"),
    [
        ({}, "pedalflow/drift"),
        ({"ce_inferenceservicename": None}, "predictor/drift"),
        ({"ce_inferenceservicename": None, "ce_modelid": None}, "bikes/drift"),
    ],
)
def test_the_subject_is_the_service_or_the_model_or_the_setting(headers: dict[str, Any], subject: str):
    sent = delivery("cloudevents/drift").with_headers(**headers)

    assert sent.event(SourceSettings(model="bikes")).subject == subject


def test_a_structured_event_says_what_a_binary_one_says():
    structured, binary = (
        delivery("cloudevents/drift_structured").event(),
        delivery("cloudevents/drift").event(),
    )

    assert (structured.kind, structured.subject, structured.occurred) == (
        binary.kind,
        binary.subject,
        binary.occurred,
    )
    assert structured.facts[IS_DRIFT] is True


def test_data_in_base64_is_read():
    base64 = delivery("cloudevents/concept_drift_base64").event()

    assert base64.facts == delivery("cloudevents/concept_drift").event().facts


def test_a_batch_is_an_event_for_each():
    events = delivery("cloudevents/batch").parsed()

    assert [event.facts[IS_DRIFT] for event in events] == [False, True]
    assert events[0].delivery != events[1].delivery


def test_one_bad_event_refuses_the_whole_batch():
    with pytest.raises(Refused, match="id missing"):
        delivery("cloudevents/batch").with_content({"1.id": ...}).parsed()


def test_headers_are_percent_decoded_and_an_unknown_type_is_recorded_unread():
    event = delivery("cloudevents/percent_encoded").event()

    assert (event.kind, event.subject) == (Kind.OTHER, '"Euro € 😀"')
    assert event.delivery == "/stations/München München #1"
    assert event.summary == "An event of the type org.example.station.opened from /stations/München"


def test_a_header_in_quotation_marks_is_unpacked():
    event = delivery("cloudevents/percent_encoded").with_headers(ce_subject='"a \\"b\\" c"').event()

    assert event.subject == 'a "b" c'


def test_the_end_of_a_run_is_recorded_with_its_artifacts():
    event = delivery("cloudevents/run_completion").event()

    assert (event.kind, event.subject) == (Kind.RUN_COMPLETION, "pedalflow")
    assert event.summary == "A run of pedalflow succeeded"
    assert event.facts["status"] == "succeeded"
    assert event.facts["runName"] == "pedalflow-8hq2k"
    assert event.facts["artifacts"] == [
        {"name": "serving-model", "location": "gs://bike-models/pedalflow/Pusher/pushed_model/17"}
    ]


def test_an_object_of_google_cloud_is_the_same_by_eventarc_and_by_pubsub():
    eventarc, pushed = delivery("cloudevents/gcs_marker").event(), delivery("pubsub/marker").event()

    assert eventarc.kind is pushed.kind is Kind.STORAGE
    assert eventarc.facts[OBJECTS] == pushed.facts[OBJECTS] == ["gs://bike-hours/2012-01/"]
    assert eventarc.delivery == pushed.delivery == "bike-hours/2012-01/_SUCCESS/1328056269104211"
    assert eventarc.data_time == 1328056269.104


def test_an_object_that_is_not_the_marker_is_recorded():
    assert delivery("cloudevents/gcs_object").event().kind is Kind.OTHER


def test_source_and_id_tell_events_apart():
    first, second = (
        delivery("cloudevents/drift"),
        delivery("cloudevents/drift").with_headers(ce_source="other"),
    )

    assert first.event().delivery != second.event().delivery


@pytest.mark.parametrize(
    ("headers", "rule", "message"),
    [
        ({"ce_id": None}, "CLOUDEVENT", "id missing"),
        ({"ce_id": None, "ce_type": " "}, "CLOUDEVENT", "id, type missing"),
        ({"ce_specversion": "0.3"}, "CLOUDEVENT", "specversion must be 1.0, but is 0.3"),
        ({"ce_source": "a b"}, "CLOUDEVENT", "no blanks"),
        ({"ce_source": "a%20b"}, "CLOUDEVENT", "no blanks"),
        ({"ce_id": "x" * 2000}, "CLOUDEVENT", "1024 characters"),
        ({"ce_id": "%ff"}, "HEADER", "percent-encoded"),
        ({"ce_time": "yesterday"}, "TIME", "time must be a moment"),
        ({"content_type": "application/cloudevents+avro"}, "HEADER", "not as application/cloudevents"),
    ],
)
def test_what_is_no_cloudevent_is_refused(headers: dict[str, Any], rule: str, message: str):
    with pytest.raises(Refused, match=message) as refused:
        delivery("cloudevents/drift").with_headers(**headers).parsed()

    assert refused.value.rule == rule


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data_base64": "e30="}, "both data and data_base64"),
        ({"data": ..., "data_base64": "?"}, "not base64"),
        ({"data": ..., "data_base64": 3}, "not base64"),
        ({"data": "text"}, "the event's data must be a JSON object, but is a string"),
        ({"data": ...}, "missing or null"),
        ({"id": 3.5}, "id missing"),
    ],
)
def test_a_structured_event_of_another_form_is_refused(change: dict[str, Any], message: str):
    with pytest.raises(Refused, match=message):
        delivery("cloudevents/drift_structured").with_content(change).parsed()


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("run_completion", "data.status"),
        ("run_completion", "data.pipelineName"),
        ("gcs_marker", "name"),
        ("gcs_marker", "bucket"),
    ],
)
def test_a_field_that_is_needed_is_named_when_it_is_missing(name: str, field: str):
    with pytest.raises(Refused, match=field):
        delivery(f"cloudevents/{name}").with_content({field: ...}).parsed()


def test_what_a_structured_event_has_beyond_its_attributes_is_tolerated():
    sent = delivery("cloudevents/drift_structured")

    assert sent.with_content({"extra": {"deep": [1]}, "count": 3}).parsed() == sent.parsed()
    assert json.loads(sent.body)["data"]["data"]["is_drift"] is True
