"""The predictor in Seldon's real wrapper says how many requests nobody has read: more while it is held up, none when all are answered."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.integration_serving.servers import Server, wrapper
from tests.samples.small_release import sample_rows

NAME = "pedalflow_waiting_requests"
BODY = json.dumps({"jsonData": sample_rows(1)[0]}).encode()
MANY = 12
KEPT = (
    "--keepalive",
    "75",
)  # as `serve` and the manifests have it; connections stay while the test looks around


def test_requests_that_nobody_reads_are_counted_until_they_are_answered(
    tmp_path: Path, champion: Path
) -> None:
    with wrapper(tmp_path / "server", {"release": str(champion)}, options=KEPT) as server:
        connections = [http.client.HTTPConnection("127.0.0.1", server.http, timeout=30) for _ in range(MANY)]
        # given connections of which half are kept from a request before
        for connection in connections[: MANY // 2]:
            _ask(connection)
            assert connection.getresponse().read()
        assert _waiting(server, 0) == 0
        # when more ask than are answered
        with _held_up(server):
            for connection in connections:
                _ask(connection)
            # then
            assert _waiting(server, MANY) == MANY
        # and afterwards all are answered, and nobody waits
        assert [connection.getresponse().status for connection in connections] == [200] * MANY
        assert _waiting(server, 0) == 0
        for connection in connections:
            connection.close()


def _ask(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/predict", BODY, {"Content-Type": "application/json"})


def _waiting(server: Server, expected: int) -> float:
    """The metric, as soon as it is what is expected, or after half a minute."""
    deadline = time.monotonic() + 30
    while (found := server.metric(NAME)) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


@contextmanager
def _held_up(server: Server) -> Iterator[None]:
    """The processes that answer at the REST port stand still; those of the metrics go on."""
    answering = _listening_at(server)
    for pid in answering:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in answering:
            os.kill(pid, signal.SIGCONT)


def _listening_at(server: Server) -> list[int]:
    wanted = f":{server.http:04X} 00000000:0000 0A"
    inodes = {
        f"socket:[{line.split()[9]}]"
        for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()
        if wanted in line
    }
    return [pid for pid in server.processes() if inodes & set(_open_files(pid))]


def _open_files(pid: int) -> Iterator[str]:
    for found in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            yield os.readlink(found)
