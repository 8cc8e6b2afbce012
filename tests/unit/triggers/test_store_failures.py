"""The store on SQLite while the file is busy or the disk is full: nothing is acknowledged, and it recovers by itself."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.samples.triggers_engine import event
from triggers.errors import StoreFailed
from triggers.store.store import Store

ROOT = Path(__file__).resolve().parents[3]
FULL_AND_THEN_NOT = """
import resource, sys
from tests.samples.triggers_engine import event
from triggers.errors import StoreFailed
from triggers.store.store import Store

store = Store(sys.argv[1])
first = store.accept([event(delivery="before")])
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
refused = 0
for number in range(3):
    try:
        store.accept([event(delivery=f"while full {number}")])
    except StoreFailed:
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
store.accept([event(delivery="after")])
print(refused, [stored.event.delivery for stored in store.events(9)])
store.close()
"""


def test_a_file_that_somebody_holds_is_a_failure_that_passes(tmp_path: Path) -> None:
    path = tmp_path / "triggers.sqlite"
    store = Store(f"sqlite:///{path}", busy_s=0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailed, match="locked"):
        store.accept([event(delivery="held")])
    assert store.events(9) == []
    holder.execute("ROLLBACK")
    holder.close()
    (accepted,) = store.accept([event(delivery="held")])
    store.close()
    assert not accepted.duplicate


def _held_without_write_ahead_log(path: Path) -> sqlite3.Connection:
    """A file whose turn is taken in SQLite's older mode: nobody else can turn the write-ahead log on, and SQLite does not wait for it."""
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    return holder


def test_opening_waits_for_whoever_holds_the_file(tmp_path: Path) -> None:
    path = tmp_path / "triggers.sqlite"
    holder = _held_without_write_ahead_log(path)
    freed = threading.Timer(0.3, holder.close)
    freed.start()
    store = Store(f"sqlite:///{path}")
    freed.join()
    store.accept([event(delivery="first")])
    assert [stored.event.delivery for stored in store.events(9)] == ["first"]
    store.close()


def test_opening_a_file_that_stays_held_says_so(tmp_path: Path) -> None:
    path = tmp_path / "triggers.sqlite"
    holder = _held_without_write_ahead_log(path)
    with pytest.raises(StoreFailed, match="locked"):
        Store(f"sqlite:///{path}", busy_s=0.05)
    holder.close()


def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'triggers.sqlite'}"
    ran = subprocess.run(
        [sys.executable, "-c", FULL_AND_THEN_NOT, url], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ran.stderr == ""
    assert ran.stdout.strip() == "3 ['after', 'before']"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://somebody:pa55word@host/name",
        "not an address",
        "",
    ],
)
def test_an_address_that_cannot_be_used_says_which_can(url: str) -> None:
    with pytest.raises(StoreFailed, match="sqlite:////absolute/path") as failure:
        Store(url)
    assert "pa55word" not in str(failure.value)


def test_a_store_for_reading_needs_a_file(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "triggers.sqlite"
    with pytest.raises(StoreFailed, match="no event has come yet"):
        Store(f"sqlite:///{path}", read_only=True)
    assert not path.parent.exists()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "triggers.sqlite"
    path.write_text("this is a letter to my aunt, and it is long enough to be read as a header\n" * 9)
    with pytest.raises(StoreFailed, match="not a database"):
        Store(f"sqlite:///{path}")


def test_the_file_is_synchronised_on_every_commit(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'triggers.sqlite'}")
    with store.turn() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    store.close()
    assert pragmas == ["wal", 2, 1]
