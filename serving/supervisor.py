"""Starts processes, waits until they are healthy, starts again what dies or hangs, and leaves none behind.

Each process leads its own group, because Seldon's wrapper starts several and a signal to the first stops only some of them.
"""

from __future__ import annotations

import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pedalflow.errors import ServingFailed
from serving import reaper

LOG_LINES = 12
DEATHS = 3
DEATHS_WITHIN_S = 60.0
BACKOFF_S = (0.5, 2.0)  # before the first and the second start anew; the third death ends everything
EDGE_GRACE_S = 9.0  # it answers what is on its way, and posts the events that it still has
PROBE_EVERY_S = 5.0
PROBES_MISSED = 3  # in a row: then a part hangs, and is killed and started again
STARTS_WITHIN_S = 60.0  # a part that was started again may miss probes for so long, until one passes
_LOOK_EVERY_S = 0.1
_PROBE_TIMEOUT_S = 1.0
# An HTTP/2 client's preface and its empty SETTINGS frame; a gRPC server answers with a SETTINGS frame, whose type is 4.
_HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_SETTINGS_FRAME = 4
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def http_answers(address: str) -> bool:
    """Whether a GET of the URL is answered with 200."""
    try:
        with _NO_PROXY.open(address, timeout=_PROBE_TIMEOUT_S) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False


def grpc_answers(address: str) -> bool:
    """Whether `host:port` opens an HTTP/2 connection, which is when a gRPC channel becomes ready."""
    host, port = address.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), _PROBE_TIMEOUT_S) as connection:
            connection.sendall(_HTTP2_HELLO)
            frame = connection.recv(9)
    except OSError:
        return False
    return len(frame) > 3 and frame[3] == _SETTINGS_FRAME


PROBES: Mapping[str, Callable[[str], bool]] = {"http": http_answers, "grpc": grpc_answers}


@dataclass(frozen=True)
class Probe:
    """How a part is known to be healthy: `kind` is a key of PROBES."""

    kind: str
    address: str

    def passes(self) -> bool:
        """Ask once."""
        return PROBES[self.kind](self.address)


@dataclass(frozen=True)
class Part:
    """A process to be started: its name, what it is for, and where it answers.

    `environment` is added to this process's own; `ports` are all that it listens on. A part that is not `vital` may die as often as it
    likes: the others serve on, and it is started again now and then.
    """

    name: str
    purpose: str
    address: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ports: tuple[int, ...]
    probes: tuple[Probe, ...]
    vital: bool = True


def taken_ports(host: str, parts: Sequence[Part]) -> dict[int, str]:
    """The ports on which something else listens already, with the part that needs them.

    Raises ServingFailed where nothing can listen on `host`.
    """
    return {port: part.name for part in parts for port in part.ports if not _is_free(host, port)}


def _is_free(host: str, port: int) -> bool:
    if ":" in host:
        raise _cannot_listen(host, "only IPv4 addresses and names are supported")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except (OSError, UnicodeError) as error:  # UnicodeError: a text that can be no name
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                return False
            if isinstance(error, PermissionError):
                raise ServingFailed(
                    f"cannot listen on port {port}: {error.strerror}; serve on another block with --port N"
                ) from error
            raise _cannot_listen(host, getattr(error, "strerror", None) or str(error)) from error
        return True


def _cannot_listen(host: str, why: str) -> ServingFailed:
    return ServingFailed(f"cannot listen on {host}: {why}; give an address of this machine")


