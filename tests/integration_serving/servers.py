"""Starts real servers for tests, each in a process group of its own on free ports of the loopback, and ends them whatever happens."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pedalflow.champion import Pointer, write_pointer
from pedalflow.release import Release
from serving.supervisor import grpc_answers
from tests.samples.free_ports import is_free
from tests.samples.process_groups import group_members

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = "127.0.0.1"
START_S = 120.0
END_S = 60.0
PREDICTOR = "serving.predictor.Predictor"
_TYPES = {str: "STRING", int: "INT", float: "FLOAT", bool: "BOOL"}
_PORTS = itertools.islice(itertools.cycle(range(21100, 21999)), os.getpid() % 40 * 20, None)


@dataclass(frozen=True)
class Answer:
    """What a server replied."""

    code: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    """A running server: its process (the leader of its group), its ports and the file that its output goes to."""

    process: subprocess.Popen[bytes]
    http: int
    grpc: int
    metrics: int
    output: Path

    @property
    def group(self) -> int:
        return self.process.pid

    def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> Answer:
        """POST JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return request(
            self.http, "POST", path, content, {"Content-Type": "application/json", **(headers or {})}
        )

    def get(self, path: str) -> Answer:
        return request(self.http, "GET", path)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over all label values that fit; 0 where it is not there."""
        text = request(self.metrics, "GET", "/metrics").body.decode()
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = (line for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name)
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(label in line for label in wanted))

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def processes(self) -> list[int]:
        """The processes of the group that still run."""
        return group_members(self.group)


def request(
    port: int, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.read())
    finally:
        connection.close()


def wrapper_command(
    interface: str, ports: Sequence[int], parameters: Mapping[str, object], options: Sequence[str] = ()
) -> list[str]:
    """The command that starts a serving class in Seldon's wrapper on (REST, gRPC, metrics) ports."""
    as_seldon = [
        {"name": name, "type": _TYPES[type(value)], "value": str(value)} for name, value in parameters.items()
    ]
    http_port, grpc_port, metrics_port = map(str, ports)
    return [
        *(sys.executable, "-m", "serving.microservice", interface, "--host", HOST),
        *("--http-port", http_port, "--grpc-port", grpc_port, "--metrics-port", metrics_port),
        *("--parameters", json.dumps(as_seldon), *options),
    ]


@contextmanager
def wrapper(
    place: Path,
    parameters: Mapping[str, object],
    interface: str = PREDICTOR,
    options: Sequence[str] = (),
    health: str = "/health/ping",
) -> Iterator[Server]:
    """A serving class in Seldon's wrapper, ready to answer; its output goes to a file in `place`."""
    ports = free_ports(3)
    with process(wrapper_command(interface, ports, parameters, options), place) as (started, output):
        server = Server(started, ports[0], ports[1], ports[2], output)
        wait_for(lambda: started.poll() is not None or healthy(server.http, health))
        wait_for(lambda: started.poll() is not None or healthy(server.metrics, "/metrics"))
        if "--grpc-workers" not in options:  # it loads the release by itself, and may be later than REST
            wait_for(lambda: started.poll() is not None or grpc_answers(f"{HOST}:{server.grpc}"))
        assert started.poll() is None, server.said()
        yield server


@contextmanager
def process(
    command: Sequence[str], place: Path, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A process that leads its own group; at the end nothing of the group is left."""
    place.mkdir(parents=True, exist_ok=True)
    output = place / f"output-{len(list(place.glob('output-*')))}.txt"
    with output.open("wb") as sink:
        started = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    try:
        yield started, output
    finally:
        end_group(started)


def end_group(started: subprocess.Popen[bytes]) -> None:
    """Ask the leader to end, then end whatever is left of its group."""
    if started.poll() is None:
        started.terminate()
    try:
        started.wait(END_S)
    except subprocess.TimeoutExpired:
        started.kill()
    for pid in group_members(started.pid):
        with suppress(ProcessLookupError):  # it ended meanwhile
            os.kill(pid, signal.SIGKILL)
    started.wait()


def point_to(path: Path, release: Release) -> None:
    """Let the champion's pointer name a release."""
    write_pointer(path, Pointer(release.name, release.checksum, release.folder))


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on."""
    free = (port for port in _PORTS if is_free(port))
    return [next(free) for _ in range(count)]


def wait_for(condition: Any, seconds: float = START_S, every_s: float = 0.05) -> None:
    """Until `condition()` is true; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(every_s)


def healthy(port: int, path: str) -> bool:
    try:
        return request(port, "GET", path).code == 200
    except (OSError, http.client.HTTPException):
        return False
