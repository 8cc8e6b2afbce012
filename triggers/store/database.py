"""The connection to SQLite or PostgreSQL: short read transactions, and turns, of which there is one at a time among all processes."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from triggers.errors import StoreFailed
from triggers.store.schema import TURN_NAME, VERSION, VERSION_NAME, about, metadata

SQLITE, POSTGRESQL = "sqlite", "postgresql"
BUSY_S = 10.0  # how long one waits for another's turn to end before nothing is acknowledged
CONNECTIONS = 20
_LOCKED_PAUSE_S = 0.01
_CREATING = 7_226_415  # PostgreSQL's name for "somebody makes the tables": any number that nobody else uses
_POSTGRESQL_OPTIONS = (
    f"-c lock_timeout={BUSY_S:g}s -c statement_timeout=30s -c idle_in_transaction_session_timeout=30s "
    "-c synchronous_commit=on"
)
_TURN_OPTION = "pedalflow_turn"


class Database:
    """A database that several threads and processes share.

    Args:
        url: `sqlite:////absolute/path` or `postgresql+psycopg://user:password@host/name`.
        read_only: open what is there, and change nothing.
        busy_s: how long is waited for the turn of another process.

    Raises:
        StoreFailed: the address is none of these, the database does not answer, or it has another version's tables.
    """

    def __init__(self, url: str, *, read_only: bool = False, busy_s: float = BUSY_S) -> None:
        parsed = _parsed(url)
        self.shown = _shown(parsed)
        self._turns = threading.Lock()  # threads queue up here, because SQLite makes them poll
        if parsed.get_backend_name() == SQLITE:
            self._engine = self._reads = _sqlite(parsed, read_only, busy_s)
        else:
            self._engine = _postgresql(parsed, read_only)
            self._reads = self._engine.execution_options(isolation_level="REPEATABLE READ")
        try:
            if not read_only:
                self._create()
            self._check_version()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read transaction: what is read in it belongs together. Raises StoreFailed."""
        with self._translated(), self._reads.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def turn(self) -> Iterator[Connection]:
        """An exclusive transaction: nobody else changes anything meanwhile, and it is on the disk when the block ends.

        Raises:
            StoreFailed: nothing of it happened.
        """
        with self._turns, self._translated(), self._engine.connect() as connection:
            connection = connection.execution_options(**{_TURN_OPTION: True})
            with connection.begin():
                if connection.dialect.name == POSTGRESQL:
                    connection.execute(
                        select(about.c.value).where(about.c.name == TURN_NAME).with_for_update()
                    )
                yield connection

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    def _create(self) -> None:
        with self._translated(), self._engine.connect() as connection:
            connection = connection.execution_options(**{_TURN_OPTION: True})
            with connection.begin():
                if connection.dialect.name == POSTGRESQL:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:name)"), {"name": _CREATING})
                if not inspect(connection).has_table(about.name):
                    metadata.create_all(connection)
                    rows = [{"name": VERSION_NAME, "value": VERSION}, {"name": TURN_NAME, "value": ""}]
                    connection.execute(insert(about), rows)

    def _check_version(self) -> None:
        with self.reading() as connection:
            version = connection.scalar(select(about.c.value).where(about.c.name == VERSION_NAME))
        if version != VERSION:
            raise StoreFailed(
                f"{self.shown} has the tables of version {version}, and this program needs version {VERSION}; "
                "start the program that made it, or give another database"
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            said = error.orig if isinstance(error, DBAPIError) else error
            raise StoreFailed(f"{self.shown} does not take or give anything now: {said}") from error


def is_down(error: Exception) -> bool:
    """Whether a failure is about the database as a whole (away, busy, full) and not about what it was given."""
    cause = error.__cause__
    if isinstance(cause, PoolTimeout):
        return True
    return isinstance(cause, DBAPIError) and not isinstance(cause, IntegrityError) and _says_down(cause)


def _says_down(error: DBAPIError) -> bool:
    return error.connection_invalidated or type(error).__name__ in ("OperationalError", "InterfaceError")


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreFailed(f"the address of the database is none: {_ADDRESSES}") from error
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    has_file = parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:")
    if not has_file and parsed.drivername != "postgresql+psycopg":
        raise StoreFailed(f"{_shown(parsed)} cannot be used: {_ADDRESSES}")
    return parsed


def _shown(url: URL) -> str:
    """The address without what may be secret in it: the password, and the query, which may hold another."""
    return url.set(query={}).render_as_string(hide_password=True)


_ADDRESSES = "give sqlite:////absolute/path or postgresql+psycopg://user:password@host/name"


def _postgresql(url: URL, read_only: bool) -> Engine:
    options = f"{_POSTGRESQL_OPTIONS} -c default_transaction_read_only={'on' if read_only else 'off'}"
    return create_engine(
        url,
        isolation_level="READ COMMITTED",  # in a turn; whoever waits for one has to see what the one before did
        pool_pre_ping=True,
        pool_size=CONNECTIONS,
        hide_parameters=True,
        connect_args={"connect_timeout": 5, "options": options},
    )


def _sqlite(url: URL, read_only: bool, busy_s: float) -> Engine:
    """SQLAlchemy's own recipe: the driver begins no transaction by itself, we do."""
    _prepare_file(Path(str(url.database)), read_only)
    engine = create_engine(url, pool_size=CONNECTIONS, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {round(busy_s * 1000)}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        else:
            _log_ahead(connection, busy_s)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        takes_turn = connection.get_execution_options().get(_TURN_OPTION, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if takes_turn else "BEGIN")

    return engine


def _log_ahead(connection: Any, busy_s: float) -> None:
    """Turn the write-ahead log on.

    Where others turn it on in the same moment, SQLite says "locked" at once whatever `busy_timeout` says, because waiting could be a
    deadlock (https://sqlite.org/c3ref/busy_handler.html); so the waiting is done here.
    """
    give_up = time.monotonic() + busy_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(_LOCKED_PAUSE_S)
        else:
            return


def _prepare_file(path: Path, read_only: bool) -> None:
    if read_only and not path.is_file():
        raise StoreFailed(f"there is no database {path}: no event has come yet, or it is kept elsewhere")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreFailed(f"the folder of the database {path} cannot be made: {error}") from error
