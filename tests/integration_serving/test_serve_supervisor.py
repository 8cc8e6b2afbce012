"""Processes that are started, watched over and ended; small scripts stand in for the parts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from pedalflow.errors import ServingFailed
from serving import supervisor
from serving.supervisor import Part, Probe, grpc_answers, http_answers, supervised, taken_ports
from tests.samples.free_ports import free_ports
from tests.samples.recording_server import recording_server

ANSWERS = """
import subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("helper", helper.pid, flush=True)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
# Stops answering, and lives on, when a file appears; it removes the file, so that it answers when it is started again.
HANGS = """
import os, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
hang, port = sys.argv[1], int(sys.argv[2])
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if os.path.exists(hang):
            os.unlink(hang)
            time.sleep(600)
        self.send_response(200); self.end_headers()
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
ENDS = "print('first line'); print('the model is not there'); raise SystemExit(3)"
STUBBORN = (
    """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""
    + ANSWERS
)

SUPERVISOR = """
import json, sys
from pathlib import Path
from serving.supervisor import Part, Probe, supervised
folder, commands = Path(sys.argv[1]), json.loads(sys.argv[2])
def part(number, command):
    address = f"http://127.0.0.1:{command[-1]}/"
    return Part(f"part-{number}", "", address, command, {}, (int(command[-1]),), (Probe("http", address),))
parts = [part(number, command) for number, command in enumerate(commands)]
with supervised(parts, folder, folder, print) as running:
    running.wait_until_ready(30)
    print(*running.pids.values(), flush=True)
    running.watch(None)
"""


def free_port() -> int:
    return free_ports(1)[0]


def edge_and(name: str, script: str) -> list[Part]:
    """An edge that answers, and another part."""
    first, second = free_ports(2)
    return [part("edge", ANSWERS, first), part(name, script, second)]


def part(name: str, script: str, port: int) -> Part:
    address = f"http://127.0.0.1:{port}/"
    command = (sys.executable, "-c", script, str(port))
    return Part(name, "a test", address, command, {}, (port,), (Probe("http", address),))


def eventually(true: Callable[[], bool], within_s: float = 20.0) -> bool:
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def runs(pid: int) -> bool:
    """Whether a process is at work; one that ended and that nobody asked for is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def helper_of(log: Path) -> int:
    """The process that the newest start of a part has started itself."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return int([line for line in lines if line.startswith("helper ")][-1].removeprefix("helper "))


def test_parts_are_ready_when_their_probes_pass_and_gone_when_the_block_ends(tmp_path: Path) -> None:
    parts = edge_and("behind", ANSWERS)
    with supervised(parts, tmp_path, tmp_path, print) as running:
        running.wait_until_ready(30)
        assert eventually(lambda: all(http_answers(entry.address) for entry in parts))
        pids = running.pids
        helpers = [helper_of(tmp_path / f"{entry.name}.log") for entry in parts]
    assert set(pids) == {"edge", "behind"}
    assert not any(map(runs, (*pids.values(), *helpers)))


def test_a_part_that_ends_at_once_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    parts = edge_and("behind", ENDS)
    with (
        pytest.raises(ServingFailed, match=r"the behind ended with exit code 3 while it started") as failure,
        supervised(parts, tmp_path, tmp_path, print) as running,
    ):
        pids = running.pids
        running.wait_until_ready(30)
    assert "| the model is not there" in str(failure.value)
    assert not any(map(runs, pids.values()))


def test_a_part_that_never_answers_is_named(tmp_path: Path) -> None:
    silent = part("silent", "import time; time.sleep(600)", free_port())
    with (
        pytest.raises(ServingFailed, match=r"the silent did not become healthy within 0\.3 s"),
        supervised([silent], tmp_path, tmp_path, print) as running,
    ):
        running.wait_until_ready(0.3)


def test_a_part_that_dies_is_started_again_with_what_it_left_ended(tmp_path: Path) -> None:
    said: list[str] = []
    edge = part("edge", ANSWERS, free_port())
    with supervised([edge], tmp_path, tmp_path, said.append) as running:
        running.wait_until_ready(30)
        watcher = threading.Thread(target=running.watch, args=(None,))
        watcher.start()
        first, helper = running.pids["edge"], helper_of(tmp_path / "edge.log")
        os.kill(first, signal.SIGKILL)
        assert eventually(lambda: running.pids["edge"] != first and http_answers(edge.address))
        assert eventually(lambda: not runs(helper))
    watcher.join()
    assert [line.split(" ")[0:2] for line in said] == [["edge", "ended"], ["edge", "starts"]]


def test_a_part_that_dies_again_and_again_ends_everything(tmp_path: Path) -> None:
    parts = edge_and("behind", ENDS)
    with (
        pytest.raises(ServingFailed, match=r"the behind ended 3 times within 60 s, with exit code 3"),
        supervised(parts, tmp_path, tmp_path, print) as running,
    ):
        pids = running.pids
        running.watch(None)
    assert not any(map(runs, pids.values()))


