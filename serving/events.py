"""CloudEvents 1.0 over HTTP: what Seldon's request logger sends, read at the edge, and what our detectors send, in the vendor's layout.

In binary mode the attributes are headers (`Ce-Id`, `Ce-Type`, …) and the body is the raw message; in structured mode all of it is one JSON
object. `Ce-Requestid` joins request, response and feedback. Layouts: CloudEvents 1.0.2, "HTTP Protocol Binding"; seldon-core's
`executor/logger` for what comes in and its `components/alibi-detect-server` for what goes out.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote, unquote

import orjson
from google.protobuf.json_format import ParseDict, ParseError
from seldon_core.proto.prediction_pb2 import Feedback

from serving.errors import ServingError
from serving.event_logger import Kind
from serving.feedback import parse_feedback
from serving.payloads import (
    OUTLIER_TAG,
    REASONS_TAG,
    RELEASE_TAG,
    Reply,
    check_id,
    parse_json,
    parse_request,
    read_reply,
)
from serving.scoring.errors import BadRequest
from serving.scoring.request import Columns, RequestSchema, shown

REQUEST, RESPONSE, FEEDBACK = (kind.value for kind in (Kind.REQUEST, Kind.RESPONSE, Kind.FEEDBACK))

DRIFT = "io.seldon.serving.inference.drift"
OUTLIER = "io.seldon.serving.inference.outlier"
CONCEPT_DRIFT = "io.pedalflow.serving.inference.conceptdrift"

SPEC = "1.0"
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch"
REQUEST_ID = "requestid"
_REQUIRED = ("id", "source", "type", "specversion")
_OWN = frozenset((*_REQUIRED, "time", "datacontenttype", "dataschema", "subject", "data", "data_base64"))
_MOST_ATTRIBUTES = 64
_MOST_CHARACTERS = 1024


class EventRefused(ServingError):
    """An event that cannot be read: `rule` is a short name for it, one of few; the sender must not send it again."""

    code = 400
    reason = "EVENT_REFUSED"

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


@dataclass(frozen=True)
class CloudEvent:
    """An event that came in. `time` is in seconds since 1970, when it was sent or, where that is not said or lies ahead, when it came.

    `extensions` are the attributes beside those of the standard, by lower-case name.
    """

    id: str
    source: str
    type: str
    time: float
    extensions: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class RequestSeen:
    """A request for predictions, its rows by the release's request schema."""

    request_id: str
    columns: Columns
    lists: Mapping[str, list[Any]]


@dataclass(frozen=True)
class ResponseSeen:
    """An answer: which release gave it, a prediction for each row and, where rows were judged, a flag and reasons for each."""

    request_id: str
    release: str
    predictions: tuple[float, ...]
    outliers: tuple[bool, ...]
    reasons: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class FeedbackSeen:
    """The true labels of an earlier request, one for each of its rows."""

    request_id: str
    labels: tuple[float, ...]


Message = RequestSeen | ResponseSeen | FeedbackSeen


@dataclass(frozen=True)
class Emitted:
    """An event to send: `data` is the body, `extensions` are those of the event that caused it. Sent again, it keeps its id."""

    id: str
    type: str
    source: str
    time: float
    extensions: Mapping[str, str]
    data: Mapping[str, Any]

    def headers(self) -> dict[str, str]:
        """The HTTP headers of binary mode."""
        attributes = {"specversion": SPEC, "id": self.id, "type": self.type, "source": self.source}
        attributes = {**self.extensions, **attributes, "time": rfc3339(self.time)}
        named = {f"Ce-{name.capitalize()}": _escaped(value) for name, value in attributes.items()}
        return {"Content-Type": "application/json", **named}

    def body(self) -> bytes:
        """The body of binary mode."""
        return orjson.dumps(self.data)


