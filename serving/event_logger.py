"""The request logger of Seldon's executor: every message becomes a CloudEvent, posted in the background to one address.

As in Seldon's executor a message waits at most two seconds for a place in a short queue and is dropped after that, and the
extensions are those of its logger. Unlike it, an address that does not answer is tried again for a while: the executor
posts to a broker, which is always there, and on one machine the receiver itself may be starting again.
"""

from __future__ import annotations

import enum
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import urllib3

logger = logging.getLogger(__name__)

_RETRY_EVERY_S = 0.2
_TRY_AGAIN = frozenset((408, 425, 429))  # 4xx that say nothing of the event
_PLAIN = ":/@!$&'()*+,;="  # stands in a header as it is, beside letters, digits and -._~


class Kind(enum.Enum):
    """What was said; the value is the CloudEvent's type."""

    REQUEST = "io.seldon.serving.inference.request"
    RESPONSE = "io.seldon.serving.inference.response"
    FEEDBACK = "io.seldon.serving.feedback"


class Outcome(enum.Enum):
    """What became of an event; the value is a label of the metric."""

    SENT = "sent"
    QUEUE_FULL = "queue_full"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True)
class Event:
    """One message on its way to the receiver."""

    kind: Kind
    request_id: str
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Origin:
    """What the events say of where they come from: the extensions of Seldon's logger."""

    source: str
    deployment: str
    namespace: str
    predictor: str
    model: str

    def headers(self, event: Event) -> dict[str, str]:
        """The HTTP headers of a CloudEvent 1.0 in binary mode, as Seldon's executor sends them."""
        return {
            "Content-Type": event.content_type,
            "Ce-Specversion": "1.0",
            "Ce-Id": str(uuid.uuid4()),
            "Ce-Type": event.kind.value,
            "Ce-Source": self.source,
            "Ce-Time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "Ce-Requestid": quote(event.request_id, safe=_PLAIN),  # a caller may send anything
            "Ce-Modelid": self.model,
            "Ce-Inferenceservicename": self.deployment,
            "Ce-Namespace": self.namespace,
            "Ce-Endpoint": self.predictor,
            "Ce-Protocol": "seldon",
        }


class EventQueue:
    """First in, first out, `places` long; what finds no place within `patience_s` is dropped."""

    def __init__(self, places: int, patience_s: float, on_drop: Callable[[], None]) -> None:
        self._places = places
        self._patience_s = patience_s
        self._on_drop = on_drop
        self._queued: deque[Event] = deque()
        self._waiting: deque[tuple[float, Event]] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, event: Event) -> None:
        """Never waits; after `close` the event is dropped."""
        with self._changed:
            if self._closed:
                self._on_drop()
                return
            self._move_up()
            if len(self._queued) < self._places:
                self._queued.append(event)
            else:
                self._waiting.append((time.monotonic() + self._patience_s, event))
            self._changed.notify()

    def take(self) -> Event | None:
        """The oldest event, waiting for one; None once the queue is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._queued or self._closed)
            if not self._queued:
                return None
            event = self._queued.popleft()
            self._move_up()
            return event

    def close(self) -> None:
        """Take nothing more; what is queued can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _move_up(self) -> None:
        """Drop what has waited too long, and give free places to those who wait."""
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            self._waiting.popleft()
            self._on_drop()
        while self._waiting and len(self._queued) < self._places:
            self._queued.append(self._waiting.popleft()[1])


class EventLogger:
    """Posts events to `url`. With one sender they leave in the order in which they came; receivers must not count on any.

    Args:
        url: the receiver, or a broker in front of receivers.
        origin: where the events come from.
        count: called with the outcome of every event.
        places: length of the queue.
        patience_s: how long an event may wait for a place.
        retry_s: how long a receiver that does not answer is tried again.
        timeout_s: how long one attempt may take.
        senders: threads that post.
    """

    def __init__(
        self,
        url: str,
        origin: Origin,
        count: Callable[[Outcome], None],
        *,
        places: int,
        patience_s: float,
        retry_s: float,
        timeout_s: float,
        senders: int = 1,
    ) -> None:
        self._url = url
        self._origin = origin
        self._count = count
        self._retry_s = retry_s
        self._queue = EventQueue(places, patience_s, lambda: count(Outcome.QUEUE_FULL))
        self._pool = urllib3.PoolManager(maxsize=senders, retries=False, timeout=urllib3.Timeout(timeout_s))
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"event-logger-{number}", daemon=True)
            for number in range(senders)
        ]

    def start(self) -> None:
        """Start posting."""
        for thread in self._threads:
            thread.start()

    def log(self, event: Event) -> None:
        """Queue an event; never waits."""
        self._queue.put(event)

    def stop(self, within_s: float) -> None:
        """Post what is queued, for at most `within_s`."""
        self._stopping.set()
        self._queue.close()
        deadline = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while (event := self._queue.take()) is not None:
            self._count(self._delivered(event))

    def _delivered(self, event: Event) -> Outcome:
        """Post one event, again and again while nobody answers or the receiver says that it cannot."""
        headers = self._origin.headers(
            event
        )  # one id for all attempts: receivers know a repeated event by it
        deadline = time.monotonic() + self._retry_s
        while True:
            try:
                answer = self._pool.request("POST", self._url, body=event.body, headers=headers)
            except urllib3.exceptions.HTTPError as error:
                outcome, reason = Outcome.UNREACHABLE, str(error)
            else:
                if answer.status < 300:
                    return Outcome.SENT
                outcome, reason = _outcome(answer.status), f"HTTP {answer.status} {answer.data[:200]!r}"
                if outcome is Outcome.REFUSED:
                    deadline = 0.0
            if time.monotonic() >= deadline or self._stopping.wait(_RETRY_EVERY_S):
                # A receiver refuses the event of every bad request: that is no news.
                level = logging.INFO if outcome is Outcome.REFUSED else logging.WARNING
                logger.log(level, "event of request %s was dropped: %s", event.request_id, reason)
                return outcome


def _outcome(status: int) -> Outcome:
    """Of an answer that is no success: was the event refused, or could the receiver not take it?"""
    return Outcome.REFUSED if 400 <= status < 500 and status not in _TRY_AGAIN else Outcome.FAILED
