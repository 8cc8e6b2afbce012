"""The fenced blocks of the docs, and the commands in them. A block says what it is: `sh` is a script, `console` shows commands after `$ `
with what they print, anything else holds no command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = tuple(
    sorted(
        [
            ROOT / "README.md",
            *ROOT.glob("docs/**/*.md"),
            *(ROOT / room / "README.md" for room in ("bench", "data")),
        ]
    )
)
SCRIPTS = ("sh", "console")
NO_COMMANDS = ("text", "yaml", "mermaid")
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S)
_PROMPT = "$ "


@dataclass(frozen=True)
class Block:
    """One fenced block: the page (below the repository), the line of its first line, its language and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def script(self) -> str:
        """Its commands, as a shell takes them; empty where it has none."""
        if self.language == "console":
            return "\n".join(commands_of(self.text.splitlines()))
        return self.text if self.language == "sh" else ""


def blocks(page: Path) -> list[Block]:
    """All blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix()
    return [
        Block(name, text.count("\n", 0, found.start()) + 2, found["language"], found["text"])
        for found in _FENCE.finditer(text)
    ]


def commands_of(lines: list[str]) -> Iterator[str]:
    """What stands after the prompts, each with the lines that continue it: after a backslash, or within quotes."""
    command = ""
    for line in lines:
        if command:
            command += "\n" + line
        elif line.startswith(_PROMPT):
            command = line.removeprefix(_PROMPT)
        if command and _is_whole(command):
            yield command
            command = ""


def _is_whole(command: str) -> bool:
    quoted = re.sub(r"\\.", "", command, flags=re.DOTALL)
    return not (command.endswith("\\") or quoted.count("'") % 2 or quoted.count('"') % 2)


def inline(start: str) -> list[tuple[str, str]]:
    """Code in the text of the pages that begins so, each with its place; decisions tell of their day and are left out."""
    return [
        (f"{page.relative_to(ROOT).as_posix()}:{number}", found)
        for page in PAGES
        if page.parent.name != "decisions"
        for number, line in enumerate(_without_blocks(page.read_text(encoding="utf-8")).splitlines(), 1)
        for found in re.findall(r"`([^`]+)`", line)
        if found.startswith(start)
    ]


def _without_blocks(text: str) -> str:
    return _FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)
