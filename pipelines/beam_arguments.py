"""Keeping this process's command line from Beam."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_arguments() -> Iterator[None]:
    """Beam executors read `sys.argv` as if it were theirs."""
    arguments, sys.argv = sys.argv, sys.argv[:1]
    try:
        yield
    finally:
        sys.argv = arguments
