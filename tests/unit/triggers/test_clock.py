"""The service's clock: the wall's, or that of the data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.samples.triggers_engine import NOW, event
from triggers.clock import DataClock, WallClock, make_clock
from triggers.policy import DAY
from triggers.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'triggers.sqlite'}")
    yield made
    made.close()


def test_the_walls_clock_goes_with_the_wall() -> None:
    assert WallClock(lambda: NOW).now() == NOW


def test_the_clock_of_the_data_stands_at_the_newest_data(store: Store) -> None:
    clock = DataClock(store, lambda: NOW)
    assert clock.now() == 0.0
    for data_time, expected in ((500.0, 500.0), (None, 500.0), (700.0, 700.0), (600.0, 700.0)):
        store.accept([event(data_time=data_time)])
        assert clock.now() == expected


def test_data_of_the_far_future_do_not_stop_the_clock(store: Store) -> None:
    store.accept([event(data_time=1000 * NOW), event(data_time=NOW + 2 * DAY), event(data_time=NOW - DAY)])
    assert DataClock(store, lambda: NOW).now() == NOW - DAY


@pytest.mark.parametrize(("name", "kind"), [("wall", WallClock), ("data", DataClock)])
def test_a_clock_is_made_by_its_name(store: Store, name: str, kind: type) -> None:
    assert isinstance(make_clock(name, store), kind)
