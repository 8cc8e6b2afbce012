"""Connections that wait: a stranger who does not send headers is not waited for, and whoever sends them is answered."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn

from triggers.connections import PromptProtocol, allow_many_files

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
Place = tuple[str, int]


class Hasty(PromptProtocol):
    """Waits for half a second: not long for a test, and long enough for a busy machine to read what has been sent."""

    headers_s = 0.5


async def answers(
    scope: Mapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """An application whose answers take longer than headers may, but at one address."""
    if scope["path"] != "/at-once":
        await asyncio.sleep(1.5 * Hasty.headers_s)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def served() -> AsyncIterator[Place]:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(answers, http=Hasty, lifespan="off", log_config=None, timeout_keep_alive=60)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield listening.getsockname()
    finally:
        server.should_exit = True
        await task


@pytest.mark.parametrize("begun", [b"", REQUEST[:-2], REQUEST[:5]])
def test_a_connection_without_whole_headers_is_closed(begun: bytes) -> None:
    async def ask() -> bytes:
        async with served() as place:
            reader, writer = await asyncio.open_connection(*place)
            writer.write(begun)
            answer = await asyncio.wait_for(reader.read(), 20)
            writer.close()
            return answer

    assert asyncio.run(ask()) == b""


def test_one_byte_now_and_then_does_not_keep_a_connection_open() -> None:
    async def drip() -> None:
        async with served() as place:
            reader, writer = await asyncio.open_connection(*place)
            closed = asyncio.create_task(reader.read())
            writer.write(b"GET / HTTP/1.1\r\nX-Endless: ")
            while not closed.done():
                writer.write(b"x")
                await asyncio.sleep(Hasty.headers_s / 5)
            with suppress(ConnectionError):
                assert await closed == b""
            writer.close()

    asyncio.run(asyncio.wait_for(drip(), 20))


def test_an_answer_may_take_longer_than_headers_and_further_requests_are_answered_too() -> None:
    async def ask() -> list[bytes]:
        async with served() as place:
            reader, writer = await asyncio.open_connection(*place)
            seen = []
            for _ in range(2):
                writer.write(REQUEST)
                seen.append(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20))
            writer.write(REQUEST[:5])
            seen.append(await asyncio.wait_for(reader.read(), 20))
            writer.close()
            return seen

    first, second, rest = asyncio.run(ask())
    assert first.startswith(b"HTTP/1.1 204") and second.startswith(b"HTTP/1.1 204") and rest == b""


@pytest.mark.parametrize(("answered_before", "status"), [(False, b"400"), (True, b"204")])
def test_a_body_that_is_broken_is_answered_once_and_is_no_failure_of_ours(
    answered_before: bool, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    head, broken = b"POST /at-once HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"zz\r\n"

    async def ask() -> bytes:
        async with served() as place:
            reader, writer = await asyncio.open_connection(*place)
            begun = b""
            if answered_before:
                writer.write(head)
                begun = await reader.read(12)
            writer.write(broken if answered_before else head + broken)
            with suppress(ConnectionError):
                begun += await asyncio.wait_for(reader.read(), 20)
            writer.close()
            return begun

    answer = asyncio.run(ask())
    assert answer.startswith(b"HTTP/1.1 " + status) and answer.count(b"HTTP/1.1") == 1
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_as_many_files_are_allowed_as_the_administrator_allows() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        allow_many_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
