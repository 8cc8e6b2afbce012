"""What an artifact holds, in one line that travels with its metadata: so a task notices an input that was not written or copied whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pedalflow.errors import DataMissing

KEY = "pedalflow_content"  # the property of an artifact


def describe(path: Path) -> str:
    """Number of files, bytes and a digest of names and sizes. Object stores keep no empty folders, so these do not count."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    digest, size = hashlib.sha256(), 0
    for file in files:
        length = file.stat().st_size
        digest.update(f"{file.relative_to(path)} {length}\n".encode())
        size += length
    return f"{len(files)} files, {size} bytes, {digest.hexdigest()[:16]}"


def check(name: str, artifact: Mapping[str, Any], path: Path) -> None:
    """Look whether an input artifact is there, and as its producer left it.

    Raises:
        DataMissing: it is not there, or not whole; its name and its URI are in the message.
    """
    uri, written = artifact["uri"], artifact.get("metadata", {}).get(KEY)
    if not path.exists():
        raise DataMissing(
            f"the input {name} is missing: nothing was brought from {uri}; look whether its producer wrote it"
        )
    if written is not None and (found := describe(path)) != written:
        raise DataMissing(
            f"the input {name} is not whole: {uri} was left with {written}, but {found} arrived; run its producer again"
        )