def parse_event(headers: Mapping[str, str], body: bytes, now: float) -> CloudEvent:
    """Read an event in binary or structured mode; `now` is in seconds since 1970.

    Raises:
        EventRefused: it is no CloudEvent 1.0.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    content_type = lower.get("content-type", "").partition(";")[0].strip().lower()
    if content_type.startswith(BATCH):
        raise EventRefused("BATCH", "batches of events are not taken; send one event in each request")
    if content_type.startswith("application/cloudevents"):
        return _structured(content_type, body, now)
    attributes = {name[3:]: unquote(value) for name, value in lower.items() if name.startswith("ce-")}
    return _event(attributes, body, now)


def _structured(content_type: str, body: bytes, now: float) -> CloudEvent:
    if content_type != STRUCTURED:
        raise EventRefused(
            "FORMAT", f"structured events are taken as {STRUCTURED}, not as {content_type[:60]}"
        )
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise EventRefused("JSON", f"the structured event is no JSON ({error})") from error
    if type(content) is not dict:
        raise EventRefused("JSON", "the structured event must be a JSON object")
    attributes = {
        name: value if type(value) is str else orjson.dumps(value).decode()
        for name, value in content.items()
        if name not in ("data", "data_base64") and type(value) in (str, int, bool)
    }
    return _event(attributes, _structured_body(content), now)


def _structured_body(content: Mapping[str, Any]) -> bytes:
    if "data_base64" in content:
        try:
            return base64.b64decode(content["data_base64"], validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise EventRefused("DATA", f"data_base64 is not base64 ({error})") from error
    data = content.get("data")
    return data.encode() if type(data) is str else orjson.dumps(data)


def _event(attributes: Mapping[str, str], body: bytes, now: float) -> CloudEvent:
    missing = [name for name in _REQUIRED if not attributes.get(name)]
    if missing:
        raise EventRefused(
            "ATTRIBUTES",
            f"this is no CloudEvent: {', '.join(missing)} is missing; send the attributes as headers Ce-Id, Ce-Source, "
            f"Ce-Type and Ce-Specversion, or one object as {STRUCTURED}",
        )
    if attributes["specversion"] != SPEC:
        raise EventRefused(
            "VERSION", f"specversion {attributes['specversion'][:20]!r} is not taken; send {SPEC}"
        )
    if len(attributes) > _MOST_ATTRIBUTES or max(map(len, attributes.values())) > _MOST_CHARACTERS:
        raise EventRefused(
            "ATTRIBUTES",
            f"an event may have {_MOST_ATTRIBUTES} attributes of {_MOST_CHARACTERS} characters each, not more",
        )
    extensions = {name: value for name, value in attributes.items() if name not in _OWN}
    time = min(_seconds(attributes.get("time"), now), now)
    return CloudEvent(attributes["id"], attributes["source"], attributes["type"], time, extensions, body)


def read_message(event: CloudEvent, schema: RequestSchema) -> Message | None:
    """What the event's body says, by its type; None for a type that is not ours to read.

    Raises:
        EventRefused: the body is none of the messages that the type stands for, or there is no request id.
    """
    read = _READERS.get(event.type)
    if read is None:
        return None
    try:
        return read(event, schema)
    except BadRequest as bad:
        raise EventRefused(bad.rule, bad.message) from bad


def _request(event: CloudEvent, schema: RequestSchema) -> RequestSeen:
    request = parse_request(event.body, schema)
    return RequestSeen(_id(event, request.puid), request.columns, request.to_lists())


def _response(event: CloudEvent, _: RequestSchema) -> ResponseSeen:
    reply = _reply(event.body)
    flags = reply.tags.get(OUTLIER_TAG)
    outliers = tuple(flag is True for flag in flags) if type(flags) is list else ()
    return ResponseSeen(
        _id(event, reply.puid),
        str(reply.tags.get(RELEASE_TAG, "")),
        reply.predictions,
        outliers if len(outliers) == len(reply.predictions) else (),
        _reasons(reply),
    )


def _reply(body: bytes) -> Reply:
    """The reply, if its predictions are finite numbers: what comes of others cannot be stored, summed or shown."""
    message = parse_json(body)
    try:
        reply = read_reply(message)
    except (StopIteration, OverflowError) as error:
        raise EventRefused("FORM", f"this is no reply with predictions ({error!r})") from error
    if type(reply.tags) is not dict:
        raise EventRefused("TAGS", f"the tags are {shown(reply.tags)}, but must be an object")
    for row, (cell, value) in enumerate(zip(_cells(message), reply.predictions)):
        if type(cell) not in (int, float) or not math.isfinite(value):
            raise EventRefused("PREDICTION", f"row {row}: the prediction {shown(cell)} is no finite number")
    return reply


def _cells(message: Mapping[str, Any]) -> list[Any]:
    """The predictions of a reply that could be read, as they stand in it."""
    if "outputs" in message:
        return list(message["outputs"][0]["data"])
    if "jsonData" in message:
        content = message["jsonData"]
        return [next(iter(row.values())) for row in ([content] if type(content) is dict else content)]
    data = message["data"]
    return list(data["tensor"]["values"]) if "tensor" in data else [row[0] for row in data["ndarray"]]


def _reasons(reply: Reply) -> tuple[tuple[str, ...], ...]:
    rows = reply.tags.get(REASONS_TAG)
    if type(rows) is not list or len(rows) != len(reply.predictions):
        return ()
    return tuple(tuple(map(str, row)) if type(row) is list else () for row in rows)


def _feedback(event: CloudEvent, _: RequestSchema) -> FeedbackSeen:
    """The puid inside the message counts first: that of the header is new where a client sets none."""
    message: dict[str, Any] = dict(parse_json(event.body))
    response = message.get("response")
    response = dict(response) if type(response) is dict else {}
    meta = response.get("meta")
    meta = dict(meta) if type(meta) is dict else {}
    meta["puid"] = meta.get("puid") or event.extensions.get(REQUEST_ID, "")
    message["response"] = {**response, "meta": {"puid": meta["puid"]}}
    try:
        feedback = ParseDict(message, Feedback(), ignore_unknown_fields=True)
    except (ParseError, ValueError, TypeError, RecursionError) as error:
        raise EventRefused("FORM", f"this is no feedback: {' '.join(str(error).split())[:200]}") from error
    request_id, labels = parse_feedback(feedback)
    return FeedbackSeen(request_id, tuple(labels))


def _id(event: CloudEvent, puid: str | None) -> str:
    """The header counts first: Seldon's executor sets it on every event of a request, while a request's body may have none."""
    return check_id(event.extensions.get(REQUEST_ID) or puid)


def rfc3339(seconds: float) -> str:
    """A moment in UTC as text."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(text: str | None, otherwise: float) -> float:
    if not text:
        return otherwise
    try:
        moment = datetime.fromisoformat(_python_time(text))
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
        rfc3339(seconds)  # an offset may lead out of the years 1 to 9999
    except (ValueError, OverflowError) as error:
        raise EventRefused(
            "TIME",
            f"time {text[:40]!r} is not as RFC 3339 has it, such as 2026-01-31T12:00:00Z, or before the year 1",
        ) from error
    return seconds


def _python_time(text: str) -> str:
    """RFC 3339 as Python 3.10 reads it: six decimals, and an offset instead of Z."""
    text = f"{text[:-1]}+00:00" if text[-1:] in "Zz" else text
    whole, dot, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return f"{whole}.{digits[:6].ljust(6, '0')}{rest[len(digits) :]}" if dot and digits else text


def _escaped(value: str) -> str:
    """A header's value as the HTTP binding has it: printable ASCII, the rest percent-encoded."""
    return quote(value, safe="".join(chr(code) for code in range(33, 127) if chr(code) not in '"%'))


def listed(values: Sequence[bool]) -> list[int]:
    """Flags as the vendor's detectors write them: 1 and 0."""
    return [int(value) for value in values]


_READERS: Mapping[str, Callable[[CloudEvent, RequestSchema], Message]] = {
    REQUEST: _request,
    RESPONSE: _response,
    FEEDBACK: _feedback,
}
