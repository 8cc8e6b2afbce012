"""An object was uploaded, to Google Cloud Storage or S3. Only the marker, which is uploaded last, says that a batch is complete."""

from __future__ import annotations

from dataclasses import dataclass

from triggers.events import OBJECTS, Event, Kind, Source
from triggers.sources.bounds import MOST_TEXT
from triggers.sources.source_settings import SourceSettings


@dataclass(frozen=True)
class StoredObject:
    """An object that is complete.

    Args:
        scheme: gs or s3.
        bucket: its name.
        key: the object's name in the bucket, decoded.
        version: what tells this upload from others of the same name.
        created: when it was uploaded, in seconds since 1970, if that is said.
        size: in bytes, if that is said.
    """

    scheme: str
    bucket: str
    key: str
    version: str
    created: float | None = None
    size: int | None = None

    @property
    def uri(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"

    @property
    def delivery(self) -> str:
        return f"{self.bucket}/{self.key}/{self.version}"


def finalised(stored: StoredObject, source: Source, settings: SourceSettings) -> Event:
    """The event of an upload. Its `objects` name the folder of the marker, with a slash at the end: what lies in it is to be taken in."""
    folder, slash, name = stored.key.rpartition("/")
    place = f"{stored.scheme}://{stored.bucket}/{folder}{slash}"
    if name != settings.marker:
        return _other(stored, source, f"{stored.uri} was uploaded; it is not the marker {settings.marker}")
    if not place.isprintable() or len(place) > MOST_TEXT:
        return _other(stored, source, f"{stored.uri} was uploaded; a folder of that name cannot be taken in")
    return Event(
        source=source,
        delivery=stored.delivery,
        kind=Kind.STORAGE,
        subject=f"{stored.bucket}/{folder}{slash}",
        summary=f"A batch of data was uploaded to {place} (the marker {settings.marker} is there)",
        occurred=stored.created,
        data_time=stored.created,
        facts={OBJECTS: [place], "marker": stored.uri, "version": stored.version, "bytes": stored.size},
    )


def _other(stored: StoredObject, source: Source, summary: str) -> Event:
    return Event(
        source=source,
        delivery=stored.delivery,
        kind=Kind.OTHER,
        subject=f"{stored.bucket}/{stored.key}",
        summary=summary,
        occurred=stored.created,
        facts={"object": stored.uri, "version": stored.version, "bytes": stored.size},
    )
