"""Connections of strangers: as many as the kernel lets us have, and one that does not send its headers in time is closed."""

from __future__ import annotations

import asyncio
import resource

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class PromptProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, which by itself waits for headers as long as the sender likes."""

    headers_s = 10.0  # within so many seconds of a connection, or of the first byte of a further request, its headers are complete
    _closing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_watching()

    def send_400_response(self, msg: str) -> None:
        """Where a body turns out to be broken there is one answer: this one, or the application's if that has begun."""
        if self.cycle is not None:
            self.cycle.disconnected = True
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def _watch(self) -> None:
        """While a request is being answered its own limits count."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_watching()
        elif self._closing is None:
            self._closing = self.loop.call_later(self.headers_s, self._close)

    def _stop_watching(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    def _close(self) -> None:
        """A request that arrived whole in the meantime is answered: the pieces after it that are late are not waited for."""
        self._closing = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


def allow_many_files() -> None:
    """Let this process, and what it starts, have as many open files as the administrator allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
