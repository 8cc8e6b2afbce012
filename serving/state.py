"""What the event services remember: one SQLite file, in which every event's whole effect is one transaction.

A change is on the disk before the caller goes on (write-ahead log, `synchronous=FULL`). Changes that wait at the same time share one
commit, because the wait for the disk is what costs.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from serving.errors import ServingError, StartFailed

T = TypeVar("T")
Connection = sqlite3.Connection
Work = Callable[[Connection], T]

FILE = "events.sqlite"
MOST_IN_GROUP = 256
EXPIRING = ("seen", "pending", "labelled", "scored")
_FIRST = """
CREATE TABLE seen (            -- events that were taken in; a second one is known by its id or by its request and type
    event TEXT NOT NULL UNIQUE, request TEXT NOT NULL UNIQUE, at REAL NOT NULL);
CREATE INDEX seen_at ON seen (at);
CREATE TABLE window (          -- rows that wait for a full window of one release
    number INTEGER PRIMARY KEY, release TEXT NOT NULL, rows INTEGER NOT NULL, columns BLOB NOT NULL);
CREATE TABLE judged (          -- the last verdicts, as JSON
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, release TEXT NOT NULL, verdict BLOB NOT NULL);
CREATE INDEX judged_kind ON judged (kind, release, number);
CREATE TABLE pending (         -- parts of a request whose other parts have not come
    request TEXT PRIMARY KEY, days BLOB, release TEXT, predictions BLOB, labels BLOB, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX pending_at ON pending (at);
CREATE TABLE labelled (        -- rows of days that are not closed: float64 arrays
    number INTEGER PRIMARY KEY, release TEXT NOT NULL, day INTEGER NOT NULL, rows INTEGER NOT NULL,
    predictions BLOB NOT NULL, labels BLOB NOT NULL, at REAL NOT NULL);
CREATE INDEX labelled_day ON labelled (release, day);
CREATE INDEX labelled_at ON labelled (at);
CREATE TABLE concept (         -- where concept drift detection stands, by release
    release TEXT PRIMARY KEY, baseline TEXT NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE outbox (          -- events: waiting, sent, kept (no broker is set) or refused (by the broker)
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, headers BLOB NOT NULL, body BLOB NOT NULL,
    at REAL NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '');
CREATE INDEX outbox_status ON outbox (status, number);
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_SUMS = """
    rows INTEGER NOT NULL, squared REAL NOT NULL, absolute REAL NOT NULL, labels REAL NOT NULL, predictions REAL NOT NULL,
    absolute_labels REAL NOT NULL, squared_labels REAL NOT NULL"""
_ERRORS = f"""
CREATE TABLE errors (          -- sums over the labelled rows of a release and a day; `at` is when the newest of them was asked for
    release TEXT NOT NULL, day INTEGER NOT NULL, at REAL NOT NULL,{_SUMS}, PRIMARY KEY (release, day)) WITHOUT ROWID;
CREATE TABLE scored (          -- the same by request, for sums since a moment
    number INTEGER PRIMARY KEY, release TEXT NOT NULL, day INTEGER NOT NULL, at REAL NOT NULL,{_SUMS});
CREATE INDEX scored_at ON scored (at);
"""
_STEPS = (_FIRST, _ERRORS)  # step n brings a file of version n to version n + 1
VERSION = len(_STEPS)


class StateFailed(ServingError):
    """Nothing can be remembered now, so nothing is acknowledged; the sender should try again."""

    code = 503
    reason = "STATE_FAILED"


@dataclass(frozen=True)
class _Waiting:
    work: Work[Any]
    outcome: Future[Any]


class State:
    """The file, one connection that writes and one that reads. Safe to use from many threads; make it after the process has forked."""

    def __init__(
        self, path: Path, *, busy_s: float = 5.0, before_commit: Callable[[], None] = lambda: None
    ) -> None:
        """`before_commit` runs before every commit; where it raises OSError, nothing of the group happened.

        Raises:
            StartFailed: the file cannot be opened, is no database, or is of another version.
        """
        self._path = path
        self._before_commit = before_commit
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._closed = False
        self._reading = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = _connect(path, busy_s)
            _prepare(self._writer, path)
            self._reader = _connect(path, busy_s)
            self._reader.execute("PRAGMA query_only = ON")
        except (OSError, sqlite3.Error) as error:
            raise StartFailed(
                f"{path} cannot be used ({error}); give another folder with --state, or move the file away to begin anew"
            ) from error
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)
        self._thread.start()

    def change(self, work: Work[T]) -> T:
        """Run `work` in a transaction; when this returns, what it did is on the disk. What it raises undoes it, and comes out here.

        Raises:
            StateFailed: the file could not be written; nothing of `work` happened.
        """
        waiting = _Waiting(work, Future())
        with self._changed:
            if self._closed:
                raise StateFailed("the event services are stopping; send it again")
            self._waiting.append(waiting)
            self._changed.notify()
        result: T = waiting.outcome.result()
        return result

    def read(self, work: Work[T]) -> T:
        """Run `work`, which only reads, on what was committed. Raises StateFailed."""
        with self._reading:
            try:
                return work(self._reader)
            except sqlite3.Error as error:
                raise StateFailed(f"{self._path} cannot be read ({error}); try again later") from error

    @property
    def works(self) -> bool:
        """Whether changes are still taken."""
        return self._thread.is_alive() and not self._closed

    def close(self) -> None:
        """Finish what waits and close the file."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        with self._reading:
            self._reader.close()
        self._writer.close()

    def _run(self) -> None:
        while group := self._next_group():
            results = self._committed(group)
            for waiting, result in zip(group, results):
                if isinstance(result, _Failure):
                    waiting.outcome.set_exception(result.error)
                else:
                    waiting.outcome.set_result(result)

    def _next_group(self) -> list[_Waiting]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            count = min(len(self._waiting), MOST_IN_GROUP)
            return [self._waiting.popleft() for _ in range(count)]

    def _committed(self, group: list[_Waiting]) -> list[Any]:
        """The outcome of each, after one commit for all of them."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            results = [self._done(waiting.work) for waiting in group]
            self._before_commit()
            self._writer.execute("COMMIT")
            return results
        except Exception as error:  # whoever waits must hear of it, and the thread must go on
            self._undo()
            failed = StateFailed(f"{self._path} cannot be written ({error}); send it again later")
            return [_Failure(failed)] * len(group)

    def _done(self, work: Work[Any]) -> Any:
        """What one piece of work returned, or what it raised; then nothing of it stays. A database that fails, fails the group."""
        self._writer.execute("SAVEPOINT work")
        try:
            result = work(self._writer)
        except (sqlite3.Error, OSError):
            raise
        except Exception as error:  # goes to the caller that waits for it
            self._writer.execute("ROLLBACK TO work")
            result = _Failure(error)
        self._writer.execute("RELEASE work")
        return result

    def _undo(self) -> None:
        with suppress(sqlite3.Error):  # a full disk may have ended the transaction already
            self._writer.execute("ROLLBACK")


@dataclass(frozen=True)
class _Failure:
    error: Exception


def fact(connection: Connection, key: str, otherwise: str) -> str:
    """A single remembered text."""
    row = connection.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
    return otherwise if row is None else str(row[0])


def set_fact(connection: Connection, key: str, value: str) -> None:
    """Remember a single text."""
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))


