"""A client that is waited for costs the other threads nothing, and is given up in the end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving import steady_worker
from serving.steady_worker import ClientSocket, is_whole

MUCH = b"x" * 2**24
WHOLE = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def turn() -> threading.Lock:
    return threading.Lock()


@pytest.fixture
def client_and_server(turn: threading.Lock) -> Iterator[tuple[socket.socket, ClientSocket]]:
    client, accepted = socket.socketpair()
    client.settimeout(10)
    with client, ClientSocket(accepted, turn) as server:
        yield client, server


def test_what_is_here_is_read_in_one_turn(
    client_and_server: tuple[socket.socket, ClientSocket], turn: threading.Lock
) -> None:
    client, server = client_and_server
    client.sendall(b"request")
    with server.in_turn():
        assert server.recv(100) == b"request"
        assert turn.locked()

    assert not turn.locked()


def test_head_and_body_of_a_reply_leave_together(
    client_and_server: tuple[socket.socket, ClientSocket],
) -> None:
    client, server = client_and_server
    server.sendall(b"head ")
    server.sendall(b"body")
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(100)

    assert server.send_at_once()
    assert client.recv(100) == b"head body"


def test_a_request_that_has_come_whole_is_fetched_and_read_in_pieces(
    client_and_server: tuple[socket.socket, ClientSocket],
) -> None:
    client, server = client_and_server
    client.sendall(WHOLE[:-1])
    assert not server.fetch()
    client.sendall(WHOLE[-1:])
    assert server.fetch()

    assert server.recv(10) + server.recv(1000) == WHOLE


@pytest.mark.parametrize(
    ("received", "whole"),
    [
        (WHOLE, True),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (WHOLE.replace(b"Content-Length: ", b"CONTENT-length:\t"), True),
        (WHOLE[:-1], False),
        (WHOLE + b"G", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", False),
        (WHOLE.replace(b"Content-Length", b"Content-Length: 2\r\nContent-Length"), False),
        (WHOLE.replace(b"Host: x", b"Transfer-Encoding: chunked"), False),
        (WHOLE.replace(b"Host: x", b"Expect: 100-continue"), False),
        (WHOLE.replace(b": 2", b": two"), False),
        (WHOLE.replace(b": 2", b": 2000000000000000000"), False),
        (b"", False),
    ],
)
def test_a_request_is_whole_where_its_length_says_so_plainly(received: bytes, whole: bool) -> None:
    assert is_whole(received) is whole


def test_who_waits_for_the_rest_of_a_request_has_given_the_turn_back(
    client_and_server: tuple[socket.socket, ClientSocket], turn: threading.Lock
) -> None:
    client, server = client_and_server

    def read() -> tuple[bytes, bool]:
        with server.in_turn():
            reading.set()
            return server.recv(100), turn.locked()

    reading = threading.Event()
    with ThreadPoolExecutor() as pool:
        result = pool.submit(read)
        assert reading.wait(10)
        with turn:  # it would not come before the client is given up, if the thread kept it
            client.sendall(b"rest")
        assert result.result(10) == (b"rest", True)


def test_who_may_not_wait_gives_a_client_up_at_once(
    client_and_server: tuple[socket.socket, ClientSocket],
) -> None:
    _, server = client_and_server
    with server.in_turn(may_wait=False):
        assert server.recv(100) == b""

    assert server.given_up


def test_what_a_client_does_not_take_at_once_is_sent_as_it_reads(
    client_and_server: tuple[socket.socket, ClientSocket],
) -> None:
    client, server = client_and_server
    server.sendall(MUCH)
    assert not server.send_at_once()
    with ThreadPoolExecutor() as pool:
        result = pool.submit(server.send_rest)
        read = 0
        while read < len(MUCH):
            read += len(client.recv(2**20))
        assert result.result(10)


@pytest.mark.usefixtures("impatient")
def test_a_client_that_sends_no_more_is_given_up_as_if_it_had_closed(
    client_and_server: tuple[socket.socket, ClientSocket],
) -> None:
    client, server = client_and_server
    with server.in_turn():
        assert server.recv(100) == b""
    client.sendall(b"too late")

    assert server.given_up
    assert server.recv(100) == b""


@pytest.mark.usefixtures("impatient")
def test_a_client_that_reads_no_more_is_given_up(
    client_and_server: tuple[socket.socket, ClientSocket],
) -> None:
    _, server = client_and_server
    server.sendall(MUCH)

    assert not server.send_rest()
    assert server.given_up


def test_a_client_that_has_closed_takes_no_reply(
    client_and_server: tuple[socket.socket, ClientSocket],
) -> None:
    client, server = client_and_server
    client.close()
    server.sendall(b"reply")

    assert not server.send_at_once()
    assert not server.send_rest()


def test_a_wait_before_a_connection_is_closed_is_as_long_as_gunicorn_wants(
    client_and_server: tuple[socket.socket, ClientSocket],
) -> None:
    _, server = client_and_server
    server.settimeout(0.01)

    assert server.recv(100) == b""


def test_a_connection_that_the_client_closed_reads_as_closed(
    client_and_server: tuple[socket.socket, ClientSocket],
) -> None:
    client, server = client_and_server
    client.close()

    assert server.recv(100) == b""
    assert not server.given_up


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady_worker, "PATIENCE_S", 0.01)
