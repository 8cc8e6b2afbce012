"""Between records and rows of the tables, so that any text that a sender may write fits into both databases."""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from typing import Any, cast

from sqlalchemy import Row

from triggers.events import RELEASE, Event, Facts, Kind, Source
from triggers.policy import Action, Lane
from triggers.records import Phase, StoredEvent, StoredRun

Values = dict[str, Any]
LONGEST_NAME = 300  # characters of what is indexed; PostgreSQL refuses index entries beyond some 2,700 bytes


def new_event_id() -> str:
    """A public name for an event."""
    return f"e-{secrets.token_hex(8)}"


def new_run_id() -> str:
    """A public name for a run; it is fit for the name of a folder, and of a thing in Kubernetes."""
    return f"q-{secrets.token_hex(6)}"


def event_values(event: Event, received: float) -> Values:
    """The row of an event that has just come."""
    data_time = _finite(event.data_time)
    return {
        "id": new_event_id(),
        "source": event.source.value,
        "delivery": name(event.delivery),
        "kind": event.kind.value,
        "subject": name(event.subject),
        "summary": clean(event.summary),
        "occurred": _finite(event.occurred),
        "data_time": data_time,
        "request_id": name(event.request_id),
        "release": release_of(event),
        "facts": json.dumps(dict(event.facts)),
        "received": received,
        "moment": received if data_time is None else data_time,
    }


def release_of(event: Event) -> str:
    """The release that an event judges, as it is kept; empty where it judges none."""
    release = event.facts.get(RELEASE)
    return name(release) if isinstance(release, str) else ""


def clean(text: str) -> str:
    """Text that both databases keep: without halves of characters and without the character zero."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")


def name(text: str) -> str:
    """Clean text of at most `LONGEST_NAME` characters; a longer one ends in a checksum, so that two of them stay two."""
    cleaned = clean(text)
    if cleaned == text and len(text) <= LONGEST_NAME:
        return text
    checksum = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{cleaned[: LONGEST_NAME - 33]}-{checksum}"


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def stored_event(row: Row[Any]) -> StoredEvent:
    """An event as it is kept."""
    return StoredEvent(
        number=row.number,
        id=row.id,
        event=_event(row),
        received=row.received,
        now=row.now,
        deliveries=row.deliveries,
        action=Action(row.action) if row.action else None,
        outcome=row.outcome or "",
        reason=row.reason,
        run=row.run or "",
        due=row.due,
    )


def _event(row: Row[Any]) -> Event:
    return Event(
        source=Source(row.source),
        delivery=row.delivery,
        kind=Kind(row.kind),
        subject=row.subject,
        summary=row.summary,
        occurred=row.occurred,
        data_time=row.data_time,
        request_id=row.request_id,
        facts=facts(row.facts),
    )


def facts(text: str) -> Facts:
    """What was kept as JSON."""
    return cast(Facts, json.loads(text))


def stored_run(row: Row[Any]) -> StoredRun:
    """A run as it is kept."""
    return StoredRun(
        number=row.number,
        id=row.id,
        lane=Lane(row.lane),
        action=Action(row.action),
        phase=Phase(row.phase),
        created=row.created,
        created_now=row.created_now,
        due=row.due,
        note=row.note,
        attempts=row.attempts,
        retry_at=row.retry_at,
        launcher=row.launcher,
        launched_id=row.launched_id,
        url=row.url,
        started=row.started,
        started_now=row.started_now,
        finished=row.finished,
        finished_now=row.finished_now,
        outcome=row.outcome,
        release=row.release,
        facts=facts(row.facts),
    )
