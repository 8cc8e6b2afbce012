"""Rows of requests: which are taken, which are refused and what the refusal says."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bikeshare.request_schema import request_schema
from serving.scoring.errors import BadRequest
from serving.scoring.request import Columns, RequestSchema, days_to_text

SCHEMA = RequestSchema.from_json(request_schema())
ROW: dict[str, Any] = {
    "dteday": "2012-07-04", "season": 3, "hr": 17, "holiday": 1, "weekday": 3, "workingday": 0, "weathersit": 1, "temp": 0.8,
    "atemp": 0.75, "hum": 0.5, "windspeed": 0.1,
}  # fmt: skip
DAYS = (date(2012, 7, 4) - date(1970, 1, 1)).days
NAN, INF = math.nan, math.inf

WRONG = [
    ("dteday", "2012-02-30", "NOT_A_DATE"),
    ("dteday", "20120704", "NOT_A_DATE"),
    ("dteday", "2012-W27-3", "NOT_A_DATE"),
    ("dteday", "2012-7-4", "NOT_A_DATE"),
    ("dteday", "", "NOT_A_DATE"),
    ("dteday", "2010-12-31", "RANGE"),
    ("dteday", 14974, "RANGE"),
    ("dteday", 15525.5, "NOT_AN_INTEGER"),
    ("dteday", None, "TYPE"),
    ("dteday", True, "TYPE"),
    ("hr", 24, "RANGE"),
    ("hr", -1, "RANGE"),
    ("hr", 10**30, "RANGE"),
    ("hr", 17.5, "NOT_AN_INTEGER"),
    ("hr", "17", "TYPE"),
    ("hr", True, "TYPE"),
    ("hr", None, "TYPE"),
    ("hr", NAN, "NOT_FINITE"),
    ("hr", INF, "NOT_FINITE"),
    ("temp", NAN, "NOT_FINITE"),
    ("temp", -INF, "NOT_FINITE"),
    ("temp", 1.0001, "RANGE"),
    ("temp", 2, "RANGE"),
    ("temp", -(10**400), "RANGE"),
    ("temp", "0.5", "TYPE"),
    ("temp", False, "TYPE"),
    ("temp", [0.5], "TYPE"),
    ("temp", {}, "TYPE"),
    ("temp", None, "TYPE"),
]
RIGHT = [
    ("dteday", DAYS, DAYS),
    ("dteday", float(DAYS), DAYS),
    ("hr", 17.0, 17),
    ("temp", 1, 1.0),
    ("temp", 0, 0.0),
]


def values(row: dict[str, Any]) -> list[Any]:
    return list(row.values())


def same(one: Columns, other: Columns) -> bool:
    return list(one) == list(other) and all(
        one[name].dtype == other[name].dtype and (one[name] == other[name]).all() for name in one
    )


def test_fields_stand_in_the_order_of_the_schemas_required() -> None:
    assert SCHEMA.names == tuple(ROW)
    assert SCHEMA.fields[2].takes == "a whole number from 0 to 23"
    assert SCHEMA.fields[0].takes.startswith("a date from 2011-01-01 to 2050-12-31 as text YYYY-MM-DD")


def test_a_row_becomes_columns_of_the_fields_types() -> None:
    columns = SCHEMA.from_records([ROW])

    assert columns["dteday"].tolist() == [DAYS]
    assert {str(column.dtype) for column in columns.values()} == {"int64", "float64"}
    assert columns["temp"].dtype == np.float64 and columns["hr"].dtype == np.int64


@pytest.mark.parametrize("others", [0, 2])
@pytest.mark.parametrize(("field", "value", "rule"), WRONG)
def test_a_wrong_value_is_refused_by_row_field_value_and_rule(
    field: str, value: Any, rule: str, others: int
) -> None:
    rows = [*[ROW] * others, {**ROW, field: value}]
    refusals = []
    for read in (
        lambda: SCHEMA.from_records(rows),
        lambda: SCHEMA.from_table(list(ROW), [values(row) for row in rows]),
    ):
        with pytest.raises(BadRequest) as caught:
            read()
        refusals.append(caught.value)

    assert {(bad.rule, bad.field, bad.row) for bad in refusals} == {(rule, field, others)}
    assert refusals[0].message.startswith(f"row {others}, field {field!r}: ")
    assert "; send a" in refusals[0].message
    assert len(refusals[0].message) < 300


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("first", "second"), list(zip(SCHEMA.names, SCHEMA.names[1:])))
def test_of_two_wrong_fields_the_first_is_named(first: str, second: str, count: int) -> None:
    with pytest.raises(BadRequest) as caught:
        SCHEMA.from_records([{**ROW, first: -1, second: -1}] * count)

    assert (caught.value.field, caught.value.row) == (first, 0)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("field", "value", "rule"), [case for case in WRONG if type(case[1]) is float])
def test_a_matrix_is_held_to_the_same_rules(field: str, value: float, rule: str, count: int) -> None:
    matrix = np.array([values({**ROW, "dteday": DAYS})] * count, np.float64)
    matrix[-1, list(ROW).index(field)] = value

    with pytest.raises(BadRequest) as caught:
        SCHEMA.from_matrix(matrix)
    assert (caught.value.rule, caught.value.field, caught.value.row) == (rule, field, count - 1)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("field", "value", "stored"), RIGHT)
def test_whole_numbers_may_be_written_as_floats_and_dates_as_days(
    field: str, value: Any, stored: float, count: int
) -> None:
    columns = SCHEMA.from_records([{**ROW, field: value}] * count)

    assert columns[field].tolist() == [stored] * count


@pytest.mark.parametrize(
    ("names", "rule", "field"),
    [
        (None, "NAMES", None),
        ("hr", "NAMES", None),
        ([], "NAMES", None),
        ([1, *list(ROW)[1:]], "NAMES", None),
        ([*list(ROW)[:-1], "wind"], "UNKNOWN_FIELD", "wind"),
        (list(ROW)[:-1], "MISSING_FIELD", "windspeed"),
        ([*ROW, "hr"], "DUPLICATE_FIELD", "hr"),
    ],
)
def test_names_must_be_all_the_fields_once_each(names: Any, rule: str, field: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        SCHEMA.from_table(names, [values(ROW)])

    assert (caught.value.rule, caught.value.field) == (rule, field)


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        ([], "NO_ROWS"),
        ([values(ROW)[:-1]], "SHAPE"),
        ([values(ROW), values(ROW)[:-1]], "SHAPE"),
        ([values(ROW), ROW], "SHAPE"),
        ([None], "SHAPE"),
        (["x" * 11], "SHAPE"),
    ],
)
def test_rows_must_be_as_long_as_the_names(rows: list[Any], rule: str) -> None:
    with pytest.raises(BadRequest) as caught:
        SCHEMA.from_table(list(ROW), rows)

    assert caught.value.rule == rule


@pytest.mark.parametrize("shape", [(2, 10), (0, 11), (11,), (1, 1, 11)])
def test_a_matrix_must_have_a_column_for_each_field(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadRequest) as caught:
        SCHEMA.from_matrix(np.zeros(shape))

    assert caught.value.rule in ("SHAPE", "NO_ROWS")


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        ({**ROW, "cnt": 3}, "UNKNOWN_FIELD"),
        ({name: ROW[name] for name in list(ROW)[1:]}, "MISSING_FIELD"),
        (values(ROW), "TYPE"),
        (None, "TYPE"),
    ],
)
def test_a_record_must_have_all_fields_and_no_other(record: Any, rule: str) -> None:
    with pytest.raises(BadRequest) as caught:
        SCHEMA.from_records([ROW, record])

    assert (caught.value.rule, caught.value.row) == (rule, 1)


def test_columns_may_come_in_any_order() -> None:
    names = list(reversed(ROW))

    assert same(SCHEMA.from_table(names, [[ROW[name] for name in names]] * 2), SCHEMA.from_records([ROW] * 2))


def test_the_memory_of_orders_is_bounded() -> None:
    schema = RequestSchema(SCHEMA.fields)
    names = list(ROW)
    for shift in range(11):
        for other in range(11):
            names[shift], names[other] = names[other], names[shift]
            schema.order(names)

    assert len(schema._orders) <= 64


def test_a_refused_value_is_shown_short() -> None:
    with pytest.raises(BadRequest) as caught:
        SCHEMA.from_records([{**ROW, "temp": "x" * 100_000}])

    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "described",
    [
        {"properties": {}, "required": []},
        {"properties": {"a": {"type": "integer"}}, "required": []},
        {"properties": {"a": {"type": "string"}}, "required": ["a"]},
    ],
)
def test_a_schema_that_cannot_be_served_is_refused(described: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        RequestSchema.from_json(described)


EXAMPLES = settings(
    derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # the same ones on every machine, however busy it is


def _field_values(index: int) -> st.SearchStrategy[Any]:
    field = SCHEMA.fields[index]
    if field.kind == "number":
        return st.floats(field.low, field.high)
    whole = st.integers(int(field.low), int(field.high))
    return st.one_of(whole, whole.map(days_to_text)) if field.kind == "date" else whole


ROWS = st.lists(
    st.fixed_dictionaries({name: _field_values(i) for i, name in enumerate(SCHEMA.names)}),
    min_size=1,
    max_size=4,
)


@EXAMPLES
@given(ROWS)
def test_rows_survive_the_way_to_columns_and_back(rows: list[dict[str, Any]]) -> None:
    columns = SCHEMA.from_records(rows)
    back = SCHEMA.to_records(columns)

    assert same(SCHEMA.from_records(back), columns)
    assert same(
        SCHEMA.from_table(SCHEMA.names, [[row[name] for name in SCHEMA.names] for row in rows]), columns
    )
    assert same(SCHEMA.from_matrix(np.stack([c.astype(float) for c in columns.values()], axis=1)), columns)
    assert SCHEMA.to_lists(columns)["dteday"] == [row["dteday"] for row in back]


@EXAMPLES
@given(ROWS)
def test_one_row_is_read_as_many_are(rows: list[dict[str, Any]]) -> None:
    row = SCHEMA.one_record(rows[0])

    assert same(SCHEMA.columns(row), SCHEMA.from_records([rows[0]]))
    assert SCHEMA.row_to_lists(row) == SCHEMA.to_lists(SCHEMA.columns(row))
    assert {name: value[0] for name, value in SCHEMA.from_records([rows[0]] * 2).items()} == row
