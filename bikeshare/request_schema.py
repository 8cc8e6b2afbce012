"""The JSON Schema of a prediction request, built from the table of columns; it travels inside the release."""

from __future__ import annotations

from bikeshare.columns import FEATURES
from pedalflow.columns import Column, Kind

_DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_ENCODING = "days since 1970-01-01"
_JSON_TYPES = {Kind.INTEGER: "integer", Kind.NUMBER: "number"}


def request_schema() -> dict[str, object]:
    """One row of a request: every feature and nothing else, each inside its range. JSON Schema, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One hour to predict for",
        "type": "object",
        "additionalProperties": False,
        "required": [column.name for column in FEATURES],
        "properties": {column.name: _property(column) for column in FEATURES},
    }


def _property(column: Column) -> dict[str, object]:
    """One column. JSON Schema has no range for text: a date has `x-minimum`, and `x-encoding` is what the model takes."""
    described: dict[str, object] = {"description": f"{column.description} Unit: {column.unit}."}
    if column.kind is Kind.DATE:
        bounds = {"x-minimum": column.low, "x-maximum": column.high}
        described |= {"type": "string", "format": "date", "pattern": _DATE, "x-encoding": _ENCODING}
    else:
        bounds = {"minimum": column.low, "maximum": column.high}
        described["type"] = _JSON_TYPES[column.kind]
    return described | {key: bound for key, bound in bounds.items() if bound is not None}
