"""The folder of a run on this machine: its files, and the lock that is held for as long as its process is at work.

order.json      what is to be done, with the settings that the process needs
lock            locked by the process and by its command, until both have ended, however they end; holds the process's number
progress.json   what it does now, and since when
log             all that it and its commands say
train.out       what `pedalflow train` writes to its standard output, rollout.out the same of `pedalflow rollout`
train.json      what it answered, once it has ended well
result.json     how it ended; written last
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pedalflow.whole_files import drafted
from triggers.errors import LaunchStopped
from triggers.launchers.launcher import Seen, State

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LONGEST_LINE = 300  # characters of a log's line in a note
_PATIENCE_S, _RETRY_S = 0.5, 0.02  # somebody who only looks holds the lock for an instant


@dataclass(frozen=True)
class RunFolder:
    """One run's folder; nothing is made by asking for a path."""

    path: Path

    @property
    def order(self) -> Path:
        return self.path / "order.json"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def progress(self) -> Path:
        return self.path / "progress.json"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    def output(self, step: str) -> Path:
        """The standard output of a step's command."""
        return self.path / f"{step}.out"

    def answer(self, step: str) -> Path:
        """What a step's command answered, once it has ended well."""
        return self.path / f"{step}.json"

    def process(self) -> int | None:
        """The number of the run's own process, which is also that of its group; None where it has not said so."""
        try:
            return int(self.lock.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def last_line(self) -> str:
        """The last line of the log; empty where there is none."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")[:_LONGEST_LINE]

    def note_step(self, step: str) -> None:
        """Say what the run does from now on."""
        write_json(self.progress, {"step": step, "since": time.time()})

    def step(self) -> str:
        """What the run does now; empty where it has not said so."""
        return str((read_json(self.progress) or {}).get("step", ""))

    def finish(self, seen: Seen) -> None:
        """Write how the run ended, which ends it."""
        write_json(self.result, asdict(seen))

    def finished(self) -> Seen | None:
        """How the run ended; None while it has not."""
        found = read_json(self.result)
        return None if found is None else Seen(**{**found, "state": State(found["state"])})


def folder_of(runs: Path, key: str) -> RunFolder:
    """The folder of the run with this key; raises LaunchStopped where the key is no name of a folder."""
    if not _KEY.fullmatch(key):
        raise LaunchStopped(
            f"{key!r} cannot name a run's folder; keys are of letters, digits, points and dashes"
        )
    return RunFolder(runs / key)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a file, synced: a reader sees the old content or the new, never half of it."""
    with drafted(path) as draft, draft.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, ensure_ascii=False, default=str)
        file.flush()
        os.fsync(file.fileno())


def read_json(path: Path) -> dict[str, Any] | None:
    """What `write_json` wrote; None where there is no such file, or no object in it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def take_lock(path: Path) -> int | None:
    """Lock the file, made if it is missing, and return its descriptor; None where somebody is at work.

    The lock belongs to whoever has the descriptor: a child that is handed it keeps the lock when this process closes its own.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _PATIENCE_S
    while not _try(descriptor, fcntl.LOCK_EX):
        if time.monotonic() >= deadline:
            os.close(descriptor)
            return None
        time.sleep(_RETRY_S)
    return descriptor


def note_process(lock: int) -> None:
    """Write this process's number into the lock's file."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode("ascii"), 0)


def is_locked(path: Path) -> bool:
    """Whether somebody is at work under this lock."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        return not _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _try(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
