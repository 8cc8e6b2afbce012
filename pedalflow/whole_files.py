"""Files and folders that somebody reads while they are written: a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A name beside `path` for the new content: what the block wrote there takes the place of `path` when it ends well.

    It is gone when the block does not end well. Each draft has a name of its own, so that threads, processes, and machines with a folder
    in common may write the same file at the same time; the last one stays.

    It says nothing about a power cut: what has to outlive one is synced by whoever writes it.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.draft")
    try:
        yield draft
        if draft.exists():
            draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write `content` to `path`, text as UTF-8, by way of a draft beside it; folders above are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with drafted(path) as draft:
        draft.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def drafted_folder(place: Path) -> Iterator[Path]:
    """A name in `place`, which is made, for a folder in the making; what has not been given its name by `give_name` is gone after it."""
    place.mkdir(parents=True, exist_ok=True)
    draft = place / f".{secrets.token_hex(6)}.draft"
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def give_name(draft: Path, path: Path) -> bool:
    """Give a folder its name, at once; False where another has it already, which stays."""
    try:
        draft.rename(path)
    except OSError:
        if not path.is_dir():
            raise
        return False
    return True
