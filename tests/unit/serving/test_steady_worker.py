"""When a request has come in whole, which is what lets a thread take its turn."""

from __future__ import annotations

import socket

import pytest

from serving.steady_worker import _is_whole

POST = b"POST /predict HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("come", "whole"),
    [
        (b"", False),
        (b"GET /health/ping HTTP/1.1\r\nHost: x\r\n", False),
        (b"GET /health/ping HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (POST + b"Content-Length: 4\r\n\r\n[1]", False),
        (POST + b"Content-Length: 4\r\n\r\n[12]", True),
        (POST + b"content-length:4\r\nA: b\r\n\r\n[12]and the next request", True),
        (POST + b"X-Content-Length: 9\r\nContent-Length: 2\r\n\r\n{}", True),
        (
            POST + b"Content-Length: many\r\n\r\n",
            True,
        ),  # Gunicorn refuses it, and needs no more bytes for that
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", False),
        (POST + b"Content-Length: 70000\r\n\r\n" + b" " * 70000, False),
    ],
)
def test_a_request_is_whole_when_its_last_byte_is_here(come: bytes, whole: bool) -> None:
    client, server = socket.socketpair()
    with client, server:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**18)
        client.sendall(come)
        assert _is_whole(server) is whole
        server.setblocking(False)
        assert come == b"" or server.recv(len(come)) != b""


def test_a_connection_that_is_gone_holds_no_request() -> None:
    client, server = socket.socketpair()
    client.close()
    with server:
        assert not _is_whole(server)
