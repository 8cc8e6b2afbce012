"""The messages of REST: what a request may look like, and the reply in the request's own form.

    ndarray    {"data": {"names": [...], "ndarray": [[...], ...]}}                     rows of values, dates as text
    tensor     {"data": {"names": [...], "tensor": {"shape": [n, k], "values": [...]}}}   numbers only
    jsonData   {"jsonData": [{"field": value, ...}, ...]}, or one such object
    v2         {"id": ..., "inputs": [{"shape": [n, k], "datatype": "FP64", "data": [...]}]}   the V2 protocol, one tensor of numbers

The first three are Seldon messages: `meta.puid` is the id of the request, `meta.tags` comes back with our tags added.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from serving.scoring.errors import BadRequest, Rule
from serving.scoring.request import Columns, RequestSchema, Row, no_rows, shown

NDARRAY, TENSOR, JSON_DATA, V2 = "ndarray", "tensor", "jsonData", "v2"
RELEASE_TAG, OUTLIER_TAG, REASONS_TAG = "release", "outlier", "outlier_reasons"
MAX_ROWS = 10_000
DATATYPES = ("FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8")
_ID = re.compile(r"[A-Za-z0-9._:~-]{1,128}")
_FORMS = "send data.ndarray, data.tensor, jsonData or the inputs of the V2 protocol"
_NUMBERS = {int, float}


@dataclass(frozen=True)
class Request:
    """The rows of a request and how they came: `row` is the single row of a request, `table` the columns of one with several.

    `alone` is one bare object.
    """

    schema: RequestSchema
    protocol: str
    names: tuple[str, ...]
    puid: str | None
    tags: Mapping[str, Any]
    row: Row | None = None
    table: Columns = field(default_factory=dict)
    alone: bool = False

    @property
    def rows(self) -> int:
        return len(next(iter(self.table.values()))) if self.row is None else 1

    @cached_property
    def columns(self) -> Columns:
        """All rows as columns; arrays for a single row cost more than the rest of reading it, so they are made when asked for."""
        return self.table if self.row is None else self.schema.columns(self.row)

    def to_lists(self) -> dict[str, list[Any]]:
        """All rows as columns of plain values, dates as text: how they stand in a log."""
        return self.schema.to_lists(self.table) if self.row is None else self.schema.row_to_lists(self.row)


@dataclass(frozen=True)
class Reply:
    """What a reply says, whatever its form."""

    puid: str | None
    predictions: tuple[float, ...]
    tags: Mapping[str, Any]


def parse_request(
    body: bytes | str | Mapping[str, Any], schema: RequestSchema, max_rows: int = MAX_ROWS
) -> Request:
    """Read and check a request, as it was sent or as parsed JSON.

    Raises:
        BadRequest: it is no JSON, has none of the forms above, or a row breaks the schema of the requests.
    """
    message = parse_json(body)
    if "inputs" in message:
        return _from_v2(message, schema, max_rows)
    puid, tags = _meta(message)
    if "jsonData" in message:
        return from_json_data(message["jsonData"], schema, puid, tags, max_rows)
    data = message.get("data")
    if type(data) is not dict:
        raise BadRequest(Rule.FORM, f"the message has no rows in it; {_FORMS}")
    names = data.get("names")
    if not names:
        raise BadRequest(
            Rule.NAMES, f"data.names is missing; name the columns, in any order: {', '.join(schema.names)}"
        )
    if "ndarray" in data:
        return from_rows(names, data["ndarray"], schema, puid, tags, max_rows)
    if "tensor" in data:
        tensor = data["tensor"]
        if type(tensor) is not dict:
            raise BadRequest(Rule.FORM, 'data.tensor must be {"shape": [rows, columns], "values": [...]}')
        flat, shape = tensor.get("values"), tensor.get("shape")
        return _from_flat(TENSOR, names, flat, shape, schema, puid, tags, max_rows)
    raise BadRequest(Rule.FORM, f"data holds neither ndarray nor tensor; {_FORMS}")


def parse_json(body: bytes | str | Mapping[str, Any]) -> Mapping[str, Any]:
    """The object in the body. Raises BadRequest."""
    if isinstance(body, (bytes, str)):
        if not body:
            raise BadRequest(
                Rule.JSON, "the body is empty; send JSON with the header Content-Type: application/json"
            )
        try:
            body = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadRequest(Rule.JSON, f"the body is no JSON ({error})") from error
    if type(body) is not dict:
        raise BadRequest(Rule.FORM, f"the body is {shown(body)}, but must be an object; {_FORMS}")
    return body


def from_rows(
    names: Any, rows: Any, schema: RequestSchema, puid: str | None, tags: Mapping[str, Any], max_rows: int
) -> Request:
    """A request whose rows are lists of values."""
    if type(rows) is not list:
        raise BadRequest(Rule.FORM, f"data.ndarray is {shown(rows)}, but must be a list of rows")
    check_count(len(rows), max_rows)
    if len(rows) == 1:
        row = schema.one_row(names, rows[0])
        return Request(schema, NDARRAY, tuple(names), puid, tags, row)
    table = schema.from_table(names, rows)
    return Request(schema, NDARRAY, tuple(names), puid, tags, table=table)


def from_json_data(
    data: Any, schema: RequestSchema, puid: str | None, tags: Mapping[str, Any], max_rows: int
) -> Request:
    """A request whose rows are objects."""
    records = [data] if type(data) is dict else data
    if type(records) is not list:
        raise BadRequest(
            Rule.FORM, f"jsonData is {shown(data)}, but must be a row as an object, or a list of them"
        )
    check_count(len(records), max_rows)
    alone = records is not data
    if len(records) == 1:
        row = schema.one_record(records[0])
        return Request(schema, JSON_DATA, schema.names, puid, tags, row, alone=alone)
    table = schema.from_records(records)
    return Request(schema, JSON_DATA, schema.names, puid, tags, table=table, alone=alone)


def from_numbers(
    protocol: str,
    names: Sequence[str] | None,
    matrix: npt.NDArray[np.float64],
    schema: RequestSchema,
    puid: str | None,
    tags: Mapping[str, Any],
    max_rows: int,
) -> Request:
    """A request whose rows are a matrix of numbers."""
    check_count(len(matrix), max_rows)
    columns = schema.names if names is None else tuple(names)
    if len(matrix) == 1:
        row = schema.one_row(columns, matrix[0].tolist())
        return Request(schema, protocol, columns, puid, tags, row)
    return Request(schema, protocol, columns, puid, tags, table=schema.from_matrix(matrix, columns))


def check_count(rows: int, max_rows: int) -> None:
    """Raises BadRequest where there are no rows, or too many for one request."""
    if not rows:
        raise no_rows()
    if rows > max_rows:
        raise BadRequest(
            Rule.TOO_MANY_ROWS,
            f"{rows} rows are too many for one request; send at most {max_rows}, or use `pedalflow predict` on a file",
        )


def check_id(puid: Any) -> str:
    """The id of a request, if it can be one. Raises BadRequest."""
    if type(puid) is not str or not _ID.fullmatch(puid):
        raise BadRequest(
            Rule.ID,
            f"the request id {shown(puid)} cannot be used; send 1 to 128 of letters, digits and . _ : ~ -, or none",
        )
    return puid


def check_shape(shape: Any, count: int) -> tuple[int, int]:
    """Rows and columns of a tensor with `count` values. Raises BadRequest."""
    whole = (
        [int(side) for side in shape if type(side) in _NUMBERS and side == side // 1]
        if _is_list(shape)
        else []
    )
    if len(whole) != 2 or len(shape) != 2 or min(whole) < 0 or whole[0] * whole[1] != count:
        raise BadRequest(
            Rule.SHAPE,
            f"the shape {shown(shape)} does not fit {count} values; send [rows, columns] and as many values",
        )
    return whole[0], whole[1]


def reply_content(
    request: Request,
    predictions: npt.NDArray[np.float64],
    puid: str,
    tags: Mapping[str, Any],
    output: str,
    model: str = "model",
) -> dict[str, Any]:
    """The reply as JSON content, in the request's own form; `output` names what is predicted, `model` what V2 calls the model."""
    values = predictions.tolist()
    if request.protocol == V2:
        tensor = {"name": output, "shape": [len(values), 1], "datatype": "FP64", "data": values}
        version = str(tags.get(RELEASE_TAG, ""))
        return {
            "model_name": model,
            "model_version": version,
            "id": puid,
            "parameters": tags,
            "outputs": [tensor],
        }
    meta = {"puid": puid, "tags": tags}
    if request.protocol == JSON_DATA:
        rows = [{output: value} for value in values]
        return {"jsonData": rows[0] if request.alone else rows, "meta": meta}
    if request.protocol == TENSOR:
        numbers = {"shape": [len(values), 1], "values": values}
        return {"data": {"names": [output], "tensor": numbers}, "meta": meta}
    return {"data": {"names": [output], "ndarray": [[value] for value in values]}, "meta": meta}


