"""The load generator of the serving benchmarks: one process, keep-alive connections, a fixed time, one line of JSON.

Closed loop: a connection sends its next request when the reply to the last one is there. REST is written to the socket by hand,
because an HTTP client costs more than some of the servers; gRPC sends bytes that were serialised before.

python -m bench.serving_load '{"kind": "rest", "port": 24000, "path": "/predict", "body": "FILE", "connections": 8, "seconds": 1.5}'
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
FAILURE = (
    b"FAILURE"  # Seldon's wrapper answers a refused gRPC request with status OK and says it in the message
)


@dataclass(frozen=True)
class Load:
    """What one phase saw: replies, those that were not a success, wall seconds, and latencies in ms."""

    requests: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float


class Connection(asyncio.Protocol):
    """One connection that keeps one request in flight until `deadline`, and opens itself anew where the server closes it."""

    def __init__(self, request: bytes, port: int, deadline: float) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.latencies: list[float] = []
        self.failed = 0
        self._request, self._port, self._deadline = request, port, deadline
        self._received = bytearray()
        self._sent = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Take a piece of a reply; a whole one counts, and the next request goes out."""
        self._received += data
        if not is_whole(self._received):
            return
        now = time.perf_counter()
        self.latencies.append(now - self._sent)
        self.failed += not self._received.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))
        closing = b"connection: close" in self._received[: self._received.find(b"\r\n\r\n")].lower()
        self._received.clear()
        assert self._transport is not None
        if now >= self._deadline:
            self._transport.close()
            self._finish()
        elif closing:
            self._transport.close()
            self._reopen()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection lost while a reply was due has failed; another one takes its place."""
        if not self.done.done() and self._received:
            self.failed += 1
        if self._transport is not None and not self._transport.is_closing():
            self._reopen()

    def _send(self) -> None:
        assert self._transport is not None
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def _reopen(self) -> None:
        self._transport = None
        loop = asyncio.get_running_loop()
        self._opening = loop.create_task(loop.create_connection(partial(_itself, self), HOST, self._port))

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _itself(connection: Connection) -> Connection:
    return connection


def is_whole(reply: bytearray) -> bool:
    """Whether the bytes hold a whole HTTP/1.1 reply, of known length or chunked."""
    end = reply.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(reply[:end]).lower()
    at = head.find(b"content-length:")
    if at >= 0:
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        return len(reply) >= end + 4 + length
    return reply.endswith(b"0\r\n\r\n")


def http_request(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """The bytes of a POST."""
    lines = {"Host": HOST, "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def rest(request: bytes, port: int, connections: int, seconds: float) -> Load:
    """Send `request` over so many connections for so long."""
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    opened = [Connection(request, port, started + seconds) for _ in range(connections)]
    for connection in opened:
        await loop.create_connection(partial(_itself, connection), HOST, port)
    await asyncio.wait_for(asyncio.gather(*(connection.done for connection in opened)), seconds + 60)
    return summary(
        [latency for connection in opened for latency in connection.latencies],
        sum(connection.failed for connection in opened),
        time.perf_counter() - started,
    )


def grpc_load(method: str, body: bytes, port: int, connections: int, seconds: float) -> Load:
    """The same over gRPC, a thread and a channel for each connection."""
    import grpc

    started = time.perf_counter()

    def work(number: int) -> tuple[list[float], int]:
        # Channels to one address share a connection unless their arguments differ.
        with grpc.insecure_channel(f"{HOST}:{port}", options=[("bench.connection", number)]) as channel:
            call = channel.unary_unary(method)
            latencies, failed = [], 0
            while (sent := time.perf_counter()) < started + seconds:
                failed += FAILURE in call(body, timeout=60)
                latencies.append(time.perf_counter() - sent)
            return latencies, failed

    with ThreadPoolExecutor(connections) as pool:
        seen = list(pool.map(work, range(connections)))
    return summary(
        [latency for latencies, _ in seen for latency in latencies],
        sum(failed for _, failed in seen),
        time.perf_counter() - started,
    )


def summary(latencies: Sequence[float], failed: int, seconds: float) -> Load:
    """Counts and percentiles; NaN where there was no reply."""
    ordered = sorted(latencies)
    p50, p99 = (
        1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.nan
        for share in (0.5, 0.99)
    )
    return Load(len(ordered), failed, seconds, p50, p99)


def run(plan: Mapping[str, Any]) -> Load:
    """Carry out one phase."""
    body = Path(plan["body"]).read_bytes()
    port, connections, seconds = plan["port"], plan["connections"], plan["seconds"]
    if plan["kind"] == "grpc":
        return grpc_load(plan["path"], body, port, connections, seconds)
    request = http_request(plan["path"], body, plan.get("headers", {}))
    return asyncio.run(rest(request, port, connections, seconds))


if __name__ == "__main__":
    print(json.dumps(asdict(run(json.loads(sys.argv[1])))))
