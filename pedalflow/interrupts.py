"""Ctrl-C and SIGTERM taken at a safe place, for work inside a library that calls back into Python.

Python raises KeyboardInterrupt wherever the main thread happens to be. Inside a callback from C++, such as a file that Arrow writes to,
the library may lose it, or end the process when it lets go of it; so there the signal is only noted, and raised between two pieces of work.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held() -> Iterator[Callable[[], None]]:
    """Holds Ctrl-C and SIGTERM back while the block runs.

    Yields a function that raises KeyboardInterrupt if one has come; the end of the block does too. A second one is not held. Python
    handles signals on the main thread only, so on any other thread nothing is held and the function does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if came:  # somebody insists: the piece of work may hang
            raise KeyboardInterrupt
        came.append(number)

    def take() -> None:
        if came:
            came.clear()
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield take
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    take()
