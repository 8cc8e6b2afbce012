"""A log of JSON lines in segments: what was answered is on the disk before the answer leaves, and a killed process loses nothing.

Every process writes a file of its own, `requests-<UTC>-<process>-<number>.jsonl.open`, and renames it to `.jsonl` when it is full. A line
is one `write`, so it survives the end of the process the moment the call returns; a thread calls `fsync` now and then for the end of
the machine. A file that is being written is locked (`flock`), so one that a dead process left is known by its lock being free,
whatever its process number means by now.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

CLOSED = ".jsonl"
OPEN = ".jsonl.open"
COLUMNS = "columns"
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY


class SegmentWriter:
    """Appends lines to the segments of one process. Safe to use from many threads; make it after the process has forked."""

    def __init__(
        self,
        folder: Path,
        rotate_bytes: int,
        sync_every_s: float,
        private_fields: tuple[str, ...] = (),
    ) -> None:
        """`private_fields` are left out of every line's `columns`. Raises OSError where the folder cannot be written."""
        self._folder = folder
        self._rotate_bytes = rotate_bytes
        self._private = frozenset(private_fields)
        self._lock = threading.Lock()
        self._number = 0
        self._file = -1
        self._path = folder
        self._size = 0
        self._synced = 0
        self._stopped = threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        close_leftovers(folder)
        self._open()
        self._thread = threading.Thread(
            target=self._sync_now_and_then, args=(sync_every_s,), name="log-sync", daemon=True
        )
        self._thread.start()

    def append(self, line: Mapping[str, Any]) -> None:
        """Write one line; when the call returns, the line outlives the process.

        Raises:
            OSError: the line could not be written whole; nothing of it is left in the file.
        """
        if self._private and COLUMNS in line:
            columns = {name: values for name, values in line[COLUMNS].items() if name not in self._private}
            line = {**line, COLUMNS: columns}
        content = orjson.dumps(line, option=_OPTIONS)
        with self._lock:
            if self._file < 0:
                self._open()
            self._write(content)
            if self._size >= self._rotate_bytes:
                self._close()

    def sync(self) -> None:
        """Every line so far outlives the machine when this returns. Raises OSError where it does not."""
        with self._lock:
            if self._file >= 0 and self._synced != self._size:
                os.fsync(self._file)
                self._synced = self._size

    def close(self) -> None:
        """Finish the open segment; another `append` would begin a new one."""
        self._stopped.set()
        with self._lock:
            self._close()

    def _write(self, content: bytes) -> None:
        written = os.write(self._file, content)
        if written != len(content):
            os.ftruncate(self._file, self._size)
            raise OSError(f"only {written} of {len(content)} bytes of a line fit into {self._path}")
        self._size += written

    def _open(self) -> None:
        """Begin a segment; again, should a process that starts take the new file for a leftover before it is locked."""
        while self._file < 0:
            self._create()
            if not self._path.exists():
                os.close(self._file)
                self._file = -1

    def _create(self) -> None:
        self._number += 1
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self._path = self._folder / f"requests-{stamp}-{os.getpid()}-{self._number}{OPEN}"
        self._file = os.open(
            self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640
        )
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._size = self._synced = 0

    def _close(self) -> None:
        if self._file < 0:
            return
        os.fsync(self._file)
        _rename(self._path, self._size)
        os.close(self._file)
        self._file = -1

    def _sync_now_and_then(self, every_s: float) -> None:
        while not self._stopped.wait(every_s):
            with self._lock:
                behind = self._file >= 0 and self._synced != self._size
                self._synced = self._size
                file = os.dup(self._file) if behind else -1
            if behind:  # outside the lock: requests do not wait for the disk
                os.fsync(file)
                os.close(file)


def close_leftovers(folder: Path) -> None:
    """Rename the open segments whose writers are gone; an empty one is removed."""
    for path in sorted(folder.glob(f"*{OPEN}")):
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:  # another process that starts was faster
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _rename(path, os.fstat(file).st_size)
        except (BlockingIOError, FileNotFoundError):  # still written, or another process was faster
            continue
        finally:
            os.close(file)


def read_segments(folder: Path) -> Iterator[dict[str, Any]]:
    """All lines of a folder, segment by segment in the order of their names. A last line that was cut off is left out.

    Raises:
        ValueError: a line inside a segment is no JSON.
    """
    names = {path.name.removesuffix(".open") for path in folder.glob("requests-*") if _is_segment(path)}
    for name in sorted(names):
        yield from read_segment(folder / name)


def read_segment(closed: Path) -> Iterator[dict[str, Any]]:
    """The lines of one segment by the name that it has when closed; it may still be open, or be closed while this runs."""
    try:
        content = closed.with_name(f"{closed.name}.open").read_bytes()
    except FileNotFoundError:
        content = closed.read_bytes()
    for line in content.splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield orjson.loads(line)


def _is_segment(path: Path) -> bool:
    return path.name.endswith((CLOSED, OPEN))


def _rename(path: Path, size: int) -> None:
    if size:
        path.rename(path.with_name(path.name.removesuffix(".open")))
    else:
        path.unlink()
