"""CloudEvents: what is read, what is refused, and that what is sent has the vendor's layout."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from serving.events import (
    DRIFT,
    Emitted,
    EventRefused,
    FeedbackSeen,
    RequestSeen,
    ResponseSeen,
    parse_event,
    read_message,
)
from serving.scoring.request import RequestSchema
from tests.samples import event_messages as messages
from tests.samples.small_release import sample_rows

NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def schema() -> RequestSchema:
    from bikeshare.request_schema import request_schema

    return RequestSchema.from_json(request_schema())


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


def test_binary_mode_is_read_as_seldons_logger_sends_it() -> None:
    sent = messages.request("abc", sample_rows(1))
    event = parse_event(sent.headers, sent.body, NOW)
    assert (event.id, event.source, event.type) == ("request-abc", "http://localhost:8000/", messages.REQUEST)
    assert event.extensions == {
        "requestid": "abc",
        "modelid": "predictor",
        "inferenceservicename": "pedalflow",
        "namespace": "seldon",
        "endpoint": "main",
        "protocol": "seldon",
    }
    assert event.time == pytest.approx(1769860800.123456)


@pytest.mark.parametrize("packed", [False, True])
def test_structured_mode_says_the_same_as_binary_mode(packed: bool, schema: RequestSchema) -> None:
    sent = messages.request("abc", sample_rows(2))
    content = {name[3:].lower(): value for name, value in sent.headers.items() if name.startswith("Ce-")}
    if packed:
        content["data_base64"] = base64.b64encode(sent.body).decode()
    else:
        content["data"] = json.loads(sent.body)
    headers = {"content-type": "application/cloudevents+json; charset=utf-8"}
    structured = parse_event(headers, json.dumps(content).encode(), NOW)
    binary = parse_event(sent.headers, sent.body, NOW)
    assert (structured.id, structured.time, structured.extensions) == (
        binary.id,
        binary.time,
        binary.extensions,
    )
    message = read_message(structured, schema)
    assert isinstance(message, RequestSeen)
    assert len(message.columns["hr"]) == 2


GOOD = dict(messages.request("abc", [{"hr": 1}]).headers)


@pytest.mark.parametrize(
    ("headers", "body", "rule"),
    [
        ({}, b"{}", "ATTRIBUTES"),
        (without(GOOD, "Ce-Id"), b"{}", "ATTRIBUTES"),
        (without(GOOD, "Ce-Specversion"), b"{}", "ATTRIBUTES"),
        ({**GOOD, "Ce-Specversion": "0.3"}, b"{}", "VERSION"),
        ({**GOOD, "Ce-Time": "yesterday"}, b"{}", "TIME"),
        ({**GOOD, "Ce-Id": "x" * 2000}, b"{}", "ATTRIBUTES"),
        ({**GOOD, **{f"Ce-X{number}": "1" for number in range(80)}}, b"{}", "ATTRIBUTES"),
        ({"Content-Type": "application/cloudevents-batch+json"}, b"[]", "BATCH"),
        ({"Content-Type": "application/cloudevents+avro"}, b"", "FORMAT"),
        ({"Content-Type": "application/cloudevents+json"}, b"{", "JSON"),
        ({"Content-Type": "application/cloudevents+json"}, b"[]", "JSON"),
        ({"Content-Type": "application/cloudevents+json"}, b'{"data_base64": "%"}', "DATA"),
    ],
)
def test_what_is_no_cloud_event_is_refused_with_its_rule(
    headers: dict[str, str], body: bytes, rule: str
) -> None:
    with pytest.raises(EventRefused) as refused:
        parse_event(headers, body, NOW)
    assert refused.value.rule == rule
    assert refused.value.code == 400


@pytest.mark.parametrize(
    ("kind", "content", "rule"),
    [
        (messages.REQUEST, b"no json", "JSON"),
        (messages.REQUEST, {"data": {"names": ["hr"], "ndarray": [[1]]}}, "MISSING_FIELD"),
        (messages.RESPONSE, {"status": {"status": "FAILURE"}}, "FORM"),
        (messages.FEEDBACK, {"truth": {"data": {"ndarray": [["many"]]}}}, "LABELS"),
        (messages.FEEDBACK, {"truth": {"data": {"ndarray": [[-1]]}}}, "LABELS"),
        (messages.FEEDBACK, {"truth": 7}, "FORM"),
        (messages.FEEDBACK, {}, "LABELS"),
    ],
)
def test_a_body_that_is_not_its_type_is_refused_with_its_rule(
    kind: str, content: object, rule: str, schema: RequestSchema
) -> None:
    sent = messages.message(kind, "abc", content)
    with pytest.raises(EventRefused) as refused:
        read_message(parse_event(sent.headers, sent.body, NOW), schema)
    assert refused.value.rule == rule


def test_an_event_without_a_request_id_is_refused(schema: RequestSchema) -> None:
    sent = messages.request("abc", sample_rows(1))
    headers = without(dict(sent.headers), "Ce-Requestid")
    with pytest.raises(EventRefused) as refused:
        read_message(parse_event(headers, sent.body, NOW), schema)
    assert refused.value.rule == "ID"


def test_a_type_of_others_is_not_read(schema: RequestSchema) -> None:
    sent = messages.message("com.example.other", "abc", b"anything")
    assert read_message(parse_event(sent.headers, sent.body, NOW), schema) is None


def test_a_response_tells_release_predictions_and_flags(schema: RequestSchema) -> None:
    sent = messages.response("abc", "r-1", [1.5, 2.5], [False, True])
    assert read_message(parse_event(sent.headers, sent.body, NOW), schema) == ResponseSeen(
        "abc", "r-1", (1.5, 2.5), (False, True), ((), ("range: hum",))
    )


def test_feedback_is_joined_by_the_puid_in_it_because_the_header_may_be_new(schema: RequestSchema) -> None:
    sent = messages.feedback("abc", [12, 30])
    headers = {**sent.headers, "Ce-Requestid": "made-up-by-the-executor"}
    assert read_message(parse_event(headers, sent.body, NOW), schema) == FeedbackSeen("abc", (12.0, 30.0))


def test_feedback_without_a_puid_is_joined_by_the_header(schema: RequestSchema) -> None:
    sent = messages.message(messages.FEEDBACK, "abc", {"truth": {"data": {"ndarray": [[12]]}}, "reward": 1})
    assert read_message(parse_event(sent.headers, sent.body, NOW), schema) == FeedbackSeen("abc", (12.0,))


def test_a_time_that_lies_ahead_is_the_time_of_arrival() -> None:
    sent = messages.request("abc", sample_rows(1))
    assert parse_event({**sent.headers, "Ce-Time": "2999-01-01T00:00:00Z"}, sent.body, NOW).time == NOW


def test_what_is_sent_can_be_read_again_with_the_extensions_that_it_inherited() -> None:
    extensions = {"requestid": "abc", "namespace": "seldon", "note": "50 % und mehr: ü"}
    sent = Emitted(
        "1", DRIFT, "io.seldon.serving.pedalflow-drift", 1.5, extensions, {"data": {"is_drift": 1}}
    )
    headers = sent.headers()
    assert all(value.isascii() for value in headers.values())
    event = parse_event(headers, sent.body(), NOW)
    assert (event.id, event.type, event.time, event.extensions) == ("1", DRIFT, 1.5, extensions)
    assert json.loads(event.body) == {"data": {"is_drift": 1}}


def test_numbers_of_a_request_keep_their_types(schema: RequestSchema) -> None:
    sent = messages.request("abc", sample_rows(1))
    message = read_message(parse_event(sent.headers, sent.body, NOW), schema)
    assert isinstance(message, RequestSeen)
    assert message.columns["temp"].dtype == np.float64
    assert message.lists["dteday"] == ["2011-01-01"]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ({"data": {"ndarray": [["nan"]]}}, "PREDICTION"),
        ({"data": {"ndarray": [["12"]]}}, "PREDICTION"),
        ({"data": {"tensor": {"shape": [1, 1], "values": [True]}}}, "PREDICTION"),
        ({"outputs": [{"data": ["Infinity"]}]}, "PREDICTION"),
        ({"data": {"ndarray": [[1.0]]}, "meta": {"tags": ["release"]}}, "TAGS"),
        ({"jsonData": {}}, None),
        ({"jsonData": [{}]}, None),
    ],
)
def test_a_reply_whose_predictions_are_no_finite_numbers_is_refused(
    content: object, rule: str | None, schema: RequestSchema
) -> None:
    sent = messages.message(messages.RESPONSE, "abc", content)
    with pytest.raises(EventRefused) as refused:
        read_message(parse_event(sent.headers, sent.body, NOW), schema)
    assert len(str(refused.value)) > 20
    assert rule is None or refused.value.rule == rule


def test_a_time_that_no_calendar_has_is_refused() -> None:
    with pytest.raises(EventRefused) as refused:
        parse_event({**GOOD, "Ce-Time": "0001-01-01T00:00:00+23:59"}, b"", NOW)
    assert refused.value.rule == "TIME"
