"""Clients that send slowly, or do not read what they get, cost the others nothing."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path

import pytest

from tests.integration_serving.servers import Server, wrapper
from tests.samples.small_release import sample_rows

BODY = json.dumps({"jsonData": sample_rows(1)[0]}).encode()
LONG = json.dumps({"jsonData": sample_rows(300)}).encode()
STALLED = 6
THREADS = 8


def head(body: bytes) -> bytes:
    lines = (
        "POST /predict HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode()


HEAD = head(BODY)


def test_requests_that_come_whole_need_no_thread_each(tmp_path: Path, champion: Path) -> None:
    with wrapper(tmp_path / "server", {"release": str(champion)}) as server:
        connections = [
            http.client.HTTPConnection("127.0.0.1", server.http, timeout=30) for _ in range(THREADS)
        ]
        answered(connections[0])
        before = threads(server)
        for connection in 2 * connections:
            answered(connection)

        # one that has answered may not be back yet when the next request comes, and then another thread begins
        assert threads(server) < before + THREADS // 2
        for connection in connections:
            connection.close()


def answered(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/predict", BODY, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    assert (reply.status, bool(reply.read())) == (200, True)


def threads(server: Server) -> int:
    return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in server.processes())


def test_clients_that_stop_in_the_middle_of_a_request_hold_nobody_up(tmp_path: Path, champion: Path) -> None:
    with wrapper(tmp_path / "server", {"release": str(champion)}) as server:
        stalled = [socket.create_connection(("127.0.0.1", server.http)) for _ in range(STALLED)]
        for connection, part in zip(stalled, (b"POST", HEAD[:-2], HEAD, HEAD + BODY[:-1], HEAD, HEAD[:9])):
            connection.sendall(part)

        assert all(server.post("/predict", json.loads(BODY)).code == 200 for _ in range(3))
        stalled[3].sendall(BODY[-1:])  # before the server's patience with it ends
        assert stalled[3].recv(12) == b"HTTP/1.1 200"
        assert all(server.post("/predict", json.loads(BODY)).code == 200 for _ in range(40))
        for connection in stalled:
            connection.close()


def test_a_client_that_reads_no_replies_loses_its_connection_and_the_others_are_answered(
    tmp_path: Path, champion: Path
) -> None:
    with wrapper(tmp_path / "server", {"release": str(champion)}) as server:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(5)
        deaf.connect(("127.0.0.1", server.http))
        deaf.sendall(HEAD[:30])  # the first request comes in two pieces
        assert server.post("/predict", json.loads(BODY)).code == 200
        deaf.sendall(HEAD[30:] + BODY)
        # In the end the server gives the connection up, because nobody reads what it says.
        with pytest.raises(OSError):
            for _ in range(5_000):
                deaf.sendall(head(LONG) + LONG)

        assert all(server.post("/predict", json.loads(BODY)).code == 200 for _ in range(20))
        deaf.close()
        assert "Traceback" not in server.said()


def test_a_length_with_many_zeros_holds_nobody_up(tmp_path: Path, champion: Path) -> None:
    with (
        wrapper(tmp_path / "server", {"release": str(champion)}) as server,
        socket.create_connection(("127.0.0.1", server.http)) as stalled,
    ):
        stalled.sendall(HEAD.replace(b"Content-Length: ", b"Content-Length: 0000000"))
        assert all(server.post("/predict", json.loads(BODY)).code == 200 for _ in range(20))


def test_half_a_request_behind_a_whole_one_holds_nobody_up(tmp_path: Path, champion: Path) -> None:
    with (
        wrapper(tmp_path / "server", {"release": str(champion)}) as server,
        socket.create_connection(("127.0.0.1", server.http)) as stalled,
    ):
        stalled.sendall(HEAD + BODY + HEAD[:30])
        assert stalled.recv(12) == b"HTTP/1.1 200"
        stalled.sendall(HEAD[30:60])
        # few enough that the server's patience with the rest does not end
        assert all(server.post("/predict", json.loads(BODY)).code == 200 for _ in range(3))

        stalled.sendall(HEAD[60:] + BODY)
        stalled.settimeout(20)
        replies = b""
        while b"HTTP/1.1 200" not in replies:
            replies += stalled.recv(2**16)


def test_half_a_head_on_every_thread_is_given_up_quietly(tmp_path: Path, champion: Path) -> None:
    with wrapper(tmp_path / "server", {"release": str(champion)}) as server:
        stalled = [socket.create_connection(("127.0.0.1", server.http)) for _ in range(2 * THREADS)]
        for connection in stalled:
            connection.sendall(HEAD[:20])

        assert server.post("/predict", json.loads(BODY)).code == 200
        for connection in stalled:
            connection.settimeout(60)
            assert connection.recv(1) == b""
            connection.close()
        assert "Traceback" not in server.said()
