"""Messages of REST, in and out."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bikeshare.request_schema import request_schema
from serving.payloads import Request, check_id, parse_request, read_reply, reply_bytes, reply_content
from serving.scoring.errors import BadRequest
from serving.scoring.request import RequestSchema
from tests.samples.small_release import sample_rows

SCHEMA = RequestSchema.from_json(request_schema())
ROWS = sample_rows(3)
NAMES = list(ROWS[0])
LISTS = [list(row.values()) for row in ROWS]
NUMBERS = [[14975, *values[1:]] for values in LISTS]
FLAT = [value for row in NUMBERS for value in row]
META = {"puid": "p1", "tags": {"mine": "x"}}
V2_INPUT = {"name": "rows", "shape": [3, 11], "datatype": "FP64", "data": FLAT}
FORMS: dict[str, dict[str, Any]] = {
    "ndarray": {"data": {"names": NAMES, "ndarray": LISTS}, "meta": META},
    "tensor": {"data": {"names": NAMES, "tensor": {"shape": [3, 11], "values": FLAT}}, "meta": META},
    "jsonData": {"jsonData": ROWS, "meta": META},
    "v2": {"id": "p1", "inputs": [V2_INPUT]},
}
TAGS = {"release": "r-1", "outlier": [False, True, False], "outlier_reasons": [[], ["range: hum"], []]}
PREDICTIONS = np.array([1.5, 0.1, 300.0])


def data(**content: Any) -> dict[str, Any]:
    return {"data": {"names": NAMES, **content}}


def v2(**changed: Any) -> dict[str, Any]:
    return {"inputs": [{**V2_INPUT, **changed}]}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_brings_the_same_columns(form: str) -> None:
    request = parse_request(json.dumps(FORMS[form]).encode(), SCHEMA)

    expected = SCHEMA.from_records(ROWS)
    assert (request.protocol, request.puid, request.rows, request.row) == (form, "p1", 3, None)
    assert all((request.columns[name] == expected[name]).all() for name in NAMES)
    assert request.tags == ({} if form == "v2" else {"mine": "x"})


@pytest.mark.parametrize("form", FORMS)
def test_a_single_row_comes_as_plain_values_too(form: str) -> None:
    one = {
        "ndarray": data(ndarray=LISTS[:1]),
        "tensor": data(tensor={"shape": [1, 11], "values": FLAT[:11]}),
        "jsonData": {"jsonData": ROWS[0]},
        "v2": v2(shape=[1, 11], data=NUMBERS[:1]),
    }[form]
    request = parse_request(one, SCHEMA)

    assert request.row == {name: values[0] for name, values in request.columns.items()}
    assert request.alone == (form == "jsonData")


@pytest.mark.parametrize(
    "body", [orjson.dumps(FORMS["ndarray"]), json.dumps(FORMS["ndarray"]), FORMS["ndarray"]]
)
def test_bytes_text_and_parsed_json_are_taken(body: Any) -> None:
    assert parse_request(body, SCHEMA).rows == 3


@pytest.mark.parametrize("names", [NAMES, list(reversed(NAMES))])
def test_v2_may_name_its_columns_or_leave_them_out(names: list[str]) -> None:
    order = [NAMES.index(name) for name in names]
    flat = [row[place] for row in NUMBERS for place in order]
    named = {"inputs": [{**V2_INPUT, "data": flat}], "parameters": {"names": names}}
    in_tensor = v2(data=flat, parameters={"names": names})

    for message in (named, in_tensor):
        request = parse_request(message, SCHEMA)
        assert request.columns["temp"].tolist() == [row["temp"] for row in ROWS]


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff", "JSON"),
        (b'{"data": NaN}', "JSON"),
        (b'{"jsonData": {"temp": 1e400}}', "JSON"),
        (b"[" * 5000, "JSON"),
        ([], "FORM"),
        (b"3", "FORM"),
        ({}, "FORM"),
        ({"strData": "x"}, "FORM"),
        ({"binData": "eA=="}, "FORM"),
        ({"data": []}, "FORM"),
        ({"data": {"ndarray": LISTS}}, "NAMES"),
        ({"data": {"names": {}, "ndarray": LISTS}}, "NAMES"),
        ({"data": {"names": "hr", "ndarray": LISTS}}, "NAMES"),
        ({"data": {"names": True, "ndarray": LISTS}}, "NAMES"),
        ({"data": {"names": True, "ndarray": LISTS[:1]}}, "NAMES"),
        (data(), "FORM"),
        (data(ndarray={}), "FORM"),
        (data(ndarray=[]), "NO_ROWS"),
        (data(ndarray=LISTS * 5), "TOO_MANY_ROWS"),
        (data(ndarray=LISTS[0]), "TOO_MANY_ROWS"),
        (data(tensor=[]), "FORM"),
        (data(tensor={}), "FORM"),
        (data(tensor={"shape": [3, 11], "values": FLAT[:-1]}), "SHAPE"),
        (data(tensor={"shape": [33], "values": FLAT}), "SHAPE"),
        (data(tensor={"shape": [-3, -11], "values": FLAT}), "SHAPE"),
        (data(tensor={"shape": [11, 3], "values": FLAT}), "TOO_MANY_ROWS"),
        (data(tensor={"shape": ["3", 11], "values": FLAT}), "SHAPE"),
        (data(tensor={"shape": [0, 11], "values": []}), "NO_ROWS"),
        (data(tensor={"shape": [3, 11], "values": [*FLAT[:-1], None]}), "TYPE"),
        (data(tensor={"shape": [3, 11], "values": [*FLAT[:-1], 10**400]}), "RANGE"),
        ({"jsonData": []}, "NO_ROWS"),
        ({"jsonData": "x"}, "FORM"),
        ({"jsonData": [1]}, "TYPE"),
        ({"jsonData": {}}, "MISSING_FIELD"),
        ({"inputs": []}, "FORM"),
        ({"inputs": [1]}, "FORM"),
        ({"inputs": [V2_INPUT, V2_INPUT]}, "FORM"),
        (v2(datatype="BYTES"), "FORM"),
        (v2(datatype=[]), "FORM"),
        (v2(shape=[33, 1]), "TOO_MANY_ROWS"),
        (v2(shape=None), "SHAPE"),
        (v2(data=None), "FORM"),
        (v2(data=[True] * 33), "TYPE"),
        (v2(parameters={"names": ["hr"]}), "MISSING_FIELD"),
        ({"jsonData": ROWS, "meta": []}, None),
        ({"jsonData": ROWS, "meta": [1]}, "FORM"),
        ({"jsonData": ROWS, "meta": {"puid": "a b"}}, "ID"),
        ({"jsonData": ROWS, "meta": {"puid": "a" * 129}}, "ID"),
        ({"jsonData": ROWS, "meta": {"puid": 3}}, "ID"),
        ({"jsonData": ROWS, "meta": {"tags": "x"}}, "TAGS"),
    ],
)
def test_a_body_is_taken_or_refused_by_a_rule(body: Any, rule: str | None) -> None:
    if rule is None:
        assert parse_request(body, SCHEMA).rows == 3
        return
    with pytest.raises(BadRequest) as caught:
        parse_request(body, SCHEMA, max_rows=10)

    assert caught.value.rule == rule
    assert caught.value.to_json()["status"] == {
        "status": "FAILURE",
        "code": 400,
        "reason": rule,
        "info": caught.value.message,
    }


def test_too_many_rows_are_shown_another_way() -> None:
    with pytest.raises(BadRequest, match="at most 2, or use `pedalflow predict`"):
        parse_request(FORMS["ndarray"], SCHEMA, max_rows=2)


EXAMPLES = settings(
    derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # the same ones on every machine, however busy it is
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["data", "names", "ndarray", "jsonData", "tensor", "inputs", "meta", "x"]), inner
        )
    ),
    max_leaves=12,
)


@EXAMPLES
@given(JSON_VALUES)
def test_any_json_is_read_or_refused(content: Any) -> None:
    try:
        parse_request(json.dumps(content), SCHEMA)
    except BadRequest as bad:
        assert bad.message


@EXAMPLES
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_request(content, SCHEMA)


@pytest.mark.parametrize("form", FORMS)
def test_a_reply_comes_in_the_form_of_the_request_and_can_be_read(form: str) -> None:
    request = parse_request(FORMS[form], SCHEMA)
    body = reply_bytes(request, PREDICTIONS, "p1", TAGS, "count", "bikes")
    reply = read_reply(body)

    assert json.loads(body) == reply_content(request, PREDICTIONS, "p1", TAGS, "count", "bikes")
    assert (reply.puid, reply.predictions, reply.tags) == ("p1", (1.5, 0.1, 300.0), TAGS)
    assert next(iter(json.loads(body))) == {"jsonData": "jsonData", "v2": "model_name"}.get(form, "data")


def test_a_bare_object_gets_a_bare_object() -> None:
    request: Request = parse_request({"jsonData": ROWS[0]}, SCHEMA)
    body = reply_bytes(request, PREDICTIONS[:1], "p1", {}, "count")

    assert json.loads(body)["jsonData"] == {"count": 1.5}
    assert read_reply(body).predictions == (1.5,)


@pytest.mark.parametrize(
    "body",
    [b"{}", b"x", b'{"status":{"code":400}}', b'{"data":{"ndarray":[[]]}}', b'{"outputs":[]}', b'{"meta":3}'],
)
def test_what_is_no_reply_is_not_read_as_one(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_reply(body)


@pytest.mark.parametrize("puid", ["a", "8f14e45f-ceea-467f", "x" * 128, "a:b~c_d.e"])
def test_usual_ids_are_taken(puid: str) -> None:
    assert check_id(puid) == puid
