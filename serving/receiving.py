"""What the receivers of events share: what happened, told to each of them inside one transaction, and what they want counted for it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from serving.events import CloudEvent, Emitted, Message
from serving.served import Served
from serving.state import Connection
from serving.telemetry import Metric

Emit = Callable[[Emitted], None]


@dataclass(frozen=True)
class Count:
    """A counter that grows once the transaction is committed."""

    metric: Metric
    labels: tuple[str, ...] = ()
    amount: float = 1.0


@dataclass(frozen=True)
class Happening:
    """One event that was not seen before: what it says, the release that serves now, and the moment (seconds since 1970)."""

    event: CloudEvent
    message: Message
    served: Served
    now: float

    def emitted(self, type_: str, source: str, data: Mapping[str, Any]) -> Emitted:
        """An event that this one causes; it inherits the extensions, as the vendor's detectors do it."""
        return Emitted(str(uuid.uuid4()), type_, source, self.now, self.event.extensions, data)


class Receiver(Protocol):
    """Takes part in the transaction of every event."""

    def take(self, connection: Connection, happening: Happening, emit: Emit) -> list[Count]:
        """Do what the event asks for, in the transaction of `connection`; `emit` puts an event into the outbox."""