def test_a_part_that_is_not_vital_may_die_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.0, 0.0))
    monkeypatch.setattr(supervisor, "DEATHS_WITHIN_S", 10.0)
    deaths: list[str] = []

    def say(line: str) -> None:
        if "dying ended with exit code 3" in line:
            deaths.append(line)

    edge, dying = edge_and("dying", ENDS)
    with supervised([edge, replace(dying, vital=False)], tmp_path, tmp_path, say) as running:
        watcher = threading.Thread(target=running.watch, args=(None,))
        watcher.start()
        assert eventually(lambda: len(deaths) >= 4, 60)
        assert runs(running.pids["edge"])
    watcher.join()
    assert "it starts again in 10 s" in deaths[2]


@pytest.fixture
def quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.supervisor.PROBE_EVERY_S", 0.05)
    monkeypatch.setattr("serving.supervisor._PROBE_TIMEOUT_S", 0.2)


def hanging(hang: Path) -> Part:
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    command = (sys.executable, "-c", HANGS, str(hang), str(port))
    return Part("edge", "a test", address, command, {}, (port,), (Probe("http", address),))


@pytest.mark.usefixtures("quick_probes")
def test_a_part_that_lives_but_no_longer_answers_is_killed_and_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    hang = tmp_path / "hang"
    edge = hanging(hang)
    with supervised([edge], tmp_path, tmp_path, said.append) as running:
        running.wait_until_ready(30)
        watcher = threading.Thread(target=running.watch, args=(None,))
        watcher.start()
        first = running.pids["edge"]
        assert made_to_hang(hang)
        assert eventually(lambda: running.pids["edge"] != first and http_answers(edge.address))
        assert not runs(first)
    watcher.join()
    assert said[0].startswith("edge ended by kill after 3 missed probes; it starts again in 0.5 s")


def made_to_hang(hang: Path) -> bool:
    """Let a part hang, and wait until it does."""
    hang.touch()
    return eventually(lambda: not hang.exists())


@pytest.mark.usefixtures("quick_probes")
def test_a_part_that_hangs_again_and_again_ends_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.supervisor.STARTS_WITHIN_S", 2.0)
    stop = threading.Event()
    hang = tmp_path / "hang"

    def spoil() -> None:
        while not stop.wait(0.01):
            if http_answers(edge.address):
                hang.touch()

    edge = hanging(hang)
    spoiler = threading.Thread(target=spoil)
    try:
        with (
            pytest.raises(ServingFailed, match=r"the edge ended 3 times within 60 s, by kill after 3 missed"),
            supervised([edge], tmp_path, tmp_path, print) as running,
        ):
            running.wait_until_ready(30)
            spoiler.start()
            running.watch(None)
    finally:
        stop.set()
        spoiler.join()


@pytest.mark.usefixtures("quick_probes")
def test_a_part_that_has_not_answered_yet_may_take_its_time(tmp_path: Path) -> None:
    silent = part("silent", "import time; time.sleep(600)", free_port())
    said: list[str] = []
    with supervised([silent], tmp_path, tmp_path, said.append) as running:
        running.watch(1.0)
    assert said == []


def test_watching_ends_after_its_seconds(tmp_path: Path) -> None:
    with supervised([part("edge", ANSWERS, free_port())], tmp_path, tmp_path, print) as running:
        running.watch(0.2)


def test_a_part_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.supervisor.EDGE_GRACE_S", 0.3)
    stubborn = part("edge", STUBBORN, free_port())
    with supervised([stubborn], tmp_path, tmp_path, print) as running:
        running.wait_until_ready(30)
        pid = running.pids["edge"]
    assert not runs(pid)


def test_kill_9_of_the_supervisor_leaves_no_process(tmp_path: Path) -> None:
    commands = [(sys.executable, "-c", ANSWERS, str(port)) for port in free_ports(2)]
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path), json.dumps(commands)]
    supervisor = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True)
    assert supervisor.stdout is not None
    with supervisor.stdout:
        pids = [int(word) for word in supervisor.stdout.readline().split()]
    helpers = [helper_of(tmp_path / f"{name}.log") for name in ("part-0", "part-1")]
    assert len(pids) == 2
    supervisor.kill()
    supervisor.wait()
    assert eventually(lambda: not any(map(runs, (*pids, *helpers))))


def test_a_taken_port_is_named_with_the_part_that_needs_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert taken_ports("127.0.0.1", [part("edge", ANSWERS, port)]) == {port: "edge"}
    assert taken_ports("127.0.0.1", [part("edge", ANSWERS, port)]) == {}


@pytest.mark.parametrize("host", ["::1", "192.0.2.1", "no.such.host.invalid", "a..b"])
def test_a_host_that_cannot_be_listened_on_is_no_taken_port(host: str) -> None:
    with pytest.raises(ServingFailed, match=f"cannot listen on {host}: .*; give an address of this machine"):
        taken_ports(host, [part("edge", ANSWERS, free_port())])


def test_a_grpc_server_is_known_by_its_first_frame() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    assert eventually(lambda: grpc_answers(f"127.0.0.1:{port}"))
    server.stop(None).wait()
    assert not grpc_answers(f"127.0.0.1:{port}")
    with recording_server() as plain:
        assert not grpc_answers(plain.address.removeprefix("http://"))
