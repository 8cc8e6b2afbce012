"""CloudEvents 1.0 over HTTP, in all three content modes: binary, structured and batched.

Layout: CloudEvents 1.0.2, "HTTP Protocol Binding" and "JSON Event Format".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from triggers.errors import Refused
from triggers.sources.reading import (
    FIELD,
    HEADER,
    Object,
    list_of,
    moment_or_none,
    object_of,
    object_or_nothing,
    read_json,
    shown,
)

CLOUDEVENT = "CLOUDEVENT"
SPEC = "1.0"
_FAMILY = "application/cloudevents"
STRUCTURED, BATCHED = f"{_FAMILY}+json", f"{_FAMILY}-batch+json"
_REQUIRED = ("id", "source", "type", "specversion")
_MOST_CHARACTERS = 1024


@dataclass(frozen=True)
class CloudEvent:
    """One event as it was sent.

    Args:
        attributes: all of them, extensions included, by lower-case name.
        time: when it happened, in seconds since 1970, if that is said.
        data: raw bytes that are not read yet, or the JSON value that stood in a structured event.
    """

    attributes: Mapping[str, str]
    time: float | None
    data: object

    def text(self, name: str) -> str:
        """An attribute, or nothing."""
        return self.attributes.get(name, "")

    def content(self) -> Object:
        """The data as a JSON object.

        Raises:
            Refused: it is none.
        """
        value = read_json(self.data, "the event's data") if isinstance(self.data, bytes) else self.data
        return object_of(value, "the event's data")


def read_cloud_events(headers: Mapping[str, str], body: bytes) -> tuple[CloudEvent, ...]:
    """The events of a request: one, or those of a batch.

    Raises:
        Refused: it is no CloudEvent 1.0.
    """
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == BATCHED:
        items = list_of(read_json(body, "the batch"), "the batch")
        return tuple(
            _structured(object_of(item, f"event {index} of the batch")) for index, item in enumerate(items)
        )
    if media == STRUCTURED:
        return (_structured(object_of(read_json(body, "the structured event"), "the structured event")),)
    if media.startswith(_FAMILY):
        raise Refused(HEADER, f"events are taken as {STRUCTURED} or {BATCHED}, not as {shown(media)}")
    attributes = {name[3:]: _decoded(value) for name, value in headers.items() if name.startswith("ce-")}
    return (_checked(attributes, body),)


def _decoded(value: str) -> str:
    """A header's value as the binding has it: maybe in quotation marks, with percent signs for what is no printable ASCII."""
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    try:
        return unquote(value, errors="strict")
    except ValueError as error:
        raise Refused(
            HEADER, f"a header of the event is not percent-encoded UTF-8: {shown(value)}"
        ) from error


def _structured(event: Object) -> CloudEvent:
    if "data" in event and "data_base64" in event:
        raise Refused(CLOUDEVENT, "the event has both data and data_base64; send one of them")
    data = _from_base64(event["data_base64"]) if "data_base64" in event else event.get("data")
    return _checked(
        {name: text for name, value in event.items() if (text := _attribute(value)) is not None}, data
    )


def _attribute(value: object) -> str | None:
    """Attributes are text, whole numbers or true and false; what is none of these is data, or tolerated."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) else None


def _from_base64(value: object) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except ValueError as error:
        raise Refused(FIELD, "data_base64 is not base64; encode the data again") from error


def _checked(attributes: Mapping[str, str], data: object) -> CloudEvent:
    missing = [name for name in _REQUIRED if not attributes.get(name, "").strip()]
    if missing:
        raise Refused(
            CLOUDEVENT,
            f"this is no CloudEvent: {', '.join(missing)} missing; send ce-id, ce-source, ce-type and ce-specversion as "
            f"headers, or one object as {STRUCTURED}",
        )
    if attributes["specversion"] != SPEC:
        raise Refused(CLOUDEVENT, f"specversion must be {SPEC}, but is {shown(attributes['specversion'])}")
    if any(len(attributes[name]) > _MOST_CHARACTERS for name in _REQUIRED):
        raise Refused(
            CLOUDEVENT, f"id, source and type may have {_MOST_CHARACTERS} characters each; shorten them"
        )
    if any(character.isspace() for character in attributes["source"]):
        raise Refused(CLOUDEVENT, "source must be the reference of a URI, which has no blanks")
    return CloudEvent(attributes, moment_or_none(attributes.get("time"), "time"), data)


def inner(content: Object) -> Object:
    """What a detector says: in the vendor's layout it stands under `data`, beside `meta`."""
    return object_or_nothing(content.get("data")) or content
