"""The event services in this process, for tests: small windows, a clock that stands still, and short ways to send events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serving.event_service import EventService, EventSettings, Taken
from tests.samples import event_messages as messages

NOW = 1_800_000_000.0


class Sending:
    """A service and what is sent to it."""

    def __init__(self, service: EventService) -> None:
        self.service = service

    def send(self, message: messages.Message) -> Taken:
        """One event."""
        return self.service.take(message.headers, message.body)

    def send_request(self, request_id: str, rows: list[dict[str, Any]]) -> Taken:
        """A request that was logged."""
        return self.send(messages.request(request_id, rows))

    def emitted(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of emitted events of a type, the oldest first."""
        return [
            event["data"] for event in reversed(self.service.events()) if event["headers"]["Ce-Type"] == kind
        ]

    def metric(self, line: str) -> float:
        """The value of one metric with its labels, as Prometheus reads it."""
        for text in self.service.metrics().decode().splitlines():
            if text.startswith(f"{line} "):
                return float(text.rpartition(" ")[2])
        raise AssertionError(f"no metric {line}")


@contextmanager
def sending(state: Path, release: Path, clock: Any = lambda: NOW, **settings: Any) -> Iterator[Sending]:
    """Services over `state` that end with the block; once more over the same state is a restart."""
    service = EventService(EventSettings(state=state, release=release, **settings), clock=clock)
    try:
        yield Sending(service)
    finally:
        service.close()