def reply_bytes(
    request: Request,
    predictions: npt.NDArray[np.float64],
    puid: str,
    tags: Mapping[str, Any],
    output: str,
    model: str = "model",
) -> bytes:
    """`reply_content` as it goes over the wire."""
    return orjson.dumps(reply_content(request, predictions, puid, tags, output, model))


def read_reply(body: bytes | str | Mapping[str, Any]) -> Reply:
    """What a reply of ours says, in whichever form. Raises BadRequest where it is none, a refusal for instance."""
    message = parse_json(body)
    try:
        if "outputs" in message:
            outputs, parameters = message["outputs"], message.get("parameters") or {}
            return Reply(message.get("id"), _floats(outputs[0]["data"]), parameters)
        meta = message.get("meta") or {}
        return Reply(meta.get("puid"), _floats(_predicted(message)), meta.get("tags") or {})
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise BadRequest(Rule.FORM, f"this is no reply with predictions ({error!r})") from error


def _predicted(message: Mapping[str, Any]) -> list[Any]:
    if "jsonData" in message:
        content = message["jsonData"]
        rows = [content] if isinstance(content, dict) else content
        return [next(iter(row.values())) for row in rows]
    data = message["data"]
    return data["tensor"]["values"] if "tensor" in data else [row[0] for row in data["ndarray"]]


