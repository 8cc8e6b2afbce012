"""Every command that the docs show is one that there is: its own options parse it, the Makefile has the target, the module exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from pedalflow.command import main, options, table

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), ROOT / "bench" / "README.md"])
SHELLS = ("", "bash", "sh", "console")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def commands(page: Path) -> Iterator[str]:
    """The simple commands of the page's code blocks: no comments, no output, each part of a list or a pipe for itself."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        if language not in SHELLS:
            continue
        for line in block.replace("\\\n", " ").splitlines():
            bare = re.sub(r"\s#.*$", "", line).strip().removeprefix("$ ")
            yield from (part.strip() for part in re.split(r"&&|\|\|?|;|(?<=\s)>+", bare))


def words(command: str) -> list[str]:
    try:
        found = shlex.split(command)
    except ValueError:  # a line of output with a lone quote
        return []
    while found and re.fullmatch(r"[A-Z_]+=.*", found[0]):
        found.pop(0)
    return found


def shown(page: Path, *programs: str) -> list[list[str]]:
    found = (words(command) for command in commands(page))
    return [line[1:] for line in found if line and Path(line[0]).name in programs and len(line) > 1]


def _set(word: str) -> str:
    """A variable of the shell holds something: an address fits wherever text does."""
    return re.sub(r"\$\w+", "http://127.0.0.1:9000/there", word)


# Neither a picture, nor a synopsis, nor a question for help.
ALL_PEDALFLOW = [
    (page.name, [_set(word) for word in line if word != "…"])  # stands for options that are left out
    for page in PAGES
    for line in shown(page, "pedalflow")
    if not re.search(r"[─▶\[]|--help", " ".join(line))
]


@pytest.mark.parametrize(
    ("page", "line"), ALL_PEDALFLOW, ids=lambda value: " ".join(value)[:70] if value else ""
)
def test_a_command_in_the_docs_is_one_that_parses(page: str, line: list[str]) -> None:
    front = main.front_parser().parse_args(line)
    parsed = options.parse(front.command, ["--workspace", "/workspace", *front.rest])
    assert parsed is not None


def test_there_are_many_of_them() -> None:
    named = {line[0] for _, line in ALL_PEDALFLOW}
    assert len(ALL_PEDALFLOW) > 60
    assert len(named & {entry.name for entry in table.COMMANDS}) > 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_targets_and_modules_in_the_docs_exist(page: Path) -> None:
    for line in shown(page, "make"):
        targets = {word for word in line if re.fullmatch(r"[a-z-]+", word)}
        assert targets <= TARGETS, f"{page.name}: make {' '.join(line)}"
    for line in shown(page, "python"):
        if line[0] == "-m" and line[1].split(".")[0] in (
            "bench",
            "bikeshare",
            "serving",
            "triggers",
            "pipelines",
            "tools",
        ):
            place = ROOT / line[1].replace(".", "/")
            assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), (
                f"{page.name}: {line}"
            )
