"""Which processes of a group are left, for tests that end what they started."""

from __future__ import annotations

from pathlib import Path


def group_members(group: int) -> list[int]:
    """The processes of a group that run; one that only waits to be asked for its exit code does not."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = path.read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:  # it ended while we looked
            continue
        if int(its_group) == group and state != "Z":
            found.append(int(path.parent.name))
    return found
