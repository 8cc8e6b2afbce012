"""One process at a time: a lock of the kernel's on a file, which ends with the process that holds it, however it ends."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pedalflow.errors import RunFailed

_RETRY_S = 0.05


@contextmanager
def exclusive(path: Path, busy: str, timeout_s: float = 0.0) -> Iterator[None]:
    """Hold the lock on `path` (made if it is missing) while the block runs.

    Raises RunFailed with the sentence `busy` where another process still holds it after `timeout_s`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    with path.open("w", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as held:
                if time.monotonic() >= deadline:
                    raise RunFailed(busy) from held
                time.sleep(_RETRY_S)
        yield
