"""A client that is waited for costs the other threads nothing, and is given up in the end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving import steady_worker
from serving.steady_worker import ClientSocket

MUCH = b"x" * 2**24


@pytest.fixture
def turn() -> threading.Lock:
    return threading.Lock()


@pytest.fixture
def client_and_server(turn: threading.Lock) -> Iterator[tuple[socket.socket, ClientSocket]]:
    client, accepted = socket.socketpair()
    with client, ClientSocket(accepted, turn) as server:
        yield client, server


def test_what_is_here_is_read_and_replied_to_in_one_turn(
    client_and_server: tuple[socket.socket, ClientSocket], turn: threading.Lock
) -> None:
    client, server = client_and_server
    client.sendall(b"request")
    with server.in_turn():
        assert server.recv(100) == b"request"
        server.sendall(b"reply")
        assert turn.locked()

    assert client.recv(100) == b"reply"
    assert not turn.locked()


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


def test_who_waits_for_a_reply_to_be_read_has_given_the_turn_back(
    client_and_server: tuple[socket.socket, ClientSocket], turn: threading.Lock
) -> None:
    client, server = client_and_server

    def reply() -> None:
        with server.in_turn():
            replying.set()
            server.sendall(MUCH)

    replying = threading.Event()
    with ThreadPoolExecutor() as pool:
        result = pool.submit(reply)
        assert replying.wait(10)
        with turn:  # it would not come before the client is given up, if the thread kept it
            read = len(client.recv(2**20))
        while read < len(MUCH):
            read += len(client.recv(2**20))
        result.result(10)


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
def test_a_client_that_reads_no_more_is_given_up_as_if_it_had_closed(
    client_and_server: tuple[socket.socket, ClientSocket], turn: threading.Lock
) -> None:
    _, server = client_and_server
    with pytest.raises(BrokenPipeError), server.in_turn():
        server.sendall(MUCH)

    assert server.given_up
    assert not turn.locked()


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
