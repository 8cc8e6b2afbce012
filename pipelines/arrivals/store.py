"""The store of spans: `data/spans/span-NN.csv` beside the DVC pointer `span-NN.csv.dvc` that git tracks.

A span exists from the moment its pointer is renamed into place, which is the last step of adding it: a process that dies before
leaves no span, and what it left behind is swept by the next writer. Reading the store needs neither DVC nor pandas.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from pedalflow.errors import DataMissing
from pedalflow.lock import exclusive
from pedalflow.spans import Span, SpanState, span_name
from pedalflow.workspace import Workspace
from pipelines.arrivals import versioning

_STAGING = ".arriving"
_LOCK = ".lock"
_IGNORED_BY_GIT = f"/span-*.csv\n/{_STAGING}/\n/{_LOCK}\n"
LOCK_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Origin:
    """Where a span came from: kept in its pointer. `sha256` is that of the file as it arrived (compressed or not)."""

    file: str
    sha256: str


def make_ready(workspace: Workspace) -> None:
    """Folders, git's ignore rules and DVC, as far as they are missing."""
    workspace.spans.mkdir(parents=True, exist_ok=True)
    ignore = workspace.spans / ".gitignore"
    if not ignore.exists():
        ignore.write_text(_IGNORED_BY_GIT, encoding="utf-8")
    versioning.initialise(workspace)


@contextmanager
def writing(workspace: Workspace, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """The right to change the store, for one process at a time; leftovers of a writer that died are swept first.

    The lock is the kernel's, so it ends with the process that holds it. Raises RunFailed after `timeout_s`.
    """
    busy = f"another process has been adding data to {workspace.spans} for {timeout_s:.0f} s; try again later"
    with exclusive(workspace.spans / _LOCK, busy, timeout_s):
        make_ready(workspace)
        _sweep(workspace)
        yield


def _sweep(workspace: Workspace) -> None:
    """Remove what an addition left that never got to its last step. Files that no addition made are not touched."""
    staging = workspace.spans / _STAGING
    if not staging.exists():
        return
    for pointer in staging.glob("span-*.csv.dvc"):
        moved = workspace.spans / pointer.stem
        recorded = pointer.read_text(encoding="utf-8")
        if (
            moved.exists()
            and not (workspace.spans / pointer.name).exists()
            and md5_of(moved.read_bytes()) in recorded
        ):
            moved.unlink()
    shutil.rmtree(staging)


def list_spans(workspace: Workspace) -> tuple[Span, ...]:
    """All spans by number, each compared with its pointer. Raises DataMissing for a pointer that cannot be read."""
    return tuple(
        sorted(
            (_read_pointer(path) for path in workspace.spans.glob("span-*.csv.dvc")),
            key=lambda span: span.number,
        )
    )


def _read_pointer(pointer: Path) -> Span:
    try:
        content = yaml.safe_load(pointer.read_text(encoding="utf-8"))
        md5, meta = content["outs"][0]["md5"], content["meta"]
        number, rows, first, last = meta["span"], meta["rows"], meta["first"], meta["last"]
    except (yaml.YAMLError, KeyError, IndexError, TypeError, UnicodeDecodeError) as error:
        raise DataMissing(
            f"{pointer} is not the pointer of a span ({error!r}); restore it from git"
        ) from error
    path = pointer.with_suffix("")
    return Span(number, str(path), rows, first, last, md5, _state(path, md5))


def _state(path: Path, md5: str) -> SpanState:
    if not path.exists():
        return SpanState.MISSING
    return SpanState.PRESENT if md5_of(path.read_bytes()) == md5 else SpanState.MODIFIED


def md5_of(content: bytes) -> str:
    """The hash DVC knows a file by."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def read_span(span: Span) -> bytes:
    """The CSV of a span. Raises DataMissing where the file is absent or not the recorded one."""
    if span.state is SpanState.MISSING:
        raise DataMissing(
            f"the file of span {span.number} is not at {span.path}; `pedalflow data prepare` restores it"
        )
    content = Path(span.path).read_bytes()
    if md5_of(content) != span.md5:
        raise DataMissing(
            f"{span.path} is not the file that arrived as span {span.number} (md5 {span.md5} was recorded); "
            "move it away and run `pedalflow data prepare` to restore the recorded one"
        )
    return content


def add(
    workspace: Workspace, number: int, content: bytes, rows: int, first: str, last: str, origin: Origin
) -> Span:
    """Version `content` with DVC and make it span `number`; call it inside `writing`. Returns the new span."""
    staging, target = workspace.spans / _STAGING, workspace.spans / span_name(number)
    if target.exists() and target.read_bytes() != content:
        raise DataMissing(
            f"{target} lies there without a pointer and differs from what arrives; move it away and try again"
        )
    staging.mkdir()
    staged = staging / target.name
    _write_whole(staged, content)
    meta = {
        "span": number,
        "rows": rows,
        "first": first,
        "last": last,
        "source": origin.file,
        "source_sha256": origin.sha256,
    }
    pointer = versioning.track(workspace, staged, f"span {number}: {rows} rows, {first} to {last}", meta)
    _flush(pointer)
    final = workspace.spans / pointer.name
    os.replace(staged, target)
    os.replace(pointer, final)  # the span exists from here on
    _flush(workspace.spans)
    shutil.rmtree(staging)
    return _read_pointer(final)


def restore(workspace: Workspace, span: Span, content: bytes) -> None:
    """Put back the file of a span whose bytes are known by another way; call it inside `writing`."""
    staging = workspace.spans / _STAGING
    staging.mkdir()
    restored = staging / "restored"
    _write_whole(restored, content)
    os.replace(restored, span.path)
    shutil.rmtree(staging)


def _write_whole(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush(path: Path) -> None:
    """Ask the kernel to write a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
