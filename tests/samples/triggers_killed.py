"""A triggers' service without its web part that is killed, by its own hand at a named point or from outside: SIGKILL, no farewell."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

from tests.samples.triggers_engine import ACTIONS, Counted, FileLauncher, event
from triggers.clock import WallClock
from triggers.engine import Engine
from triggers.engine_parts import Timing
from triggers.events import Event, Kind
from triggers.launchers.launcher import PROMOTED, Launched, Order, Seen, State
from triggers.policy import BY_KIND, Action, Outcome
from triggers.records import OVER, Phase
from triggers.store.store import Store

T = TypeVar("T")

AT_ONCE = {kind: replace(rule, settle_s=0.0, cool_down_s=0.0) for kind, rule in BY_KIND.items()}
TIMING = Timing(poll_s=0.0, recheck_s=0.0, claim_s=0.2)
PATIENCE_S = 60.0


@dataclass
class Die:
    """Kills this process when a point has been reached as often as it says."""

    point: str = ""
    times: int = 1
    reached: Counter[str] = field(default_factory=Counter)

    def __call__(self, point: str) -> None:
        self.reached[point] += 1
        if point == self.point and self.reached[point] == self.times:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingLauncher(FileLauncher):
    """Its runs promote a release at the first look."""

    def __init__(self, folder: Path, die: Die) -> None:
        super().__init__(folder)
        self.die = die
        self.seen = Seen(State.SUCCEEDED, outcome=PROMOTED, release="r-new")

    def find(self, key: str) -> Launched | None:
        return self._around("find", lambda: super(DyingLauncher, self).find(key))

    def submit(self, order: Order) -> Launched:
        return self._around("submit", lambda: super(DyingLauncher, self).submit(order))

    def look(self, run: str) -> Seen:
        return self._around("look", lambda: super(DyingLauncher, self).look(run))

    def _around(self, name: str, call: Callable[[], T]) -> T:
        self.die(f"before {name}")
        answer = call()
        self.die(f"after {name}")
        return answer


class DyingCounted(Counted):
    """Counts happen just after a commit."""

    def __init__(self, die: Die) -> None:
        super().__init__()
        self.die = die

    def decided(self, kind: Kind, action: Action, outcome: Outcome) -> None:
        self.die("decided")

    def started(self, seconds_since_first_event: float) -> None:
        self.die("started")

    def finished(self, outcome: str, seconds: float) -> None:
        self.die("finished")


@dataclass(frozen=True)
class Service:
    """Store and engine in a process of their own, with what they leave: ids of what was acknowledged, and keys of what was submitted."""

    url: str
    folder: Path

    @property
    def acknowledged(self) -> list[str]:
        return _lines(self.folder / "acknowledged")

    @property
    def submitted(self) -> list[str]:
        return _lines(self.folder / "submitted")

    def play(self, events: Iterable[Event], die: Die | None = None) -> int | None:
        """Accept events and work until nothing is left to do, or until death; the exit code of the process."""
        process = self._fork(lambda: self._work(list(events), die or Die()))
        process.join(PATIENCE_S)
        return process.exitcode

    def start_under_load(self, number: int) -> BaseProcess:
        """Begin to accept from four threads, without end, while the engine works. `number` is how often it was begun before."""
        return self._fork(lambda: self._work_under_load(number))

    def _fork(self, work: Callable[[], None]) -> BaseProcess:
        process = multiprocessing.get_context("fork").Process(target=work, daemon=True)
        process.start()
        return process

    def _engine(self, store: Store, die: Die) -> Engine:
        def wall() -> float:
            die("clock")
            return time.time()

        def elapsed() -> float:
            die("clock")
            return time.monotonic()

        launcher = DyingLauncher(self.folder, die)
        launchers = dict.fromkeys(ACTIONS, launcher)
        clock, counted = WallClock(wall), DyingCounted(die)
        return Engine(
            store, launchers, AT_ONCE, clock, "bikes", counted, timing=TIMING, wall=wall, elapsed=elapsed
        )

    def _work(self, events: list[Event], die: Die) -> None:
        def received() -> float:
            die("received")
            return time.time()

        store = Store(self.url, wall=received)
        engine = self._engine(store, die)
        for one in events:
            self._acknowledge(store, one)
        while engine.step() and not _finished(store):
            time.sleep(0.02)
        store.close()

    def _work_under_load(self, number: int) -> None:
        store = Store(self.url)
        engine = self._engine(store, Die())
        engine.start()
        for sender in range(4):
            threading.Thread(
                target=self._send, args=(store, engine, f"{number}/{sender}"), daemon=True
            ).start()
        threading.Event().wait(PATIENCE_S)

    def _send(self, store: Store, engine: Engine, name: str) -> None:
        """Every third event is for people, the others are recorded; every delivery is made twice."""
        for number in itertools.count():
            kind = (Kind.ALERT, Kind.ALERT, Kind.PERSON)[number % 3]
            one = event(kind, f"{name}/{number}")
            for _ in range(2):
                self._acknowledge(store, one)
            engine.wake()

    def _acknowledge(self, store: Store, one: Event) -> None:
        (accepted,) = store.accept([one])
        with (self.folder / "acknowledged").open("a") as file:
            file.write(f"{accepted.id}\n")


def _lines(file: Path) -> list[str]:
    """Whole lines; whoever was killed in the middle of one had not said it."""
    text = file.read_text() if file.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


def _finished(store: Store) -> bool:
    depth = store.depth()
    return not (depth.undecided or depth.waiting or depth.at_work)


def check(service: Service) -> None:
    """Nothing that was acknowledged is lost, everything is decided, and each run was submitted once."""
    store = Store(service.url)
    kept = {stored.id: stored for stored in store.events(1_000_000)}
    runs = store.runs(1_000_000)
    store.close()
    acknowledged = Counter(service.acknowledged)
    assert not acknowledged.keys() - kept.keys()
    assert all(kept[id].deliveries >= times for id, times in acknowledged.items())
    assert all(stored.outcome for stored in kept.values())
    assert {run.phase for run in runs} <= OVER - {Phase.FAILED}
    started = [run.id for run in runs if run.phase is not Phase.DROPPED]
    assert sorted(service.submitted) == sorted(started)
    assert {stored.run for stored in kept.values()} - {""} == {run.id for run in runs}
