"""Keeps requests, answers and labels as lines of JSON in segments: what retraining data and every later question come from.

A line is on the disk before its event is acknowledged. An event that is delivered again after a killed process may leave its line twice;
`serving.pairs` counts every request once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detectors.layout import row_count
from serving.event_metrics import COLLECTED_ROWS
from serving.events import FeedbackSeen, Message, RequestSeen, ResponseSeen, rfc3339
from serving.receiving import Count, Emit, Happening
from serving.segments import SegmentWriter
from serving.state import Connection

FOLDER = "collected"
ROTATE_BYTES = 64 * 2**20
_SYNC_EVERY_S = 60.0  # the commits do it; this is for lines whose commit failed


class Collector:
    """Appends a line for each event to the segments in `folder`, without the fields that are private."""

    def __init__(
        self, folder: Path, private_fields: tuple[str, ...], rotate_bytes: int = ROTATE_BYTES
    ) -> None:
        self._segments = SegmentWriter(folder, rotate_bytes, _SYNC_EVERY_S, private_fields)

    def take(self, connection: Connection, happening: Happening, emit: Emit) -> list[Count]:
        """Append the line; `sync` before the commit makes it durable. Raises OSError where it cannot be written."""
        line, rows = _line(happening.message)
        self._segments.append({**line, "time": rfc3339(happening.event.time)})
        return [Count(COLLECTED_ROWS, (str(line["kind"]),), rows)]

    def sync(self) -> None:
        """Bring the lines to the disk."""
        self._segments.sync()

    def close(self) -> None:
        """Finish the open segment."""
        self._segments.close()


def _line(message: Message) -> tuple[Mapping[str, Any], int]:
    """The line of a message, and for how many rows it stands."""
    if isinstance(message, RequestSeen):
        return _request_line(message), row_count(message.columns)
    if isinstance(message, ResponseSeen):
        return _response_line(message), len(message.predictions)
    return _feedback_line(message), len(message.labels)


def _feedback_line(message: FeedbackSeen) -> Mapping[str, Any]:
    return {"kind": "feedback", "id": message.request_id, "labels": message.labels}


def _request_line(message: RequestSeen) -> Mapping[str, Any]:
    return {"kind": "request", "id": message.request_id, "columns": message.lists}


def _response_line(message: ResponseSeen) -> Mapping[str, Any]:
    return {
        "kind": "response",
        "id": message.request_id,
        "release": message.release,
        "predictions": message.predictions,
        "outliers": message.outliers,
    }
