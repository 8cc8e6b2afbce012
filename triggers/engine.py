"""The engine: decides what was committed, starts what is due, and follows the run at work, one step after the other.

Any number of engines may share one store; each thing is done by one of them, and whatever one leaves undone the others take up.
"""

from __future__ import annotations

import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping

from triggers import at_work
from triggers.at_work import Moved
from triggers.clock import Clock
from triggers.deciding import decide_some
from triggers.engine_parts import Observer, Parts, Timing, logger
from triggers.errors import StoreFailed
from triggers.events import Kind
from triggers.launchers.launcher import Launcher
from triggers.pause import WISHES
from triggers.policy import DAY, HOUR, Action, Outcome, Rule
from triggers.records import Phase
from triggers.starting import start_next
from triggers.store import changes, questions, retention
from triggers.store.questions import Held
from triggers.store.store import Store

SHORTEST_S = 0.02
GATHER_S = 0.02  # events that come so close together are decided in one turn
AFTER_FAILURE_S = 1.0
FORGOTTEN_TOGETHER = 200


class Engine:
    """Does the work of the service, by `step` or in a thread of its own.

    Args:
        store: where events and runs are.
        launchers: what starts runs, by action.
        rules: the policy, by kind of event.
        clock: the service's clock, by which settling, cool-downs and quiet periods count.
        pipeline: the name of the pipeline whose runs are started.
        observe: counts what happens.
        timing: how long things take.
        alone: whether no other engine can share the store, so that claims which were left need not run out.
        wall: the wall's clock, by which claims and retries count.
        elapsed: seconds that never go back, by which the engine's own waits count.
        jitter: a number from 0 to 1 for each wait.
    """

    def __init__(
        self,
        store: Store,
        launchers: Mapping[Action, Launcher],
        rules: Mapping[Kind, Rule],
        clock: Clock,
        pipeline: str,
        observe: Observer,
        *,
        timing: Timing | None = None,
        alone: bool = False,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._parts = Parts(
            store, launchers, rules, clock, pipeline, observe, timing or Timing(), owner, wall, jitter
        )
        self._elapsed = elapsed
        self._look_at = self._quiet_until = self._forget_at = 0.0  # by `elapsed`
        self._inherits = alone
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Work in a thread until `stop`."""
        self._thread.start()

    def wake(self) -> None:
        """Something was committed."""
        self._wake.set()

    def alive(self) -> bool:
        """Whether the thread works."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Finish the step at hand and give claims back, so that whoever comes next goes on at once. Runs that are at work go on."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            with self._parts.store.turn() as connection:
                changes.claims_given_back(connection, self._parts.owner)
        except StoreFailed as error:
            logger.warning("the claim could not be given back, so it has to run out: %s", error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(self._step_or_wait())
            self._stopping.wait(GATHER_S)
            self._wake.clear()

    def _step_or_wait(self) -> float:
        try:
            return self.step()
        except StoreFailed as error:
            logger.warning("the engine has to wait: %s", error)
        except Exception:
            logger.exception("a step of the engine failed")
        return AFTER_FAILURE_S

    def step(self) -> float:
        """Do everything that can be done now; the seconds until something may be due. Raises StoreFailed."""
        self._inherit()
        self._forget()
        while not self._stopping.is_set() and self._round():
            continue
        return max(SHORTEST_S, self._quiet_until - self._elapsed())

    def _inherit(self) -> None:
        """Before the first step: what claims there are were left by engines that were killed."""
        if self._inherits:
            with self._parts.store.turn() as connection:
                changes.claims_of_the_dead_freed(connection)
            self._inherits = False

    def _round(self) -> bool:
        """Whether anything got done. Runs are left alone until something may have become due, however many events come meanwhile."""
        decided = self._safely(self._decide)
        if self._elapsed() < self._quiet_until:
            return decided
        started = self._safely(lambda: start_next(self._parts))
        moved = self._safely(self._move)
        if not (started or moved):
            self._quiet_until = self._elapsed() + self._idle_s()
        return decided or started or moved

    def _safely(self, stage: Callable[[], bool]) -> bool:
        """Whether a stage got something done. A mistake in one must not stop the others."""
        try:
            return stage()
        except StoreFailed:
            raise
        except Exception:
            logger.exception("a stage of the engine failed")
            return False

    def _decide(self) -> bool:
        decided = decide_some(self._parts)
        if any(one.decision.outcome is Outcome.STARTS or one.kind in WISHES for one in decided):
            self._quiet_until = 0.0
        return bool(decided)

    def _move(self) -> bool:
        moved = at_work.move(self._parts, may_look=self._elapsed() >= self._look_at)
        if moved is Moved.LOOKED:
            self._look_at = self._elapsed() + self._parts.timing.poll_s
        elif moved is Moved.ON:
            self._look_at = 0.0
        return moved is Moved.ON

    def _idle_s(self) -> float:
        """Seconds until something may be due for a run."""
        timing = self._parts.timing
        with self._parts.store.reading() as connection:
            held, due = questions.at_work(connection), questions.next_due(connection)
        if held is not None:
            return min(self._ready_in_s(held), timing.idle_s)
        if due is None:
            return timing.idle_s
        left_s = due - self._parts.clock.now()
        return left_s if 0 < left_s < timing.recheck_s else timing.recheck_s

    def _ready_in_s(self, held: Held) -> float:
        """Seconds until something can be done for the run at work."""
        wall = self._parts.wall()
        if held.claimed_by not in ("", self._parts.owner):
            return held.claim_until - wall
        again_s, look_s = held.run.retry_at - wall, self._look_at - self._elapsed()
        return again_s if held.run.phase is Phase.LAUNCHING else max(again_s, look_s)

    def _forget(self) -> None:
        """Forget old events that led to nothing, a few each time, every hour until there are none left."""
        if self._elapsed() < self._forget_at:
            return
        before = self._parts.wall() - self._parts.timing.keep_days * DAY
        with self._parts.store.reading() as connection:
            numbers = retention.events_to_forget(connection, before, FORGOTTEN_TOGETHER)
        if numbers:
            with self._parts.store.turn() as connection:
                retention.forget_events(connection, numbers, before)
        self._forget_at = self._elapsed() + (0.0 if len(numbers) == FORGOTTEN_TOGETHER else HOUR)
