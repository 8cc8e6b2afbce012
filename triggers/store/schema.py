"""The tables. What must never happen twice is refused by a unique index, whoever asks and however many ask at once."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from triggers.records import AT_WORK, Phase

VERSION = "1"
VERSION_NAME, TURN_NAME, BOUND_NAME = "schema version", "turn", "bound to"

_Number = BigInteger().with_variant(Integer(), "sqlite")
_AT_WORK = f"phase IN ({', '.join(sorted(repr(phase.value) for phase in AT_WORK))})"
_WAITING = f"phase = '{Phase.WAITING.value}'"
_UNDECIDED = "outcome IS NULL"

metadata = MetaData()

about = Table(  # what the database says of itself; whoever holds the row `turn` on PostgreSQL is the only one that changes anything
    "about",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("lane", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("created_now", Double, nullable=False),
    Column("due", Double, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column(
        "misses", Integer, nullable=False, server_default="0"
    ),  # in a row: looks, or launches that have to be mended
    Column("retry_at", Double, nullable=False, server_default="0"),
    Column("launcher", Text, nullable=False, server_default=""),
    Column("launched_id", Text, nullable=False, server_default=""),
    Column("url", Text, nullable=False, server_default=""),
    Column("started", Double),
    Column("started_now", Double),
    Column("finished", Double),
    Column("finished_now", Double),
    Column("outcome", Text, nullable=False, server_default=""),
    Column("release", Text, nullable=False, server_default=""),
    Column("facts", Text, nullable=False, server_default="{}"),
    Column("claimed_by", Text, nullable=False, server_default=""),
    Column("claim_until", Double, nullable=False, server_default="0"),
    sqlite_autoincrement=True,  # a number is never given again, even after retention
)
_at_work = text(f"({_AT_WORK})")
Index(
    "runs_one_at_work",
    _at_work,
    unique=True,
    sqlite_where=text(_AT_WORK),
    postgresql_where=text(_AT_WORK),
    _table=runs,
)
Index(
    "runs_one_waits_in_a_lane",
    runs.c.lane,
    unique=True,
    sqlite_where=text(_WAITING),
    postgresql_where=text(_WAITING),
)
Index("runs_release", runs.c.release)

events = Table(
    "events",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("delivery", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("occurred", Double),
    Column("data_time", Double),
    Column("request_id", Text, nullable=False),
    Column("release", Text, nullable=False),  # of the facts: what was judged
    Column("facts", Text, nullable=False),
    Column("received", Double, nullable=False),
    Column("moment", Double, nullable=False),  # the data's time where there is one, else when it was received
    Column("deliveries", Integer, nullable=False, server_default="1"),
    Column("now", Double),
    Column("action", Text),
    Column("outcome", Text),  # NULL until it is decided
    Column("reason", Text, nullable=False, server_default=""),
    Column("due", Double),
    Column("run", Text, ForeignKey("runs.id")),
    UniqueConstraint("source", "delivery"),
    sqlite_autoincrement=True,
)
Index(
    "events_undecided",
    events.c.number,
    sqlite_where=text(_UNDECIDED),
    postgresql_where=text(_UNDECIDED),
)
Index("events_run", events.c.run)
Index("events_request", events.c.request_id)
Index("events_release", events.c.release)
Index("events_data_time", events.c.data_time)
Index("events_kind", events.c.kind, events.c.number)
Index(
    "events_about",
    events.c.kind,
    events.c.subject,
    events.c.release,
    events.c.moment,
    events.c.number,
)

asked_before = Table(  # which event had asked for which run that came to nothing, before it was delivered and decided again
    "asked_before",
    metadata,
    Column("event", _Number, ForeignKey("events.number"), primary_key=True),
    Column("run", Text, ForeignKey("runs.id"), primary_key=True, index=True),
)
