"""Messages of gRPC say what those of REST say."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from seldon_core.proto.prediction_pb2 import SeldonMessage

from serving.grpc_payloads import failure_message, parse_message, reply_message
from serving.payloads import Reply, parse_request, read_reply
from serving.scoring.errors import BadRequest
from tests.unit.serving.test_payloads import FORMS, NAMES, PREDICTIONS, ROWS, SCHEMA, TAGS, data

GRPC_FORMS = ("ndarray", "tensor", "jsonData", "binData")


def message(form: str) -> SeldonMessage:
    if form == "binData":
        return SeldonMessage(binData=json.dumps(FORMS["ndarray"]).encode())
    return ParseDict(FORMS[form], SeldonMessage())


@pytest.mark.parametrize("form", GRPC_FORMS)
def test_every_form_brings_the_columns_of_rest(form: str) -> None:
    request = parse_message(message(form), SCHEMA)
    expected = parse_request(FORMS["ndarray"], SCHEMA)

    assert (request.puid, request.tags) == ("p1", {"mine": "x"})
    assert all((request.columns[name] == expected.columns[name]).all() for name in NAMES)


def said(reply: SeldonMessage) -> Reply:
    """What a client reads in a reply."""
    return read_reply(reply.binData if reply.binData else MessageToDict(reply))


@pytest.mark.parametrize("form", GRPC_FORMS)
def test_a_reply_comes_in_the_form_of_the_request_and_can_be_read(form: str) -> None:
    in_bytes = form == "binData"
    tags = {**TAGS, "none": None, "nested": {"a": [1.0, {}]}, "empty": []}
    sent = reply_message(parse_message(message(form), SCHEMA), PREDICTIONS, "p1", tags, "count", in_bytes)
    reply = said(SeldonMessage.FromString(sent.SerializeToString()))

    assert (reply.puid, reply.predictions, reply.tags) == ("p1", tuple(PREDICTIONS), tags)
    assert (sent.data.WhichOneof("data_oneof") or sent.WhichOneof("data_oneof")) == form


def test_a_bare_object_gets_a_bare_object() -> None:
    request = parse_message(ParseDict({"jsonData": ROWS[0]}, SeldonMessage()), SCHEMA)

    assert request.row is not None
    reply = reply_message(request, np.array([2.0]), "p", {}, "count")
    assert MessageToDict(reply.jsonData) == {"count": 2.0}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ({}, "FORM"),
        ({"strData": "x"}, "FORM"),
        ({"data": {"names": NAMES}}, "FORM"),
        ({"data": {"ndarray": []}}, "NAMES"),
        (data(ndarray=[]), "NO_ROWS"),
        (data(ndarray=["x"]), "SHAPE"),
        (data(ndarray=[[None] * 11]), "TYPE"),
        (data(ndarray=[[{"a": 1}] * 11]), "TYPE"),
        (data(ndarray=[[True] * 11]), "TYPE"),
        (data(tensor={"shape": [1, 11], "values": [1.0]}), "SHAPE"),
        (data(tensor={"shape": [1, 11], "values": ["NaN"] * 11}), "NOT_FINITE"),
        (data(tensor={"shape": [0, 11], "values": []}), "NO_ROWS"),
        ({"jsonData": "x"}, "FORM"),
        ({"jsonData": ROWS, "meta": {"puid": "a b"}}, "ID"),
    ],
)
def test_a_bad_message_is_refused_by_the_rules_of_rest(content: dict[str, Any], rule: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_message(ParseDict(content, SeldonMessage()), SCHEMA)

    assert caught.value.rule == rule


def test_a_body_in_bindata_that_is_no_json_is_refused() -> None:
    with pytest.raises(BadRequest):
        parse_message(SeldonMessage(binData=b"\x00"), SCHEMA)


def test_a_refusal_is_a_message() -> None:
    content = MessageToDict(failure_message(400, "RANGE", "too hot"))

    assert content == {"status": {"code": 400, "info": "too hot", "reason": "RANGE", "status": "FAILURE"}}
