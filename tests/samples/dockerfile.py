"""Reads the part of the Dockerfile language that our images are written in: instructions, stages, variables. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Instruction:
    """One instruction, its continued lines joined. `word` is in capitals."""

    word: str
    text: str
    line: int

    @property
    def words(self) -> list[str]:
        """The arguments, split as a shell splits them; of the JSON form, its strings."""
        return list(json.loads(self.text)) if self.text.startswith("[") else shlex.split(self.text)

    def same_as(self, other: Instruction) -> bool:
        """Whether both say the same, wherever they stand."""
        return (self.word, self.text) == (other.word, other.text)

    @property
    def options(self) -> dict[str, str]:
        """What stands before the arguments as `--name=value`."""
        named = [word[2:].partition("=") for word in self.words if word.startswith("--")]
        return {name: value for name, _, value in named}

    @property
    def plain(self) -> list[str]:
        """The arguments without the options."""
        return [word for word in self.words if not word.startswith("--")]

    @property
    def pairs(self) -> dict[str, str]:
        """The arguments of ENV and LABEL as `name=value`."""
        split = [word.partition("=") for word in self.words]
        return {name: value for name, _, value in split}


@dataclass(frozen=True)
class Stage:
    """What stands from one FROM to the next."""

    base: str
    name: str
    instructions: tuple[Instruction, ...]

    def of(self, word: str) -> list[Instruction]:
        """The instructions with this word."""
        return [instruction for instruction in self.instructions if instruction.word == word]


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions of a file, without comments; raises ValueError where the last line continues into nothing."""
    joined, begun = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        begun = begun if joined else number
        joined += line.strip().removesuffix("\\")
        if line.rstrip().endswith("\\"):
            continue
        word, _, rest = joined.partition(" ")
        yield Instruction(word.upper(), rest.strip(), begun)
        joined = ""
    if joined:
        raise ValueError("the last line ends with a backslash")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`text` with each `${NAME}` replaced; one that is not set becomes empty."""
    return _VARIABLE.sub(lambda found: variables.get(found.group(1), ""), text)


def stages(text: str) -> list[Stage]:
    """The stages of a file. An ARG before the first FROM may be used in a FROM."""
    before: dict[str, str] = {}
    found: list[tuple[str, str, list[Instruction]]] = []
    for instruction in instructions(text):
        if instruction.word == "FROM":
            base, *name = expand(instruction.text, before).split()
            found.append((base, name[-1] if name else "", []))
        elif found:
            found[-1][2].append(instruction)
        else:
            before |= instruction.pairs
    return [Stage(base, name, tuple(inside)) for base, name, inside in found]
