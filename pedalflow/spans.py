"""A span: a batch of rows that arrived together, kept as one CSV and versioned by DVC."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class SpanState(str, Enum):
    """How the file of a span compares with its DVC pointer."""

    PRESENT = "present"  # the file is there and has the recorded hash
    MISSING = "missing"  # only the pointer is there: `pedalflow data prepare` restores the file
    MODIFIED = "modified"  # the file differs from the recorded hash


@dataclass(frozen=True)
class Span:
    """One span. `path` is absolute; `first` and `last` are dates (YYYY-MM-DD, both included); `md5` is DVC's hash of it."""

    number: int
    path: str
    rows: int
    first: str
    last: str
    md5: str
    state: SpanState


def span_name(number: int) -> str:
    """The file name of a span: `span-02.csv`."""
    return f"span-{number:02d}.csv"
