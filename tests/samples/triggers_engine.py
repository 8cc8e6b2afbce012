"""What tests of the triggers' engine share: events, a launcher that writes down what it is asked, clocks to set, and a counter."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from triggers.clock import WallClock
from triggers.engine import Engine
from triggers.engine_parts import Timing
from triggers.events import Event, Fact, Kind, Source
from triggers.launchers.launcher import Launched, Launcher, Order, Seen, State
from triggers.policy import BY_KIND, Action, Outcome, Rule
from triggers.store.store import Store

NOW = 1_700_000_000.0
CHAMPION = "r-champion"
ACTIONS = (Action.RETRAIN, Action.TAKE_IN, Action.REBUILD)
_SOURCES = {
    Kind.CODE: Source.GITHUB,
    Kind.DATA: Source.GITHUB,
    Kind.STORAGE: Source.S3,
    Kind.ALERT: Source.ALERTMANAGER,
    Kind.SCHEDULE: Source.SCHEDULE,
    Kind.PERSON: Source.PERSON,
}
_deliveries = itertools.count(1)


def event(
    kind: Kind = Kind.PERSON,
    delivery: str = "",
    *,
    subject: str = "bikes",
    summary: str = "",
    data_time: float | None = None,
    request_id: str = "",
    **facts: Fact,
) -> Event:
    """An event; its delivery is a new one where none is given."""
    delivery = delivery or f"delivery-{next(_deliveries)}"
    source = _SOURCES.get(kind, Source.CLOUDEVENTS)
    summary = summary or f"{kind.value} by {delivery}"
    return Event(source, delivery, kind, subject, summary, None, data_time, request_id, facts)


def drift(
    is_drift: bool = True,
    *,
    release: str = CHAMPION,
    data_time: float | None = None,
    kind: Kind = Kind.DRIFT,
    subject: str = "bikes",
) -> Event:
    """A verdict of a detector."""
    return event(kind, data_time=data_time, subject=subject, is_drift=is_drift, release=release)


def upload(*objects: str) -> Event:
    """Objects were uploaded."""
    return event(Kind.STORAGE, objects=list(objects))


def push(commit: str, kind: Kind = Kind.CODE) -> Event:
    """A push to the repository."""
    return event(kind, commit=commit)


@dataclass
class Wall:
    """A clock that tests set."""

    time: float = NOW

    def __call__(self) -> float:
        return self.time

    def forward(self, seconds: float) -> None:
        self.time += seconds


class FileLauncher:
    """Writes each submission down as a line of a file, so that it outlives its process. Tests set what it says of runs."""

    name = "file"

    def __init__(self, folder: Path) -> None:
        self.file = folder / "submitted"
        self.orders: list[Order] = []
        self.seen: Seen | Exception = Seen(State.ACTIVE)
        self.trouble: Exception | None = None
        self.data: bool | None = None
        self.serves = ""

    def submitted(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []

    def find(self, key: str) -> Launched | None:
        return Launched(f"run-of-{key}") if key in self.submitted() else None

    def submit(self, order: Order) -> Launched:
        if self.trouble:
            raise self.trouble
        self.orders.append(order)
        file = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{order.key}\n".encode())
        os.close(file)
        return Launched(f"run-of-{order.key}", f"http://runs/{order.key}")

    def look(self, run: str) -> Seen:
        if isinstance(self.seen, Exception):
            raise self.seen
        return self.seen

    def new_data(self) -> bool | None:
        return self.data

    def champion(self) -> str:
        return self.serves

    def close(self) -> None:
        return None


@dataclass
class Counted:
    """What an engine counted, one tuple for each call."""

    calls: list[tuple[object, ...]] = field(default_factory=list)

    def decided(self, kind: Kind, action: Action, outcome: Outcome) -> None:
        self.calls.append(("decided", kind, action, outcome))

    def started(self, seconds_since_first_event: float) -> None:
        self.calls.append(("started", seconds_since_first_event))

    def finished(self, outcome: str, seconds: float) -> None:
        self.calls.append(("finished", outcome, seconds))

    def promoted(self, seconds_since_first_event: float) -> None:
        self.calls.append(("promoted", seconds_since_first_event))

    def failed_attempt(self, launcher: str) -> None:
        self.calls.append(("failed attempt", launcher))

    def named(self, name: str) -> list[tuple[object, ...]]:
        return [call[1:] for call in self.calls if call[0] == name]


def make_engine(
    store: Store,
    launcher: Launcher,
    wall: Wall,
    *,
    observe: Counted | None = None,
    rules: Mapping[Kind, Rule] = BY_KIND,
    launchers: Mapping[Action, Launcher] | None = None,
    timing: Timing | None = None,
    alone: bool = False,
    elapsed: Wall | None = None,
) -> Engine:
    """An engine with one launcher for everything, whose waits are as long as they can be."""
    return Engine(
        store,
        dict.fromkeys(ACTIONS, launcher) if launchers is None else launchers,
        rules,
        WallClock(wall),
        "bikes",
        observe or Counted(),
        timing=timing,
        alone=alone,
        wall=wall,
        elapsed=elapsed or wall,
        jitter=lambda: 1.0,
    )
