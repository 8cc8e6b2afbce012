"""The service's clock, by which settling, cool-downs and quiet periods count: the wall's, or in a replay that of the data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from triggers.policy import DAY
from triggers.store.store import Store


class Clock(Protocol):
    """Tells the time in seconds since 1970."""

    def now(self) -> float: ...


@dataclass(frozen=True)
class WallClock:
    """The time of this machine."""

    wall: Callable[[], float] = time.time

    def now(self) -> float:
        return self.wall()


@dataclass(frozen=True)
class DataClock:
    """The newest moment of data that any event spoke of, 0 before the first.

    What lies further ahead of the wall's time than a day is taken for a mistake of its sender; believed, it would stop this clock for good.
    """

    store: Store
    wall: Callable[[], float] = time.time

    def now(self) -> float:
        return self.store.newest_data_time(self.wall() + DAY)


_CLOCKS: Mapping[str, Callable[[Store], Clock]] = {"wall": lambda _: WallClock(), "data": DataClock}


def make_clock(name: str, store: Store) -> Clock:
    """The clock called `wall` or `data`."""
    return _CLOCKS[name](store)
