"""Which share of the requests the canary answers: a small file that says it, and a rule by which each request always goes to the same side.

{"canary_percent": 20}
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from pedalflow.whole_files import write_whole

logger = logging.getLogger(__name__)

PERCENT = "canary_percent"
LOOK_EVERY_S = 0.1
_Signature = tuple[int, int, int] | None


def goes_to_canary(request_id: str, percent: float) -> bool:
    """Whether the request belongs to the canary's share. With a greater share the ones before stay where they are."""
    digest = blake2b(request_id.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 * 100 < percent


def read_percent(text: str) -> float:
    """The share that the file's text says, from 0 to 100. Raises ValueError."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ValueError("it is no JSON") from error
    if not isinstance(content, dict) or content.keys() != {PERCENT}:
        raise ValueError(f"it must be an object with {PERCENT} alone")
    percent = content[PERCENT]
    if type(percent) not in (int, float) or not 0 <= percent <= 100:
        raise ValueError(f"{PERCENT} must be a number from 0 to 100")
    return float(percent)


def write_percent(path: Path, percent: float) -> None:
    """Give the canary another share; a reader sees the old file or the new one."""
    write_whole(path, json.dumps({PERCENT: percent}) + "\n")


class Traffic:
    """The share as the file says now, looked at again at most every `LOOK_EVERY_S`.

    A file that is missing or broken gives the canary nothing. Safe to use from many threads: one of them looks, the others go on with
    what was known.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._looking = threading.Lock()
        self._next_look = 0.0
        self._seen: _Signature = (-1, -1, -1)
        self._percent = 0.0

    @property
    def percent(self) -> float:
        """The canary's share of the requests, 0 to 100."""
        if self._clock() >= self._next_look and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        return self._percent

    def _look(self) -> None:
        self._next_look = self._clock() + LOOK_EVERY_S
        seen = _signature(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._percent = read_percent(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            self._percent = 0.0
            logger.warning("the canary gets no traffic: %s cannot be used (%s)", self._path, error)
        else:
            logger.info("the canary gets %g %% of the traffic", self._percent)


def _signature(path: Path) -> _Signature:
    """Changes whenever the file is written; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
