"""Keeps Python's garbage collector away from what lives as long as the process, and lets it look less often at the rest."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS_BETWEEN_COLLECTIONS = (
    50_000  # TensorFlow's graphs are made of many; with Python's own 700 a training takes a second longer
)


@contextmanager
def long_lived() -> Iterator[None]:
    """What exists when the block ends is never looked at by the collector again; import big libraries inside, before any work.

    TensorFlow and Beam bring more than a million objects. None of them becomes garbage, but the collector walks through them again
    and again, also when the process ends.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
        if was_enabled:
            gc.enable()
