"""The messages of gRPC: Seldon's `SeldonMessage` in and out, with the same rules as `serving.payloads`.

`data.ndarray`, `data.tensor` and `jsonData` mean what they mean in REST. `binData` is the body of a REST request, and the reply's `binData`
is the body of its reply: the cheapest way over gRPC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf.json_format import MessageToDict, ParseDict
from seldon_core.proto.prediction_pb2 import SeldonMessage, Status

from serving.payloads import (
    JSON_DATA,
    MAX_ROWS,
    TENSOR,
    Request,
    check_id,
    check_shape,
    from_json_data,
    from_numbers,
    from_rows,
    parse_request,
    reply_bytes,
)
from serving.scoring.errors import BadRequest, Rule
from serving.scoring.request import RequestSchema

BIN_DATA = "binData"


def parse_message(message: SeldonMessage, schema: RequestSchema, max_rows: int = MAX_ROWS) -> Request:
    """Read and check a request.

    Raises:
        BadRequest: it has none of the forms above, or a row breaks the schema of the requests.
    """
    kind = message.WhichOneof("data_oneof")
    if kind == BIN_DATA:
        return parse_request(message.binData, schema, max_rows)
    puid = check_id(message.meta.puid) if message.meta.puid else None
    tags = {name: MessageToDict(value) for name, value in message.meta.tags.items()}
    if kind == JSON_DATA:
        return from_json_data(MessageToDict(message.jsonData), schema, puid, tags, max_rows)
    if kind != "data":
        raise BadRequest(
            Rule.FORM, "the message has no rows in it; send data, jsonData, or a REST body as binData"
        )
    names = list(message.data.names)
    if not names:
        raise BadRequest(
            Rule.NAMES, f"data.names is missing; name the columns, in any order: {', '.join(schema.names)}"
        )
    form = message.data.WhichOneof("data_oneof")
    if form == TENSOR:
        flat = message.data.tensor.values
        rows, width = check_shape(list(message.data.tensor.shape), len(flat))
        matrix = np.fromiter(flat, np.float64, len(flat)).reshape(rows, width)
        return from_numbers(TENSOR, names, matrix, schema, puid, tags, max_rows)
    if form == "ndarray":
        lists = [plain(row) for row in message.data.ndarray.values]
        return from_rows(names, lists, schema, puid, tags, max_rows)
    raise BadRequest(Rule.FORM, "data holds neither ndarray nor tensor")


def reply_message(
    request: Request,
    predictions: npt.NDArray[np.float64],
    puid: str,
    tags: Mapping[str, Any],
    output: str,
    in_bytes: bool = False,
) -> SeldonMessage:
    """The reply in the request's own form; `in_bytes` where the request came as `binData`."""
    if in_bytes:
        return SeldonMessage(binData=reply_bytes(request, predictions, puid, tags, output))
    message = SeldonMessage()
    message.meta.puid = puid
    for name, value in tags.items():
        _fill(message.meta.tags[name], value)
    values = predictions.tolist()
    if request.protocol == JSON_DATA:
        rows = [{output: value} for value in values]
        ParseDict(rows[0] if request.alone else rows, message.jsonData)
        return message
    message.data.names.append(output)
    if request.protocol == TENSOR:
        message.data.tensor.shape.extend((len(values), 1))
        message.data.tensor.values.extend(values)
        return message
    rows_out = message.data.ndarray.values
    for value in values:
        rows_out.add().list_value.values.add().number_value = value
    return message


def failure_message(code: int, reason: str, info: str) -> SeldonMessage:
    """A refusal, which over gRPC is a message like any other."""
    return SeldonMessage(status=Status(status=Status.FAILURE, code=code, reason=reason, info=info))


def _fill(holder: Any, content: Any) -> None:
    """Put JSON content into a protobuf Value; what our tags are made of goes in directly, at a fraction of ParseDict's price."""
    if type(content) is str:
        holder.string_value = content
    elif type(content) is bool:
        holder.bool_value = content
    elif type(content) is list:
        holder.list_value.SetInParent()
        for entry in content:
            _fill(holder.list_value.values.add(), entry)
    else:
        ParseDict(content, holder)


def plain(value: Any) -> Any:
    """What a protobuf Value holds; `None` for a null or for nothing."""
    kind = value.WhichOneof("kind")
    if kind == "list_value":
        return [plain(entry) for entry in value.list_value.values]
    if kind == "struct_value":
        return MessageToDict(value)
    return None if kind in (None, "null_value") else getattr(value, kind)
