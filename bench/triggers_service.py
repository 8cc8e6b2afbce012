"""A real triggers' service for benchmarks: its process, its tokens, and connections that cost the client as little as possible."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.serving_load import HOST, http_request
from pedalflow.command.options import ROOT
from pedalflow.errors import RunFailed
from triggers.records import Accepted

PREFIX = "PEDALFLOW_TRIGGERS_"
PIPELINE = (sys.executable, "-m", "bench.triggers_pipeline")
READY_S = 60.0
QUIET_S = 300.0
STOP_S = 60.0
ALERTMANAGER, CLOUDEVENTS, PERSON = "alertmanager", "cloudevents", "person"


@dataclass(frozen=True)
class Service:
    """A service that answers."""

    workspace: Path
    port: int
    process: subprocess.Popen[str]
    token_files: Mapping[str, str]

    def request(self, source: str, content: object, headers: Mapping[str, str] | None = None) -> bytes:
        """The bytes of a delivery."""
        token = Path(self.token_files[source]).read_text(encoding="ascii").strip()
        given = {"Authorization": f"Bearer {token}", **(headers or {})}
        return http_request(f"/events/{source}", json.dumps(content).encode(), given)

    def get(self, path: str) -> Any:
        """What the service says."""
        with urllib.request.urlopen(f"http://{HOST}:{self.port}{path}", timeout=30) as answer:
            return json.load(answer)

    def quiet(self) -> None:
        """Wait until everything is decided and no run waits or is at work. Raises RunFailed where that takes too long."""
        until = time.monotonic() + QUIET_S
        while _busy(self.get("/api/status")):
            if time.monotonic() > until:
                raise RunFailed(f"the service still has something to do after {QUIET_S:g} s")
            time.sleep(0.1)


def _busy(status: Mapping[str, Any]) -> bool:
    return bool(status["undecided_events"] or status["at_work"] or status["waiting"])


def database(workspace: Path) -> str:
    """The address of a service's database."""
    return f"sqlite:///{workspace / 'state' / 'triggers' / 'triggers.sqlite'}"


def alert(name: str, **labels: str) -> dict[str, object]:
    """Alertmanager's webhook with one alert that fires."""
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    one = {
        "status": "firing",
        "labels": {"alertname": "Bench", **labels},
        "annotations": {"summary": "an alert of the benchmark"},
        "startsAt": began,
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": name,
    }
    return {"version": "4", "status": "firing", "receiver": "bench", "alerts": [one]}


def window(name: str) -> tuple[dict[str, object], dict[str, str]]:
    """A calm window of the drift detector, and the headers of its CloudEvent."""
    data = {"is_drift": 0, "score": 0.5, "threshold": 1.0, "release": "r-000000000001"}
    drift = "io.seldon.serving.inference.drift"
    headers = {"Ce-Specversion": "1.0", "Ce-Id": name, "Ce-Source": "bench", "Ce-Type": drift}
    return {"data": data, "meta": {}}, headers


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def start(workspace: Path, port: int) -> subprocess.Popen[str]:
    """Begin to serve; the first line that it prints says that it answers."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    command = [sys.executable, "-m", "triggers.triggers_command", "--workspace", str(workspace), "--json"]
    with (workspace / "service.log").open("a", encoding="utf-8") as log:
        return subprocess.Popen(
            [*command, "serve", "--port", str(port)],
            cwd=ROOT,
            env={**own, f"{PREFIX}LAUNCHERS__LOCAL__COMMAND": json.dumps(PIPELINE)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )


def ready(workspace: Path, port: int, process: subprocess.Popen[str]) -> Service:
    """The service as soon as it answers. Raises RunFailed, with its last words, where it ends instead."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        last_words = (workspace / "service.log").read_text(encoding="utf-8")[-2000:]
        raise RunFailed(f"the service did not start:\n{last_words}")
    sources = json.loads(line)["sources"]
    return Service(workspace, port, process, {name: said["token_file"] for name, said in sources.items()})


@contextmanager
def serving(workspace: Path) -> Iterator[Service]:
    """A service on a free port until the block ends."""
    port = free_port()
    process = start(workspace, port)
    try:
        yield ready(workspace, port, process)
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Stop a service in good order, and kill what is left of its group."""
    process.terminate()
    try:
        process.wait(STOP_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@dataclass(frozen=True)
class Answer:
    """What a delivery was answered with."""

    status: int
    body: bytes

    def accepted(self) -> list[Accepted]:
        """The events in it that are committed; none where it was refused."""
        if self.status not in (200, 202):
            return []
        return [Accepted(event["id"], event["duplicate"]) for event in json.loads(self.body)["events"]]


class Connection:
    """One connection that is kept alive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def exchange(self, request: bytes) -> Answer:
        """Send a request and read its answer. Raises OSError or EOFError where the service goes away."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        return Answer(int(head[9:12]), await self._reader.readexactly(int(length)))

    def close(self) -> None:
        self._writer.close()


async def connect(port: int) -> Connection:
    """A new connection to the service."""
    return Connection(*await asyncio.open_connection(HOST, port))
