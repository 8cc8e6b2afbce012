"""A small HTTP server for tests that speaks JSON, over TLS where it is given a certificate."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request; of a name that comes twice in the query the first counts, header names are lower case.

    `body` is what the JSON says, bytes where it is none by its Content-Type, None where there is no body.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Told:
    """One answer: None as content has no body, text goes out as it is."""

    content: Any
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


Reply = Callable[[Asked], Told | None]


@contextmanager
def json_server(reply: Reply, certificate: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serves what `reply` says, on a port of its own, and gives the address; None closes the connection without an answer."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._take(None)

        def do_DELETE(self) -> None:
            self._take(None)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            form = self.headers.get("Content-Type", "").startswith("multipart/")
            self._take(body if form else json.loads(body))

        do_PUT = do_PATCH = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """Tests say what they want to say themselves."""

        def _take(self, body: Any) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            headers = {key.lower(): value for key, value in self.headers.items()}
            told = reply(Asked(self.command, parts.path, query, headers, body))
            if told is None:
                self.close_connection = True
            else:
                self._answer(told)

        def _answer(self, told: Told) -> None:
            text = told.content if isinstance(told.content, str) else json.dumps(told.content)
            body = b"" if told.content is None else text.encode()
            self.send_response(told.status)
            for name, value in told.headers:
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            with suppress(ConnectionError):  # who asked did not wait
                self.end_headers()
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        server.socket = certificate.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
