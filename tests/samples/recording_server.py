"""A small HTTP server that keeps what it is sent and answers what it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> object:
        """The body as JSON."""
        return json.loads(self.body)


Reply = Callable[[Received], tuple[int, bytes]]


@dataclass
class RecordingServer:
    """What came, and where to send it."""

    address: str
    received: list[Received] = field(default_factory=list)
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def add(self, request: Received) -> None:
        """Keep a request."""
        with self._arrived:
            self.received.append(request)
            self._arrived.notify_all()

    def wait_for(self, count: int, within_s: float = 20.0) -> list[Received]:
        """The requests, once there are `count` of them."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.received) >= count, within_s), (
                f"{len(self.received)} of {count} requests came"
            )
            return list(self.received)


def ok(_: Received) -> tuple[int, bytes]:
    """An empty answer."""
    return 200, b"{}"


@contextmanager
def recording_server(reply: Reply = ok, port: int = 0) -> Iterator[RecordingServer]:
    """Answers GET with 200 and nothing, and POST as `reply` says."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer(200, b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Received("POST", self.path, dict(self.headers.items()), body)
            here.add(request)
            self._answer(*reply(request))

        def log_message(self, format: str, *args: object) -> None:
            """Tests say what they want to say themselves."""

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    here = RecordingServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