def keep_verdict(connection: Connection, kind: str, release: str, verdict: bytes, most: int) -> None:
    """Remember a verdict, and forget all but the last `most` of its kind."""
    connection.execute(
        "INSERT INTO judged (kind, release, verdict) VALUES (?, ?, ?)", (kind, release, verdict)
    )
    connection.execute(
        "DELETE FROM judged WHERE kind = ? AND number <= "
        "(SELECT number FROM judged WHERE kind = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
        (kind, kind, most),
    )


def verdicts(connection: Connection, kind: str, release: str = "%") -> list[bytes]:
    """The remembered verdicts of a kind, of one release or of all, the oldest first."""
    rows = connection.execute(
        "SELECT verdict FROM judged WHERE kind = ? AND release LIKE ? ORDER BY number", (kind, release)
    )
    return [bytes(row[0]) for row in rows]


def expire(connection: Connection, keep_s: float, most_rows: int, now: float) -> dict[str, int]:
    """Forget what is older than the newest event by more than `keep_s`, and all but the newest `most_rows`; how many rows by table.

    `now` is in seconds since 1970. What a clock that was ahead has dated later becomes of now, so that nothing else is forgotten for it.
    """
    for table in EXPIRING:
        connection.execute(f"UPDATE {table} SET at = :now WHERE at > :now", {"now": now})
    newest = connection.execute("SELECT MAX(at) FROM seen").fetchone()[0]
    if newest is None:
        return {}
    return {
        table: connection.execute(
            f"DELETE FROM {table} WHERE at < ? OR at < (SELECT at FROM {table} ORDER BY at DESC LIMIT 1 OFFSET ?)",
            (newest - keep_s, most_rows - 1),
        ).rowcount
        for table in EXPIRING
    }


def row_counts(connection: Connection) -> dict[str, int]:
    """How many rows each table that expires holds."""
    return {
        table: int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]) for table in EXPIRING
    }


def _connect(path: Path, busy_s: float) -> Connection:
    connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _prepare(connection: Connection, path: Path) -> None:
    """Bring a new or an older file to this version; refuse one of a newer one."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not 0 <= version <= VERSION:
        raise StartFailed(
            f"{path} has version {version}, this version of Pedalflow reads {VERSION}; move the file away to begin anew"
        )
    for step in range(version, VERSION):
        connection.executescript(f"BEGIN; {_STEPS[step]} PRAGMA user_version = {step + 1}; COMMIT;")
