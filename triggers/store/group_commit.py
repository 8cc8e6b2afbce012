"""Group commit: callers queue up, a thread takes all that wait into one transaction, and wakes them when it is on the disk.

The wait for the disk is what costs; callers who come while one commit is under way share the next.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from triggers.errors import StoreFailed
from triggers.events import Event
from triggers.records import Accepted
from triggers.store.database import is_down

logger = logging.getLogger("pedalflow.triggers")

MOST_TOGETHER = 100  # callers in one transaction: more would make the engine wait too long for its turn


@dataclass(frozen=True)
class _Waiting:
    events: Sequence[Event]
    answer: Future[list[Accepted]] = field(default_factory=Future)


class GroupCommit:
    """Safe to use from many threads; its own thread begins with the first call.

    Args:
        write: keeps events in one transaction that has been committed when it returns; raises where nothing was kept.
    """

    def __init__(self, write: Callable[[Sequence[Event]], list[Accepted]]) -> None:
        self._write = write
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    def accept(self, events: Sequence[Event]) -> list[Accepted]:
        """Keep events together; when this returns, they are on the disk. Raises StoreFailed: none of them was kept."""
        waiting = _Waiting(events)
        with self._changed:
            if self._closed:
                raise StoreFailed("the service is stopping; send it again")
            self._waiting.append(waiting)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="group commit", daemon=True)
                self._thread.start()
        return waiting.answer.result()

    def close(self) -> None:
        """Write what waits, and take nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while group := self._next():
            self._settle(group)

    def _next(self) -> list[_Waiting]:
        """All that waits; empty when there will be nothing more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]

    def _settle(self, group: Sequence[_Waiting]) -> None:
        """Answer everybody in a group. Where one of them cannot be kept, each is tried alone, so that only that one fails."""
        try:
            answers = iter(self._write([event for waiting in group for event in waiting.events]))
        except Exception as error:
            if len(group) > 1 and not is_down(error):
                for waiting in group:
                    self._settle([waiting])
            else:
                _fail(group, error)
            return
        for waiting in group:
            waiting.answer.set_result([next(answers) for _ in waiting.events])


def _fail(group: Sequence[_Waiting], error: Exception) -> None:
    if not isinstance(error, StoreFailed):
        logger.error("%d deliveries could not be kept", len(group), exc_info=error)
    message = str(error) if isinstance(error, StoreFailed) else f"it cannot be kept: {error}"
    for waiting in group:
        waiting.answer.set_exception(StoreFailed(message))
