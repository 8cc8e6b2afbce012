"""The state: a change is whole or not there, failures come out where they belong, and tables stay bounded."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.errors import StartFailed
from serving.state import (
    FILE,
    Connection,
    State,
    StateFailed,
    expire,
    fact,
    keep_verdict,
    row_counts,
    set_fact,
    verdicts,
)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    made = State(tmp_path / FILE)
    yield made
    made.close()


def test_a_change_is_on_the_disk_when_it_returns(state: State, tmp_path: Path) -> None:
    state.change(lambda connection: set_fact(connection, "key", "value"))
    other = sqlite3.connect(tmp_path / FILE)
    assert fact(other, "key", "") == "value"
    other.close()


def test_what_a_change_raises_undoes_it_and_only_it(state: State) -> None:
    def fails(connection: Connection) -> None:
        set_fact(connection, "bad", "1")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        state.change(fails)
    state.change(lambda connection: set_fact(connection, "good", "1"))
    assert state.read(lambda connection: (fact(connection, "bad", ""), fact(connection, "good", ""))) == (
        "",
        "1",
    )


def test_changes_that_wait_together_share_a_commit(tmp_path: Path) -> None:
    commits: list[int] = []
    held, waiting = threading.Event(), threading.Event()

    def first(_: Connection) -> None:
        waiting.set()
        held.wait(20)

    state = State(tmp_path / FILE, before_commit=lambda: commits.append(1))
    threads = [threading.Thread(target=state.change, args=(first,))]
    threads[0].start()
    waiting.wait(20)
    for number in range(10):
        threads.append(
            threading.Thread(target=state.change, args=(lambda c, n=number: set_fact(c, str(n), "1"),))
        )
        threads[-1].start()
    while len(state._waiting) < 10:
        threading.Event().wait(0.001)
    held.set()
    for thread in threads:
        thread.join()
    assert len(commits) == 2
    assert state.read(lambda c: c.execute("SELECT COUNT(*) FROM facts").fetchone()[0]) == 10
    state.close()


def test_nothing_of_a_group_happens_where_the_lines_cannot_be_written(tmp_path: Path) -> None:
    full = [True]

    def before_commit() -> None:
        if full[0]:
            raise OSError("No space left on device")

    state = State(tmp_path / FILE, before_commit=before_commit)
    with pytest.raises(StateFailed, match="No space left"):
        state.change(lambda connection: set_fact(connection, "key", "1"))
    full[0] = False
    state.change(lambda connection: set_fact(connection, "other", "1"))
    assert state.read(lambda connection: fact(connection, "key", "")) == ""
    state.close()


def test_a_file_that_another_process_locks_makes_changes_fail_and_then_work_again(tmp_path: Path) -> None:
    state = State(tmp_path / FILE, busy_s=0.05)
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateFailed, match="locked"):
        state.change(lambda connection: set_fact(connection, "key", "1"))
    other.execute("ROLLBACK")
    other.close()
    state.change(lambda connection: set_fact(connection, "key", "2"))
    assert state.read(lambda connection: fact(connection, "key", "")) == "2"
    state.close()


def test_a_closed_state_takes_nothing(state: State) -> None:
    state.close()
    with pytest.raises(StateFailed):
        state.change(lambda connection: None)


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be looked at" * 40, None])
def test_a_file_of_another_kind_or_version_is_refused_with_what_to_do(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is None:
        other = sqlite3.connect(tmp_path / FILE)
        other.execute("PRAGMA user_version = 99")
        other.close()
    else:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StartFailed, match="move the file away"):
        State(tmp_path / FILE)


def see(connection: Connection, number: int, at: float) -> None:
    connection.execute("INSERT INTO seen VALUES (?, ?, ?)", (f"e{number}", f"r{number}", at))


@pytest.mark.parametrize(("keep_s", "most", "left"), [(10.0, 100, 11), (1000.0, 100, 50), (1000.0, 7, 7)])
def test_what_is_too_old_or_too_much_is_forgotten(state: State, keep_s: float, most: int, left: int) -> None:
    def fill(connection: Connection) -> dict[str, int]:
        for number in range(50):
            see(connection, number, float(number))
        return expire(connection, keep_s, most, 49.0)

    assert state.change(fill)["seen"] == 50 - left
    assert state.read(row_counts)["seen"] == left
    assert state.read(lambda c: c.execute("SELECT MIN(at) FROM seen").fetchone()[0]) == 50 - left


def test_only_the_last_verdicts_of_a_kind_are_kept(state: State) -> None:
    def fill(connection: Connection) -> None:
        for number in range(9):
            keep_verdict(connection, "drift", "r-1", b"%d" % number, 4)
            keep_verdict(connection, "concept", "r-2", b"%d" % number, 2)

    state.change(fill)
    assert state.read(lambda connection: verdicts(connection, "drift")) == [b"5", b"6", b"7", b"8"]
    assert state.read(lambda connection: verdicts(connection, "concept", "r-2")) == [b"7", b"8"]
    assert state.read(lambda connection: verdicts(connection, "concept", "r-1")) == []


def test_an_event_of_a_clock_that_is_ahead_makes_no_other_old(state: State) -> None:
    def fill(connection: Connection) -> dict[str, int]:
        for number in range(5):
            see(connection, number, float(number))
        see(connection, 9, 1e12)
        return expire(connection, 10.0, 100, 5.0)

    assert state.change(fill)["seen"] == 0
    assert state.read(lambda c: c.execute("SELECT MAX(at) FROM seen").fetchone()[0]) == 5.0