def _floats(values: Sequence[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _meta(message: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    meta = message.get("meta")
    if not meta:
        return None, {}
    if type(meta) is not dict:
        raise BadRequest(Rule.FORM, f"meta is {shown(meta)}, but must be an object")
    puid, tags = meta.get("puid"), meta.get("tags")
    if tags and type(tags) is not dict:
        raise BadRequest(Rule.TAGS, f"meta.tags is {shown(tags)}, but must be an object")
    if tags:
        _check_writable(tags)
    return (check_id(puid) if puid else None), tags or {}


def _check_writable(tags: Mapping[str, Any]) -> None:
    """Tags come back in the reply, and orjson reads deeper nesting than it writes."""
    try:
        orjson.dumps(tags)
    except TypeError as error:
        raise BadRequest(
            Rule.TAGS, f"meta.tags cannot come back in a reply ({error}); nest them less"
        ) from error


def _from_v2(message: Mapping[str, Any], schema: RequestSchema, max_rows: int) -> Request:
    inputs, puid = message["inputs"], message.get("id")
    if not _is_list(inputs) or len(inputs) != 1 or type(inputs[0]) is not dict:
        raise BadRequest(Rule.FORM, f"send one input, a tensor [rows, {len(schema.names)}] of numbers")
    tensor = inputs[0]
    if tensor.get("datatype") not in DATATYPES:
        raise BadRequest(
            Rule.FORM,
            f"datatype {shown(tensor.get('datatype'))} is not taken; send numbers, dates as days since 1970-01-01: FP64",
        )
    flat: Any = tensor.get("data")
    if _is_list(flat) and set(map(type, flat)) == {list}:
        flat = [value for row in flat for value in row]
    id_ = check_id(puid) if puid else None
    names = _v2_names(message) or _v2_names(tensor)
    return _from_flat(V2, names, flat, tensor.get("shape"), schema, id_, {}, max_rows)


def _v2_names(holder: Mapping[str, Any]) -> Any:
    parameters = holder.get("parameters")
    return parameters.get("names") if type(parameters) is dict else None


def _from_flat(
    protocol: str,
    names: Any,
    flat: Any,
    shape: Any,
    schema: RequestSchema,
    puid: str | None,
    tags: Mapping[str, Any],
    max_rows: int,
) -> Request:
    """A request whose numbers stand one after the other, row by row."""
    if not _is_list(flat):
        raise BadRequest(Rule.FORM, f"the values are {shown(flat)}, but must be a list of numbers")
    rows, width = check_shape(shape, len(flat))
    check_count(rows, max_rows)
    columns = schema.names if names is None else names
    schema.order(columns)
    if width != len(columns):
        raise BadRequest(Rule.SHAPE, f"the tensor has {width} columns, but {len(columns)} names")
    odd = next((place for place, value in enumerate(flat) if type(value) not in _NUMBERS), None)
    if odd is not None:
        row, name = odd // width, columns[odd % width]
        raise BadRequest(
            Rule.TYPE,
            f"row {row}, field {name!r}: {shown(flat[odd])} is no number; a tensor holds numbers only, dates as days "
            "since 1970-01-01",
            field=name,
            row=row,
            value=shown(flat[odd]),
        )
    if rows == 1:
        one = schema.one_row(columns, flat)
        return Request(schema, protocol, tuple(columns), puid, tags, one)
    try:
        matrix = np.array(flat, np.float64).reshape(rows, width)
    except (
        OverflowError
    ) as error:  # an integer beyond what a float holds; JSON has no such, a parsed message may
        raise BadRequest(Rule.RANGE, "a value is too large for a number of 64 bits") from error
    return from_numbers(protocol, columns, matrix, schema, puid, tags, max_rows)


def _is_list(value: Any) -> bool:
    return type(value) is list
