"""Small files that another process reads while they are written anew: it sees the old text or the new, never half of it."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, by way of a draft beside it; folders above are made.

    It says nothing about a power cut: what has to outlive one is synced by whoever writes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")  # two processes may write the same file
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
