"""What the steps of the engine share: the store, the launchers, the rules, the clocks, and who counts what happens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from triggers.clock import Clock
from triggers.errors import LaunchStopped
from triggers.events import Kind
from triggers.launchers.launcher import Launcher
from triggers.policy import Action, Outcome, Rule
from triggers.records import StoredRun
from triggers.store.store import Store

logger = logging.getLogger("pedalflow.triggers")


class Observer(Protocol):
    """Counts what happens, after it has been committed. Seconds are of the wall's clock."""

    def decided(self, kind: Kind, action: Action, outcome: Outcome) -> None: ...

    def started(self, seconds_since_first_event: float) -> None: ...

    def finished(self, outcome: str, seconds: float) -> None: ...

    def promoted(self, seconds_since_first_event: float) -> None: ...

    def failed_attempt(self, launcher: str) -> None: ...


@dataclass(frozen=True)
class Timing:
    """How long things take, in seconds of the wall's clock.

    Args:
        poll_s: between two looks at a run at work.
        recheck_s: until a waiting run is asked again whether it may start.
        idle_s: until the store is looked at although nobody called: another process may have left something.
        claim_s: after how long without a sign of life a claim is taken over. The clocks of replicas have to agree much better than this.
        keep_days: after how many days events that led to nothing are forgotten.
        decided_together: how many events are decided in one turn, while nothing can be accepted.
    """

    poll_s: float = 1.0
    recheck_s: float = 1.0
    idle_s: float = 5.0
    claim_s: float = 15.0
    keep_days: float = 400.0
    decided_together: int = 20


@dataclass(frozen=True)
class Parts:
    """What an engine is made of. `owner` is its name in claims; `wall` and `jitter` are the wall's clock and chance."""

    store: Store
    launchers: Mapping[Action, Launcher]
    rules: Mapping[Kind, Rule]
    clock: Clock
    pipeline: str
    observe: Observer
    timing: Timing
    owner: str
    wall: Callable[[], float]
    jitter: Callable[[], float]

    def launcher_for(self, action: Action) -> Launcher:
        """The launcher of an action. Raises LaunchStopped where none is set."""
        if action not in self.launchers:
            raise LaunchStopped(f'no launcher is set for "{action.value}"; set one in the settings')
        return self.launchers[action]

    def launcher_of(self, run: StoredRun) -> Launcher:
        """The launcher that has a run. Raises LaunchStopped where it is set no longer."""
        for launcher in self.launchers.values():
            if launcher.name == run.launcher:
                return launcher
        raise LaunchStopped(
            f"the launcher {run.launcher} has this run, and it is not set any more; look there whether it is at work"
        )

    def champion(self) -> str:
        """The release that serves, as the launcher of retraining says; empty where it cannot say."""
        try:
            return self.launcher_for(Action.RETRAIN).champion()
        except Exception as error:
            logger.warning("nobody can say which release serves: %s", error)
            return ""
