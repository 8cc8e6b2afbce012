"""Showing that long work goes on: steps with their seconds, live on a terminal and as plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_FRAMES = "|/-\\"
_TICK_S = 0.2
_STILL_S = 30.0  # off a terminal: a slow step says every so often that it is still at work


class Progress:
    """Prints one line for each step to `stream`.

    with progress.step("Trainer"): …     →  "Trainer … 3.9 s", or "Trainer … failed after 3.9 s" if an exception leaves it
    """

    def __init__(self, stream: TextIO, still_every_s: float = _STILL_S) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._still_every_s = still_every_s

    def say(self, text: str) -> None:
        """Prints a line between steps."""
        self._write(f"{text}\n")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Shows `name` as being at work until the block ends; exceptions pass through."""
        begun = time.monotonic()
        over = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(name, begun, over), daemon=True)
        if not self._live:
            self._write(f"{name} …\n")
        ticker.start()
        outcome = "failed after "
        try:
            yield
            outcome = ""
        finally:
            over.set()
            ticker.join()
            start = "\r\x1b[K" if self._live else "  "
            self._write(f"{start}{name} … {outcome}{time.monotonic() - begun:.1f} s\n")

    def _tick(self, name: str, begun: float, over: threading.Event) -> None:
        frame = 0
        while not over.wait(_TICK_S if self._live else self._still_every_s):
            seconds = time.monotonic() - begun
            if self._live:
                self._write(f"\r\x1b[K{_FRAMES[frame % len(_FRAMES)]} {name} … {seconds:.0f} s")
            else:
                self._write(f"  {name} … still at work after {seconds:.0f} s\n")
            frame += 1

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
