"""What becomes of a delivery, from the request to the answer: authenticated, read, parsed, fresh, committed, and only then acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from triggers.answers import Taken, TakenEvent
from triggers.doors import Door
from triggers.errors import Refused
from triggers.events import Event, Source
from triggers.limits import Buckets, Failures, Memory, Pace, check_declared, read_body, spend
from triggers.metrics import Metrics
from triggers.records import Accepted
from triggers.settings import TriggersSettings
from triggers.sources.authentication import check_fresh
from triggers.sources.table import SENT_WHEN_IT_OCCURRED, SOURCES

PACE = "TOO_MANY"
# Bytes of bodies at once from senders who have proved who they are, and as many from those who have yet to: no stranger takes
# the others' share.
MOST_BYTES = 64 * 2**20
_FETCHERS = 4  # threads in which proofs are checked that may need a key from elsewhere; all others go on without waiting for one
Accept = Callable[[tuple[Event, ...]], list[Accepted]]


@dataclass(frozen=True)
class Delivery:
    """A request, as far as it has been read: headers with their names in lower case, and where it came from."""

    source: Source
    headers: Mapping[str, str]
    client: str


class Reception:
    """Takes deliveries. What it remembers is how often whom, in bounded memory.

    Args:
        accept: commits events; blocks until they are on the disk.
        wake: tells the engine that there is something to decide.
        wall: the time in seconds since 1970.
    """

    def __init__(
        self,
        settings: TriggersSettings,
        doors: Mapping[Source, Door],
        accept: Accept,
        wake: Callable[[], None],
        metrics: Metrics,
        failures: Failures,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._doors = doors
        self._accept = accept
        self._wake = wake
        self._metrics = metrics
        self._wall = wall
        self._failures = failures
        self._memory = {reads_body: Memory(MOST_BYTES) for reads_body in (True, False)}
        self._fetchers = CapacityLimiter(_FETCHERS)
        self._pace = Buckets(Pace(settings.deliveries_per_s, settings.deliveries_burst), time.monotonic)

    async def take(self, source: Source, request: Request) -> Taken:
        """Take a delivery. When this returns, every event in it is committed.

        Raises:
            Refused: with the rule that it broke; nothing of it was kept.
            StoreFailed: the database did not take it; the sender has to send it again.
        """
        headers = {name: request.headers[name] for name in request.headers}
        delivery = Delivery(source, headers, request.client.host if request.client else "")
        try:
            return await self._take(delivery, request)
        except Refused as refusal:
            self._metrics.refused(source.value, refusal.rule)
            raise

    async def _take(self, delivery: Delivery, request: Request) -> Taken:
        door = self._doors[delivery.source]
        check_declared(delivery.headers.get("content-length"), self._settings.body_bytes)
        with self._memory[door.reads_body].portion() as take:
            with self._failures.counted(delivery.client):
                body = await self._proven(door, delivery, request, take)
            spend(self._pace, delivery.source.value, PACE, f"deliveries from {delivery.source.value}")
            return await run_in_threadpool(self._keep, delivery, body)

    async def _proven(
        self, door: Door, delivery: Delivery, request: Request, take: Callable[[int], None]
    ) -> bytes:
        """The body. A proof that is about it cannot be checked before it is read, but its form can."""
        if door.reads_body:
            door.check_form(delivery.headers)
        elif door.fetches:
            await to_thread.run_sync(door.check, delivery.headers, b"", limiter=self._fetchers)
        else:
            door.check(delivery.headers, b"")
        body = await read_body(request.stream(), self._settings.body_bytes, self._settings.body_s, take)
        if door.reads_body:
            door.check(delivery.headers, body)
        return body

    def _keep(self, delivery: Delivery, body: bytes) -> Taken:
        begun = time.perf_counter()
        events = SOURCES[delivery.source](delivery.headers, body, self._settings.sources)
        if delivery.source in SENT_WHEN_IT_OCCURRED:
            for event in events:
                check_fresh(event.occurred, self._wall(), self._settings.window_s)
        accepted = self._accept(events)
        self._wake()
        self._metrics.took(delivery.source, time.perf_counter() - begun)
        for event, taken in zip(events, accepted, strict=True):
            self._metrics.accepted(delivery.source, event.kind, duplicate=taken.duplicate)
        return Taken(events=[TakenEvent(id=taken.id, duplicate=taken.duplicate) for taken in accepted])
