"""A log of JSON lines in segments: what was answered is on the disk before the answer leaves, and a killed process loses nothing.

Every process writes a file of its own, `requests-<UTC>-<process>-<number>.jsonl.open`, and renames it to `.jsonl` when it is full. A line
is one `write`, so it survives the end of the process the moment the call returns; a thread calls `fsync` now and then for the end of
the machine. A file that is being written is locked (`flock`), so one that a dead process left is known by its lock being free,
whatever its process number means by now. Where somebody removes the file or its folder, a new segment begins at the next sync.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

logger = logging.getLogger("pedalflow.serving")

CLOSED = ".jsonl"
OWN_LOG = "requests"  # the folder of a predictor's own log, below a workspace's serving state
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
        self._failed: OSError | None = (
            None  # why lines that no `sync` has answered for may not be on the disk
        )
        self._stopped = threading.Event()
        close_leftovers(folder)
        self._open()
        self._thread = threading.Thread(
            target=self._sync_now_and_then, args=(sync_every_s,), name="log-sync", daemon=True
        )
        self._thread.start()

    def append(self, line: Mapping[str, Any]) -> None:
        """Write one line; when the call returns, the line outlives the process.

        A full segment is closed after the line is written. Where that fails, the log says so and the next `sync` raises it.

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
                self._rotate()

    def sync(self) -> None:
        """Every line since the last `sync` outlives the machine when this returns.

        Raises:
            OSError: that is not certain of some of them; their segment may also have been removed. The next call is about later lines.
        """
        with self._lock:
            self._replace_removed()
            if self._file >= 0 and self._synced != self._size:
                os.fsync(self._file)
                self._synced = self._size
            failed, self._failed = self._failed, None
        if failed:
            raise failed

    def close(self) -> None:
        """Finish the open segment; another `append` would begin a new one. Raises OSError where that fails; it is closed all the same."""
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
        self._folder.mkdir(parents=True, exist_ok=True)
        self._number += 1
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self._path = self._folder / f"requests-{stamp}-{os.getpid()}-{self._number}{OPEN}"
        self._file = os.open(
            self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640
        )
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._size = self._synced = 0

    def _rotate(self) -> None:
        try:
            self._close()
        except OSError as error:
            self._note(error)

    def _close(self) -> None:
        if self._file < 0:
            return
        file, self._file = self._file, -1
        try:
            if self._synced != self._size:
                os.fsync(file)
            _rename(self._path, self._size)
        finally:
            os.close(file)

    def _replace_removed(self) -> None:
        """Begin a new segment where nobody could find the lines of the open one any more."""
        if self._file < 0 or os.fstat(self._file).st_nlink:
            return
        logger.warning("%s was removed while it was written; a new segment begins", self._path)
        if self._synced != self._size:
            self._failed = FileNotFoundError(f"{self._path} was removed with lines that were not synced yet")
        os.close(self._file)
        self._file = -1
        self._open()

    def _note(self, error: OSError) -> None:
        """Keep an error for the next `sync`, and say it if none is kept already."""
        if self._failed is None:
            logger.warning("lines of %s may not be on the disk: %s", self._path, error)
            self._failed = error

    def _sync_now_and_then(self, every_s: float) -> None:
        while not self._stopped.wait(every_s):
            try:
                self._sync_beside()
            except OSError as error:
                with self._lock:
                    self._note(error)

    def _sync_beside(self) -> None:
        """What `sync` does, but requests do not wait for the disk."""
        with self._lock:
            self._replace_removed()
            if self._file < 0 or self._synced == self._size:
                return
            path, size, file = self._path, self._size, os.dup(self._file)
        try:
            os.fsync(file)
        finally:
            os.close(file)
        with self._lock:
            if path == self._path:
                self._synced = max(self._synced, size)


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
    for line in _content(closed).splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield orjson.loads(line)


def _content(closed: Path) -> bytes:
    """What a segment holds under either of its names; nothing where it was removed meanwhile, as an empty one is."""
    for path in (closed.with_name(f"{closed.name}.open"), closed):
        with suppress(FileNotFoundError):
            return path.read_bytes()
    return b""


def _is_segment(path: Path) -> bool:
    return path.name.endswith((CLOSED, OPEN))


def _rename(path: Path, size: int) -> None:
    if size:
        path.rename(path.with_name(path.name.removesuffix(".open")))
    else:
        path.unlink()
