"""Forgetting old events that led to nothing. What led to a run is kept for ever, because somebody may ask why that run started."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, delete, func, select

from triggers.store.schema import asked_before, events


def events_to_forget(connection: Connection, before: float, limit: int) -> Sequence[int]:
    """The numbers of the oldest events that led to nothing and came before `before` (wall clock)."""
    query = select(events.c.number).where(_led_to_nothing(before)).order_by(events.c.number).limit(limit)
    return connection.scalars(query).all()


def forget_events(connection: Connection, numbers: Sequence[int], before: float) -> None:
    """Forget these events, as far as that still holds of them."""
    connection.execute(delete(events).where(events.c.number.in_(numbers), _led_to_nothing(before)))


def _led_to_nothing(before: float) -> ColumnElement[bool]:
    """Decided, without a run now or before, and not the one by which the clock of the data stands."""
    newest = select(func.max(events.alias().c.data_time)).scalar_subquery()
    stands = events.c.data_time.is_not(None) & (events.c.data_time == newest)
    asked = events.c.run.is_not(None) | events.c.number.in_(select(asked_before.c.event))
    return (events.c.received < before) & ~asked & events.c.outcome.is_not(None) & ~stands
