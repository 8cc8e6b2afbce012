"""Feedback: the true labels of a request that was answered, as Seldon's `Feedback` brings them."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict
from seldon_core.proto.prediction_pb2 import Feedback, SeldonMessage

from serving.grpc_payloads import plain
from serving.payloads import check_id
from serving.scoring.errors import BadRequest, Rule
from serving.scoring.request import shown

MOST_LABEL = 1e9  # far above any count; squares of errors stay finite
_HOW = "send truth.data.ndarray with one number for each row, such as [[12], [30]]"


def parse_feedback(feedback: Feedback) -> tuple[str, list[float]]:
    """The id of the request, from `response.meta.puid`, and a label for each of its rows, from `truth`.

    Raises:
        BadRequest: there is no id, no label, or a label that is no number from 0 to `MOST_LABEL`, or there are more or fewer labels
            than the feedback's own request or response has rows.
    """
    if not feedback.response.meta.puid:
        raise BadRequest(
            Rule.ID, "response.meta.puid is missing: feedback must name the request by the puid of its reply"
        )
    puid = check_id(feedback.response.meta.puid)
    labels = [_label(value, row) for row, value in enumerate(_values(feedback.truth))]
    for part in ("request", "response"):
        rows = _rows(getattr(feedback, part))
        if rows is not None and rows != len(labels):
            raise BadRequest(
                Rule.LABELS, f"the {part} has {rows} rows, but the truth has {len(labels)}; {_HOW}"
            )
    if not labels:
        raise BadRequest(Rule.LABELS, f"the truth is empty; {_HOW}")
    return puid, labels


def _values(truth: SeldonMessage) -> list[Any]:
    kind = truth.WhichOneof("data_oneof")
    form = truth.data.WhichOneof("data_oneof")
    if kind == "jsonData":
        values = plain(truth.jsonData)
    elif form == "tensor":
        values = list(truth.data.tensor.values)
    elif form == "ndarray":
        values = [plain(value) for value in truth.data.ndarray.values]
    else:
        raise BadRequest(Rule.LABELS, f"there is no truth; {_HOW}")
    if type(values) is not list:
        raise BadRequest(Rule.LABELS, f"the truth is {shown(values)}; {_HOW}")
    return [value[0] if type(value) is list and len(value) == 1 else value for value in values]


def _label(value: Any, row: int) -> float:
    if type(value) is not float or not 0 <= value <= MOST_LABEL:
        raise BadRequest(
            Rule.LABELS,
            f"row {row}: the label {shown(value)} is no number from 0 to {MOST_LABEL:.0e}; {_HOW}",
            row=row,
        )
    return value


def _rows(message: SeldonMessage) -> int | None:
    """How many rows a message has, where it has any in a form that shows it."""
    form = message.data.WhichOneof("data_oneof")
    if form == "ndarray":
        return len(message.data.ndarray.values)
    if form == "tensor" and message.data.tensor.shape:
        return int(message.data.tensor.shape[0])
    if message.WhichOneof("data_oneof") == "jsonData":
        content = MessageToDict(message.jsonData)
        return len(content) if isinstance(content, list) else 1
    return None
