"""Starts the event services as processes for tests, whole or killed at one moment, and ends them whatever happens."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from tests.integration_serving.servers import ROOT
from tests.samples.event_messages import Message
from tests.samples.free_ports import is_free

START_S, END_S = 120.0, 60.0
_PORTS = itertools.islice(itertools.cycle(range(23100, 23999)), os.getpid() % 40 * 20, None)
_STOPPED = ROOT / "tests" / "samples" / "stopped_events.py"


@dataclass(frozen=True)
class EventServer:
    """Running event services."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path
    pool: urllib3.PoolManager

    def post(self, message: Message) -> int:
        """The code of the answer; 0 where there was none."""
        try:
            return int(
                self.pool.request(
                    "POST", f"{self.address}/", body=message.body, headers=message.headers
                ).status
            )
        except urllib3.exceptions.HTTPError:
            return 0

    def json(self, path: str) -> Any:
        """A page."""
        return self.pool.request("GET", f"{self.address}{path}").json()

    def text(self, path: str) -> str:
        """A page as text."""
        return self.pool.request("GET", f"{self.address}{path}").data.decode()

    def killed(self) -> None:
        """Wait until the whole group is gone, as something has killed it."""
        self.process.wait(END_S)

    def stop(self) -> int:
        """End as a cluster does it; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(END_S)


@contextmanager
def event_server(
    state: Path, release: Path, *options: str, moment: str = "", count: int = 1
) -> Iterator[EventServer]:
    """Event services on a free port, killed at a `moment` of `tests/samples/stopped_events.py` where one is named."""
    port = next(port for port in _PORTS if is_free(port))
    start = [str(_STOPPED), moment, str(count)] if moment else ["-m", "serving.event_server"]
    state.mkdir(parents=True, exist_ok=True)
    log = state / f"log-{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                *start,
                "--state",
                str(state),
                "--release",
                str(release),
                "--port",
                str(port),
                *options,
            ],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    pool = urllib3.PoolManager(maxsize=16, retries=False, timeout=20.0)
    server = EventServer(process, f"http://127.0.0.1:{port}", log, pool)
    try:
        _wait_until_ready(server)
        yield server
    finally:
        _end(process)
        pool.clear()


def _wait_until_ready(server: EventServer) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        try:
            if server.pool.request("GET", f"{server.address}/readyz").status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
    raise AssertionError(f"the event services did not start:\n{server.log.read_text()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(END_S)
