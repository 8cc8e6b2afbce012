"""The servers that run for a workspace: `serve` writes down what it started, and other commands find it.

The note is believed only while the lock of `serve` is held and its process lives: one that a killed `serve` left counts for nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pedalflow.whole_files import write_whole
from serving.local import METRICS, Wish, parts

LOCK, NOTE = "serve.lock", "serving.json"
_WITH_METRICS_BESIDE = ("predictor", "canary")


@dataclass(frozen=True)
class Servers:
    """What runs: the process of `serve`, what it follows (a folder, or a pointer that may change), and addresses by part.

    `metrics` are the pages of the predictors' own metrics, which have a port of their own.
    """

    pid: int
    release: str
    canary: bool
    addresses: Mapping[str, str]
    metrics: Mapping[str, str]


def servers_of(wish: Wish) -> Servers:
    """What `serve` starts with this wish, in this process."""
    return Servers(
        pid=os.getpid(),
        release=str(wish.release),
        canary=wish.canary,
        addresses={part.name: part.address for part in parts(wish)},
        metrics={
            name: f"http://{wish.at(name, METRICS)}/metrics"
            for name in _WITH_METRICS_BESIDE
            if wish.has(name)
        },
    )


@contextmanager
def noted(state: Path, servers: Servers) -> Iterator[None]:
    """Others find the servers while the block runs."""
    note = state / NOTE
    write_whole(note, json.dumps(asdict(servers), indent=1) + "\n")
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def running(state: Path) -> Servers | None:
    """The servers that run on this state; None where none do, or where they are still starting."""
    try:
        content = json.loads((state / NOTE).read_text(encoding="utf-8"))
        servers = Servers(**content)
    except (OSError, ValueError, TypeError):  # none, or a note of another version
        return None
    return servers if _is_held(state / LOCK) and Path(f"/proc/{servers.pid}").exists() else None


def _is_held(lock: Path) -> bool:
    """Whether a process holds the lock. Asking holds it for a moment, which `serve` waits for."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
