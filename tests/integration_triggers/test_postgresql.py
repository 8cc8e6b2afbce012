"""The same claims of store and engine on a real PostgreSQL, and what only happens there."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text

from tests.samples.postgresql import PostgreSQL
from tests.samples.triggers_engine import FileLauncher, Wall, event, make_engine
from tests.unit.triggers.test_engine import *  # noqa: F403
from tests.unit.triggers.test_pause import *  # noqa: F403
from tests.unit.triggers.test_situation import *  # noqa: F403
from tests.unit.triggers.test_store import *  # noqa: F403
from triggers.errors import StoreFailed
from triggers.events import Kind
from triggers.records import AT_WORK, Phase
from triggers.store.store import Store

REPLICAS = 3


@pytest.fixture
def url(postgresql: PostgreSQL) -> Iterator[str]:
    """Every test begins without tables."""
    with postgresql.empty_database() as made:
        yield made


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    made = Store(url, wall=Wall())
    yield made
    made.close()


def test_the_address_may_leave_the_driver_out(url: str) -> None:
    Store(url.replace("postgresql+psycopg://", "postgresql://")).close()


def test_replicas_on_one_database_share_the_work(url: str, tmp_path: Path) -> None:
    """Three engines with threads of their own and forty wishes at once: one run after the other, each submitted once."""
    stores = [Store(url) for _ in range(REPLICAS)]
    launchers = [Promptly(tmp_path, stores[0]) for _ in range(REPLICAS)]
    engines = [make_engine(store, launcher, RealTime()) for store, launcher in zip(stores, launchers)]  # noqa: F405
    for engine in engines:
        engine.start()
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(ask, stores[n % REPLICAS], engines[n % REPLICAS]) for n in range(40)]:
            done.result()
    while stores[0].depth().undecided or stores[0].depth().waiting or stores[0].depth().at_work:
        for engine in engines:
            engine.wake()
    for engine in engines:
        engine.stop()
    runs = stores[0].runs(99)
    for store in stores:
        store.close()
    assert {run.phase for run in runs} == {Phase.SUCCEEDED}
    assert sorted(launchers[0].submitted()) == sorted(run.id for run in runs)


def ask(store: Store, engine: Engine) -> None:  # noqa: F405
    store.accept([event(Kind.PERSON), event(Kind.ALERT)])
    engine.wake()


class Promptly(FileLauncher):
    """Its runs end at the first look. Submitting, it checks that nothing else is at work."""

    def __init__(self, folder: Path, store: Store) -> None:
        super().__init__(folder)
        self.store = store
        self.seen = ENDED_WELL  # noqa: F405

    def submit(self, order: Order) -> Launched:  # noqa: F405
        assert [run.id for run in self.store.runs(99) if run.phase in AT_WORK] == [order.key]
        return super().submit(order)


def test_connections_that_were_cut_are_made_again(store: Store, postgresql: PostgreSQL) -> None:
    store.accept([event(delivery="before")])
    postgresql.cut_off()
    store.accept([event(delivery="after")])
    assert len(store.events(9)) == 2


def test_a_database_that_lets_nobody_in_is_a_failure_that_passes(
    store: Store, postgresql: PostgreSQL
) -> None:
    postgresql.lets_in(False)
    postgresql.cut_off()
    for _ in range(2):
        with pytest.raises(StoreFailed, match="does not take or give anything now"):
            store.accept([event(delivery="held")])
    postgresql.lets_in(True)
    (accepted,) = store.accept([event(delivery="held")])
    assert not accepted.duplicate


def test_what_is_promised_does_not_depend_on_how_the_server_is_set(
    url: str, store: Store, postgresql: PostgreSQL
) -> None:
    """Commits reach the disk, turns see what the one before did, and what is read together belongs together."""
    with postgresql.set_otherwise(synchronous_commit="off", default_transaction_isolation="serializable"):
        other = Store(url)
        found = [_shown(other.turn()), _shown(other.reading())]
        other.close()
    assert found == [("on", "read committed"), ("on", "repeatable read")]


def _shown(transaction: AbstractContextManager[Connection]) -> tuple[str | None, ...]:
    with transaction as connection:
        names = ("synchronous_commit", "transaction_isolation")
        return tuple(connection.scalar(text(f"SHOW {name}")) for name in names)


def test_a_password_is_in_no_error(url: str) -> None:
    wrong = make_url(url).set(username="nobody", password="pa55word").render_as_string(hide_password=False)
    with pytest.raises(StoreFailed) as failure:
        Store(wrong)
    assert "pa55word" not in str(failure.value)
