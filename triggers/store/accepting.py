"""Taking events in: a new one becomes a row, one that is known adds to its deliveries, and asks again where its run came to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, text, update

from triggers.events import Event
from triggers.records import Accepted
from triggers.store.questions import CAME_TO_NOTHING
from triggers.store.rows import event_values
from triggers.store.schema import asked_before, events, runs

_COLUMNS = (
    "id",
    "source",
    "delivery",
    "kind",
    "subject",
    "summary",
    "occurred",
    "data_time",
    "request_id",
    "release",
    "facts",
    "received",
    "moment",
)
# Both databases understand this, and SQLAlchemy's own form of it would be compiled anew each time.
_KEEP = text(
    f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)}) "
    "ON CONFLICT (source, delivery) DO UPDATE SET deliveries = events.deliveries + 1 RETURNING id, deliveries, run"
)
_ASKED_IN_VAIN = (
    select(events.c.number)
    .join(runs, events.c.run == runs.c.id)
    .where(events.c.id == bindparam("event_id"), events.c.outcome.is_not(None))
    .where(runs.c.phase.in_(CAME_TO_NOTHING))
)


def accept(connection: Connection, incoming: Sequence[Event], received: float) -> list[Accepted]:
    """Keep events, in order; nothing is on the disk before the turn has ended."""
    return [_accept(connection, event, received) for event in incoming]


def _accept(connection: Connection, event: Event, received: float) -> Accepted:
    row = connection.execute(_KEEP, event_values(event, received)).one()
    if row.run is not None:
        _ask_again(connection, row, received)
    return Accepted(row.id, row.deliveries > 1)


def _ask_again(connection: Connection, row: Row[Any], received: float) -> None:
    """An event that is said again although its run failed or was canceled is decided once more: an alert that still fires, say."""
    number = connection.scalar(_ASKED_IN_VAIN, {"event_id": row.id})
    if number is None:
        return
    connection.execute(insert(asked_before).values(event=number, run=row.run))
    undecided = {"now": None, "action": None, "outcome": None, "reason": "", "due": None, "run": None}
    moment = func.coalesce(events.c.data_time, received)
    connection.execute(update(events).where(events.c.number == number).values(moment=moment, **undecided))
