"""Events of S3 and of MinIO, which sends the same records with a few fields around them.

Layouts: Amazon S3, "Event message structure"; MinIO, "Publish events to webhook".
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote_plus

from triggers.errors import Refused
from triggers.events import Event, Kind, Source
from triggers.sources.reading import (
    FIELD,
    Object,
    list_of,
    moment_or_none,
    object_of,
    read_object,
    shown,
    text_of,
    text_or_nothing,
    whole_or_none,
)
from triggers.sources.source_settings import SourceSettings
from triggers.sources.stored_objects import StoredObject, finalised

COMPLETE = frozenset(f"ObjectCreated:{way}" for way in ("Put", "Post", "Copy", "CompleteMultipartUpload"))
_TEST = "s3:TestEvent"
_NO_VERSION = ("", "null")  # what buckets without versions say


def parse_s3(headers: Mapping[str, str], body: bytes, settings: SourceSettings) -> tuple[Event, ...]:
    """An event for each record: STORAGE for the marker, OTHER for everything else. Headers are not needed."""
    message = read_object(body)
    if message.get("Event") == _TEST:
        return (_hello(message),)
    records = [message] if "s3" in message else list_of(message.get("Records"), "Records")
    return tuple(
        _event(object_of(record, f"Records[{index}]"), f"Records[{index}]", settings)
        for index, record in enumerate(records)
    )


def _hello(message: Object) -> Event:
    bucket = text_of(message.get("Bucket"), "Bucket")
    name = text_or_nothing(message.get("RequestId")) or text_or_nothing(message.get("Time"))
    return Event(
        source=Source.S3,
        delivery=f"test/{bucket}/{name}",
        kind=Kind.OTHER,
        subject=bucket,
        summary=f"S3 says hello: the bucket {bucket} will send its events",
        occurred=moment_or_none(message.get("Time"), "Time"),
    )


def _event(record: Object, where: str, settings: SourceSettings) -> Event:
    name = text_of(record.get("eventName"), f"{where}.eventName").removeprefix("s3:")
    stored = _stored(record, where)
    if name in COMPLETE:
        return finalised(stored, Source.S3, settings)
    return Event(
        source=Source.S3,
        delivery=f"{stored.delivery}/{name}",
        kind=Kind.OTHER,
        subject=f"{stored.bucket}/{stored.key}",
        summary=f"S3 reports {name} of {stored.uri}",
        occurred=stored.created,
        facts={"object": stored.uri, "event": name},
    )


def _stored(record: Object, where: str) -> StoredObject:
    s3 = object_of(record.get("s3"), f"{where}.s3")
    bucket = object_of(s3.get("bucket"), f"{where}.s3.bucket")
    item = object_of(s3.get("object"), f"{where}.s3.object")
    return StoredObject(
        scheme="s3",
        bucket=text_of(bucket.get("name"), f"{where}.s3.bucket.name"),
        key=_key(text_of(item.get("key"), f"{where}.s3.object.key")),
        version=_version(item, where),
        created=moment_or_none(record.get("eventTime"), f"{where}.eventTime"),
        size=whole_or_none(item.get("size")),
    )


def _key(encoded: str) -> str:
    """Keys are encoded as in the query of an address, where + is a blank."""
    try:
        return unquote_plus(encoded, errors="strict")
    except ValueError as error:
        raise Refused(
            FIELD, f"the key {shown(encoded)} is not UTF-8 when it is decoded; name objects in UTF-8"
        ) from error


def _version(item: Object, where: str) -> str:
    for name in ("versionId", "sequencer", "eTag"):
        version = text_or_nothing(item.get(name))
        if version not in _NO_VERSION:
            return version
    raise Refused(
        FIELD,
        f"{where}.s3.object has neither versionId nor sequencer nor eTag; one is needed to know it again",
    )
