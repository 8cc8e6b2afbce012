"""Files that somebody reads while they are written anew: a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import secrets
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
