"""The service's own schedule: an event for every slot of time, made once however many replicas and restarts there are."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from starlette.concurrency import run_in_threadpool

from triggers.events import Event, Source
from triggers.reception import Accept
from triggers.settings import Slot
from triggers.sources.reading import utc_text
from triggers.sources.source_settings import SourceSettings
from triggers.sources.table import SOURCES

logger = logging.getLogger("pedalflow.triggers")

AGAIN_S = 5.0  # after a failure, of the database as a rule


def slot_event(slot: Slot, now: float) -> Event:
    """The event of the slot in which `now` lies; its delivery is the schedule's name and the slot's beginning."""
    begun = now // slot.every_s * slot.every_s
    body = json.dumps({"name": slot.name, "slot": utc_text(begun)}).encode()
    return SOURCES[Source.SCHEDULE]({}, body, SourceSettings())[0]


def seconds_to_next(slot: Slot, now: float) -> float:
    """Seconds until the next slot begins."""
    return slot.every_s - now % slot.every_s


@asynccontextmanager
async def keeping(
    slots: Sequence[Slot], accept: Accept, wake: Callable[[], None], wall: Callable[[], float] = time.time
) -> AsyncIterator[None]:
    """While the block runs, each schedule's event is made at the beginning of every slot; the one that runs now is caught up with."""
    tasks = [asyncio.create_task(_keep(slot, accept, wake, wall)) for slot in slots]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def _keep(slot: Slot, accept: Accept, wake: Callable[[], None], wall: Callable[[], float]) -> None:
    while True:
        try:
            await run_in_threadpool(accept, (slot_event(slot, wall()),))
        except Exception as error:  # a schedule that has ended would be missed by nobody for months
            logger.error("the schedule %s has to wait: %s: %s", slot.name, type(error).__name__, error)
            await asyncio.sleep(AGAIN_S)
            continue
        wake()
        await asyncio.sleep(seconds_to_next(slot, wall()))
