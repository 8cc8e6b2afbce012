"""Starts a server for a benchmark, measures all of its processes, and ends every one of them."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pedalflow.errors import RunFailed

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")
LAST_BYTES = 3000
STOP_S = 10.0


@dataclass(frozen=True)
class Running:
    """A server that answers: its first process, the file with what it says, and the seconds until its first answer."""

    process: subprocess.Popen[bytes]
    log: Path
    start_s: float

    def cpu_s(self) -> float:
        """User and system seconds of every process of the server, ended and reaped ones included."""
        return sum(sum(map(int, stat[11:15])) for stat in tree(self.process.pid).values()) / TICKS_PER_S

    def memory_mib(self) -> float:
        """What the processes have for themselves, pages shared by a fork once, and the greatest part that lies in files.

        Not their proportional set size: that depends on who else on the machine has loaded the same libraries.
        """
        parts = [_memory_kib(pid) for pid in tree(self.process.pid)]
        return (sum(own for own, _ in parts) + max(in_files for _, in_files in parts)) / 1024


def tree(root: int) -> dict[int, list[str]]:
    """Every living process below `root` or in its session, itself included: its id and the fields of its `stat` after the name."""
    found = {int(folder.name): _stat(folder) for folder in PROC.iterdir() if folder.name.isdecimal()}
    living = {pid: stat for pid, stat in found.items() if stat}
    members = {pid for pid, stat in living.items() if pid == root or int(stat[3]) == root}
    while grown := {pid for pid, stat in living.items() if int(stat[1]) in members} - members:
        members |= grown
    return {pid: living[pid] for pid in members}


def _stat(folder: Path) -> list[str]:
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it ended in between
        return []


def _memory_kib(pid: int) -> tuple[int, int]:
    """Anonymous memory, in proportion to those it is shared with, and what is mapped from files."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    values = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
    return values.get("Pss_Anon", 0), values.get("Rss", 0) - values.get("Anonymous", 0)


@contextmanager
def running(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    port: int,
    probe: tuple[str, bytes],
    patience_s: float = 90.0,
) -> Iterator[Running]:
    """The server while it answers the `probe` (path and body) on `port`. Raises RunFailed, with its last words, if it never does."""
    log = folder / "server.log"
    started = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while not _answers(port, *probe):
            if process.poll() is not None or time.perf_counter() - started > patience_s:
                raise RunFailed(f"{' '.join(command)} does not answer on port {port}:\n{_last_words(log)}")
            time.sleep(0.02)
        yield Running(process, log, time.perf_counter() - started)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the first process, and what of the tree is left after that is killed."""
    members = tree(process.pid)
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid, stat in members.items():
        if _stat(PROC / str(pid))[19:20] == stat[19:20]:  # the same start time: the same process
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def _answers(port: int, path: str, body: bytes) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _last_words(log: Path) -> str:
    return log.read_bytes()[-LAST_BYTES:].decode(errors="replace")
