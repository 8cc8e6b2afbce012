"""Notifications of Google Cloud Storage as Pub/Sub pushes them: attributes say what happened to which object.

Layouts: Pub/Sub, "Push subscriptions" (wrapped messages); Cloud Storage, "Pub/Sub notifications for Cloud Storage".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from triggers.errors import Refused
from triggers.events import Event, Kind, Source
from triggers.sources.reading import (
    FIELD,
    Object,
    moment_or_none,
    object_of,
    object_or_nothing,
    read_json,
    read_object,
    text_of,
    text_or_nothing,
    whole_or_none,
)
from triggers.sources.source_settings import SourceSettings
from triggers.sources.stored_objects import StoredObject, finalised

FINALISED = "OBJECT_FINALIZE"
_OBJECT_FORMAT = "JSON_API_V1"
_WHERE = "message.attributes"


def parse_pubsub(headers: Mapping[str, str], body: bytes, settings: SourceSettings) -> tuple[Event, ...]:
    """One event: STORAGE where the marker was uploaded, OTHER for everything else that is pushed. Headers are not needed."""
    push = read_object(body)
    message = object_of(push.get("message"), "message")
    attributes = object_or_nothing(message.get("attributes"))
    if attributes.get("eventType") == FINALISED:
        return (finalised(_stored(message, attributes), Source.PUBSUB, settings),)
    return (_other(push, message, attributes),)


def _stored(message: Object, attributes: Object) -> StoredObject:
    created = attributes.get("eventTime") or message.get("publishTime")
    return StoredObject(
        scheme="gs",
        bucket=text_of(attributes.get("bucketId"), f"{_WHERE}.bucketId"),
        key=text_of(attributes.get("objectId"), f"{_WHERE}.objectId"),
        version=text_of(attributes.get("objectGeneration"), f"{_WHERE}.objectGeneration"),
        created=moment_or_none(created, f"{_WHERE}.eventTime"),
        size=_size(message, attributes),
    )


def _size(message: Object, attributes: Object) -> int | None:
    """From the object's own description, which is there only where the notification was set up so."""
    data = text_or_nothing(message.get("data"))
    if not data or attributes.get("payloadFormat") != _OBJECT_FORMAT:
        return None
    try:
        description = base64.b64decode(data, validate=True)
    except ValueError as error:
        raise Refused(FIELD, "message.data must be base64, as Pub/Sub encodes it") from error
    return whole_or_none(object_or_nothing(read_json(description, "message.data")).get("size"))


def _other(push: Object, message: Object, attributes: Object) -> Event:
    about = text_or_nothing(attributes.get("eventType")) or "a message"
    subscription = text_or_nothing(push.get("subscription"))
    place = "/".join(
        filter(None, (text_or_nothing(attributes.get(name)) for name in ("bucketId", "objectId")))
    )
    return Event(
        source=Source.PUBSUB,
        delivery=_message_id(message),
        kind=Kind.OTHER,
        subject=place or subscription,
        summary=f"Pub/Sub brings {about}{f' of gs://{place}' if place else ''}",
        occurred=moment_or_none(message.get("publishTime"), "message.publishTime"),
        facts={"event": about, "subscription": subscription},
    )


def _message_id(message: Object) -> str:
    return text_of(message.get("messageId") or message.get("message_id"), "message.messageId")
