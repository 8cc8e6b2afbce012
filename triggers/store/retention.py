"""Forgetting old events that led to nothing. What led to a run is kept for ever, because somebody may ask why that run started."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select

from triggers.events import Kind
from triggers.pause import WISHES
from triggers.store.schema import asked_before, events


def events_to_forget(connection: Connection, before: float, limit: int) -> Sequence[int]:
    """The numbers of the oldest events that led to nothing and came before `before` (wall clock)."""
    query = select(events.c.number).where(_led_to_nothing(before)).order_by(events.c.number).limit(limit)
    return connection.scalars(query).all()


def forget_events(connection: Connection, numbers: Sequence[int], before: float) -> None:
    """Forget these events, as far as that still holds of them."""
    connection.execute(delete(events).where(events.c.number.in_(numbers), _led_to_nothing(before)))


def _led_to_nothing(before: float) -> ColumnElement[bool]:
    """Decided, without a run now or before, and nothing stands by it."""
    asked = events.c.run.is_not(None) | events.c.number.in_(select(asked_before.c.event))
    stands = _tells_the_time() | _tells_whether_runs_start()
    return (events.c.received < before) & ~asked & events.c.outcome.is_not(None) & ~stands


def _tells_the_time() -> ColumnElement[bool]:
    """The event by which the clock of the data stands."""
    newest = select(func.max(events.alias().c.data_time)).scalar_subquery()
    return events.c.data_time.is_not(None) & (events.c.data_time == newest)


def _tells_whether_runs_start() -> ColumnElement[bool]:
    """The newest wish to pause, and the newest to resume."""
    return or_(*(events.c.number == _newest_of(kind) for kind in WISHES))


def _newest_of(kind: Kind) -> ColumnElement[int]:
    """The number of the newest event of a kind; 0 where there is none."""
    others = events.alias()
    newest = select(func.max(others.c.number)).where(others.c.kind == kind.value)
    return func.coalesce(newest.scalar_subquery(), 0)
