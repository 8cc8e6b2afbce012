"""What a slim image of Python on Debian 12 has, so that a replay on a machine with more does not prove too much."""

from __future__ import annotations

import re
from pathlib import Path

# Shared libraries of debian:bookworm-slim, and those that Python's own modules are linked with.
_THERE = re.compile(
    r"(ld-linux-x86-64|lib(c|m|dl|pthread|rt|util|resolv|nss_\w+|nsl|stdc\+\+|gcc_s|z|ssl|crypto|ffi|sqlite3|bz2|lzma|uuid|readline|"
    r"ncursesw|tinfo|expat|crypt|tirpc|db-5\.3|gdbm))[.-].*"
)


def missing_libraries(process: int, *ours: Path) -> set[str]:
    """Names of the shared libraries that a process has loaded from outside of `ours`, and that the base image does not have."""
    mapped = {
        Path(line.split(maxsplit=5)[5])
        for line in Path(f"/proc/{process}/maps").read_text(encoding="utf-8").splitlines()
        if ".so" in line
    }
    outside = {path for path in mapped if not any(path.is_relative_to(folder) for folder in ours)}
    return {path.name for path in outside if not _THERE.fullmatch(path.name)}
