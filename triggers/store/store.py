"""The store: what takes events in, what is read, and the turn in which the engine changes things. Safe to use from many threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from sqlalchemy import Connection, insert, select

from triggers.errors import StoreFailed
from triggers.events import Event, Kind
from triggers.pause import Pause
from triggers.records import Accepted, Depth, StoredEvent, StoredRun
from triggers.store import accepting, questions, reading
from triggers.store.database import BUSY_S, Database
from triggers.store.group_commit import GroupCommit
from triggers.store.schema import BOUND_NAME, about

MOST_FOUND = 1000


class Store:
    """Events and runs in SQLite or PostgreSQL. Every method raises StoreFailed where the database does not answer; nothing happened then.

    Args:
        url: `sqlite:////absolute/path` or `postgresql+psycopg://user:password@host/name`; the tables are made where there are none.
        read_only: read what is there; several processes may do so while the service runs.
        busy_s: how long is waited for the turn of another process (SQLite).
        wall: the time in seconds since 1970.
    """

    def __init__(
        self,
        url: str,
        *,
        read_only: bool = False,
        busy_s: float = BUSY_S,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._database = Database(url, read_only=read_only, busy_s=busy_s)
        self._group_commit = GroupCommit(self._keep)
        self._wall = wall

    def accept(self, events: Sequence[Event]) -> list[Accepted]:
        """Keep events, all or none; when this returns, they are on the disk. One that is known adds to its deliveries."""
        return self._group_commit.accept(events) if events else []

    def _keep(self, events: Sequence[Event]) -> list[Accepted]:
        with self._database.turn() as connection:
            return accepting.accept(connection, events, self._wall())

    def bind_to(self, workspace: str) -> None:
        """Let runs of this machine be started by one workspace only, that which says so first; `workspace` names machine and folder.

        Raises:
            StoreFailed: the database belongs to another workspace, whose runs this one would not find.
        """
        with self.turn() as connection:
            bound = connection.scalar(select(about.c.value).where(about.c.name == BOUND_NAME))
            if bound is None:
                connection.execute(insert(about).values(name=BOUND_NAME, value=workspace))
        if bound not in (None, workspace):
            raise StoreFailed(
                f"runs of this database are started by the workspace {bound}, and this is {workspace}, which would not find them and "
                "start them a second time; give each workspace a database of its own or, where the workspace has moved, "
                f"delete the row '{BOUND_NAME}' of the table {about.name}"
            )

    def turn(self) -> AbstractContextManager[Connection]:
        """An exclusive transaction, for `triggers.store.questions` and `triggers.store.changes`."""
        return self._database.turn()

    def reading(self) -> AbstractContextManager[Connection]:
        """A read transaction, for `triggers.store.questions`."""
        return self._database.reading()

    def events(
        self, limit: int, before: int | None = None, kind: Kind | None = None, run: str | None = None
    ) -> list[StoredEvent]:
        """A page of events, the newest first: those with a smaller number than `before`, of one kind, behind one run."""
        with self.reading() as connection:
            return reading.newest_events(connection, limit, before, kind, run)

    def event(self, id: str) -> StoredEvent | None:
        """The event with this public name."""
        with self.reading() as connection:
            return reading.event_called(connection, id)

    def runs(self, limit: int, before: int | None = None) -> list[StoredRun]:
        """A page of runs, the newest first: those with a smaller number than `before`."""
        with self.reading() as connection:
            return reading.newest_runs(connection, limit, before)

    def run(self, id: str) -> StoredRun | None:
        """The run with this public name."""
        with self.reading() as connection:
            return reading.run_called(connection, id)

    def find_events(
        self, *, request_id: str = "", release: str = "", limit: int = MOST_FOUND
    ) -> list[StoredEvent]:
        """The newest events that came with a prediction request, or that judged a release; the newest first."""
        with self.reading() as connection:
            return reading.events_about(connection, request_id, release, limit)

    def depth(self) -> Depth:
        """How much waits, and whether somebody has paused the starting of runs."""
        with self.reading() as connection:
            paused = questions.pause(connection) is not None
            return replace(reading.depth(connection), paused=paused)

    def pause(self) -> Pause | None:
        """Why no run starts, where somebody has asked for that."""
        with self.reading() as connection:
            return questions.pause(connection)

    def drift_series(self, limit: int) -> list[StoredEvent]:
        """The newest verdicts of the drift detectors, the oldest first."""
        with self.reading() as connection:
            return reading.verdict_series(connection, limit)

    def newest_data_time(self, latest: float) -> float:
        """The newest moment of data that an event spoke of, at most `latest`; 0 where there is none."""
        with self.reading() as connection:
            return reading.newest_data_time(connection, latest)

    def close(self) -> None:
        """Write what waits, and give the database back."""
        self._group_commit.close()
        self._database.close()
