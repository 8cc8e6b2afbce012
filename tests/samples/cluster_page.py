"""What docs/cluster.md says, in a form that tests compare with the manifests."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tools.manifest_rules.rendering import ROOT

PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")


def table(heading: str) -> Iterator[list[str]]:
    """The rows of the table below a heading of docs/cluster.md."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| ") and not line.startswith("|--"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def keys_of_secrets() -> dict[str, set[str]]:
    """The keys of each Secret in the table."""
    return {
        re.findall(r"`([^`]+)`", name)[0]: set(re.findall(r"`([^`]+)`", keys))
        for _, name, keys, _ in list(table("Secrets"))[1:]
    }