class _Child:
    """A part's process, its log and its deaths."""

    def __init__(self, part: Part, log: Path, folder: Path) -> None:
        self.part = part
        self.log = log
        self.restart_at: float | None = None
        self._folder = folder
        self._deaths: deque[float] = deque()
        self.process = self._start("wb")
        self._expect_answers()

    def start_again(self) -> None:
        self.restart_at = None
        self.process = self._start("ab")
        self._expect_answers()

    def probe(self) -> None:
        """Ask once whether it answers, and note it. Takes up to a second for each probe that nothing answers."""
        process = self.process
        passed = all(probe.passes() for probe in self.part.probes)
        if process is not self.process or self.restart_at is not None:
            return  # it was another process that was asked
        if passed:
            self.answered()
        elif time.monotonic() >= self._strict_from:
            self._missed += 1

    def answered(self) -> None:
        """Note that all its probes have passed: from now on it must not miss any."""
        self._missed, self._strict_from = 0, 0.0

    def hangs(self) -> bool:
        """Whether it lives but no longer answers."""
        return self._missed >= PROBES_MISSED

    def _expect_answers(self) -> None:
        self._missed = 0
        self._strict_from = time.monotonic() + STARTS_WITHIN_S

    def died(self, now: float) -> int:
        """Note a death; returns how many there were lately."""
        self._deaths.append(now)
        while self._deaths[0] < now - DEATHS_WITHIN_S:
            self._deaths.popleft()
        return len(self._deaths)

    def last_lines(self) -> str:
        """The end of its log, for an error message."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join(f"  | {line}" for line in lines) or "  | (nothing)"

    def _start(self, mode: str) -> subprocess.Popen[bytes]:
        with self.log.open(mode) as log:
            return subprocess.Popen(
                self.part.command,
                env={**os.environ, **self.part.environment},
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


class Supervisor:
    """Watches over processes. Use `supervised`, which ends them.

    Args:
        parts: what to start; the first one is the edge, which is stopped before the others.
        logs: folder for one log a part.
        folder: where the processes run.
        say: told of deaths and restarts.
    """

    def __init__(self, parts: Sequence[Part], logs: Path, folder: Path, say: Callable[[str], None]) -> None:
        self._parts = parts
        self._logs = logs
        self._folder = folder
        self._say = say
        self._children: list[_Child] = []
        self._ending = threading.Event()
        self._at_work = threading.Lock()  # nothing is started again while everything ends
        self._reaper = _start_reaper()

    @property
    def pids(self) -> dict[str, int]:
        """The leader of each part's process group."""
        return {child.part.name: child.process.pid for child in self._children}

    def start(self) -> None:
        """Start every part."""
        self._logs.mkdir(parents=True, exist_ok=True)
        for part in self._parts:
            child = _Child(part, self._logs / f"{part.name}.log", self._folder)
            self._children.append(child)
            self._tell_reaper(child.process.pid)

    def wait_until_ready(self, within_s: float) -> None:
        """Return when every probe has passed.

        Raises:
            ServingFailed: a part ended, or did not become healthy in time; with the end of its log.
        """
        deadline = time.monotonic() + within_s
        waiting = {child.part.name: list(child.part.probes) for child in self._children}
        while any(waiting.values()):
            for child in self._children:
                if (code := child.process.poll()) is not None:
                    raise _failed(child, f"ended with exit code {code} while it started")
                probes = waiting[child.part.name]
                if probes and probes[0].passes():
                    probes.pop(0)
            if time.monotonic() > deadline:
                late = next(child for child in self._children if waiting[child.part.name])
                raise _failed(late, f"did not become healthy within {within_s:g} s")
            time.sleep(_LOOK_EVERY_S)
        for child in self._children:
            child.answered()

    def watch(self, seconds: float | None) -> None:
        """Start again what dies or no longer answers, for `seconds`, or until `stop` is called or an exception comes.

        Raises:
            ServingFailed: a vital part died DEATHS times within DEATHS_WITHIN_S seconds; with the end of its log.
        """
        end = None if seconds is None else time.monotonic() + seconds
        with self._probing():
            while not self._ending.wait(_LOOK_EVERY_S) and (end is None or time.monotonic() < end):
                for child in self._children:
                    with self._at_work:
                        self._look_after(child)

    def stop(self) -> None:
        """End all groups: the edge first, so that no request is on its way to a part that is gone. Signals wait meanwhile."""
        self._ending.set()
        with _undisturbed(), self._at_work:
            edge, others = self._children[:1], self._children[1:]
            for children, grace_s in ((edge, EDGE_GRACE_S), (others, reaper.GRACE_S)):
                _end(children, grace_s)
            with suppress(ServingFailed, BrokenPipeError):
                for child in self._children:
                    self._tell_reaper(-child.process.pid)
            self._reaper.communicate()

    @contextmanager
    def _probing(self) -> Iterator[None]:
        """Probe every part on a thread of its own, so that one that hangs delays neither the others nor who notices deaths."""
        over = threading.Event()

        def probe(child: _Child) -> None:
            while not over.wait(PROBE_EVERY_S):
                child.probe()

        for child in self._children:
            threading.Thread(
                target=probe, args=(child,), name=f"probe {child.part.name}", daemon=True
            ).start()
        try:
            yield
        finally:
            over.set()

    def _look_after(self, child: _Child) -> None:
        if self._ending.is_set():
            return
        now = time.monotonic()
        if child.restart_at is not None:
            if now >= child.restart_at:
                child.start_again()
                self._tell_reaper(child.process.pid)
                self._say(f"{child.part.name} starts again, pid {child.process.pid}")
            return
        code = child.process.poll()
        if code is None and not child.hangs():
            return
        reaper.signal_to(os.killpg, child.process.pid, signal.SIGKILL)  # what the leader left of its group
        child.process.wait()
        self._tell_reaper(-child.process.pid)
        how = f"with exit code {code}" if code is not None else f"by kill after {PROBES_MISSED} missed probes"
        deaths = child.died(now)
        if deaths >= DEATHS and child.part.vital:
            raise _failed(child, f"ended {deaths} times within {DEATHS_WITHIN_S:g} s, {how} at last")
        wait_s = BACKOFF_S[deaths - 1] if deaths < DEATHS else DEATHS_WITHIN_S
        child.restart_at = now + wait_s
        self._say(f"{child.part.name} ended {how}; it starts again in {wait_s:g} s ({child.log})")

    def _tell_reaper(self, group: int) -> None:
        if self._reaper.poll() is not None:
            raise ServingFailed(
                f"the process that cleans up (pid {self._reaper.pid}) was stopped by someone; start serving again"
            )
        assert self._reaper.stdin is not None
        self._reaper.stdin.write(f"{group}\n")
        self._reaper.stdin.flush()


@contextmanager
def supervised(
    parts: Sequence[Part], logs: Path, folder: Path, say: Callable[[str], None]
) -> Iterator[Supervisor]:
    """Start the parts, and end them all when the block ends, however it ends."""
    supervisor = Supervisor(parts, logs, folder, say)
    try:
        supervisor.start()
        yield supervisor
    finally:
        supervisor.stop()


def _start_reaper() -> subprocess.Popen[str]:
    command = [sys.executable, "-I", "-S", reaper.__file__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)


def _end(children: Sequence[_Child], grace_s: float) -> None:
    processes = {child.process.pid: child.process for child in children}
    reaper.end_groups(processes, grace_s, lambda leader: processes[leader].poll() is not None)
    for process in processes.values():
        process.wait()


def _failed(child: _Child, what: str) -> ServingFailed:
    return ServingFailed(f"the {child.part.name} {what}; the end of {child.log}:\n{child.last_lines()}")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM have no effect while the block runs. Python allows that on the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
