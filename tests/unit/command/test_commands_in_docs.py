"""Every command that the docs show is one that there is: its own options parse it, the Makefile has the target, the module exists.

That they work is shown where they are executed, in `tests/integration/docs/`.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest

from pedalflow.command import main, options, table
from tests.samples.docs_blocks import NO_COMMANDS, PAGES, ROOT, SCRIPTS, blocks, inline

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
ROOMS = ("bench", "bikeshare", "serving", "triggers", "pipelines", "tools")
LANGUAGES = {*SCRIPTS, *NO_COMMANDS, "python"}
BLOCKS = [block for page in PAGES for block in blocks(page)]


def commands(script: str) -> Iterator[list[str]]:
    """The words of its simple commands, each part of a list or a pipe for itself, without the variables before it."""
    for line in script.replace("\\\n", " ").splitlines():
        bare = re.sub(r"(^|\s)#.*$", "", line)
        for part in re.split(r"&&|\|\|?|;|(?<=\s)>+|&$", bare):
            try:
                words = shlex.split(part)
            except ValueError:  # a part of a text in quotes
                continue
            yield words[sum(bool(re.fullmatch(r"[A-Z_]+=.*", word)) for word in words) :]


def shown(*programs: str) -> list[tuple[str, list[str]]]:
    return [
        (str(block), words[1:])
        for block in BLOCKS
        for words in commands(block.script)
        if len(words) > 1 and words[0].rpartition("/")[2] in programs
    ]


def _set(word: str) -> str:
    """A variable of the shell holds something: an address fits wherever text does."""
    return re.sub(r"\$\w+", "http://127.0.0.1:9000/there", word)


# A word of dots stands for options that are left out.
PEDALFLOW = [
    (place, [_set(word) for word in words if word != "…"])
    for place, words in shown("pedalflow")
    if "--help" not in words
]


@pytest.mark.parametrize(("place", "words"), PEDALFLOW, ids=lambda value: " ".join(value)[:70])
def test_a_command_in_the_docs_is_one_that_parses(place: str, words: list[str]) -> None:
    front = main.front_parser().parse_args(words)
    parsed = options.parse(front.command, ["--workspace", "/workspace", *front.rest])
    assert parsed is not None


def test_there_are_many_of_them() -> None:
    named = {words[0] for _, words in PEDALFLOW}
    assert len(PEDALFLOW) > 60
    assert len(named & {entry.name for entry in table.COMMANDS}) > 15


def test_a_block_says_whether_it_holds_commands() -> None:
    """Only what is marked as commands is executed, so nothing may be unmarked."""
    known = ", ".join(sorted(LANGUAGES))
    unmarked = [f"{block}: ```{block.language}" for block in BLOCKS if block.language not in LANGUAGES]
    assert unmarked == [], f"mark each as one of {known}: sh and console are executed"


def test_no_command_hides_in_a_block_of_text() -> None:
    """A synopsis and a picture are none: they have brackets and arrows that no shell would take."""
    programs = {words[0] for block in BLOCKS for words in commands(block.script) if words}
    hidden = [
        f"{block}: {line}"
        for block in BLOCKS
        if block.language == "text"
        for line in block.text.splitlines()
        if line.startswith("$ ") or (line.split()[:1] and line.split()[0] in programs)
        if not re.search(r"[─▶\[]", line)
    ]
    assert hidden == []


def test_the_targets_that_the_docs_name_exist() -> None:
    named = {
        (place, word)
        for place, words in [*shown("make"), *((place, text.split()[1:]) for place, text in inline("make "))]
        for word in words[:1]
        if re.fullmatch(r"[a-z-]+", word)
    }
    assert len(named) > 30
    assert {one for one in named if one[1] not in TARGETS} == set()


def test_the_modules_that_the_docs_name_exist() -> None:
    found = [*shown("python"), *((place, text.split()[1:]) for place, text in inline("python "))]
    modules = {(place, words[1]) for place, words in found if words[0] == "-m" and _ours(words[1])}
    assert len(modules) > 10
    missing = [one for one in modules if not _is_module(one[1])]
    assert missing == []


def test_the_options_that_the_text_names_exist() -> None:
    """`pedalflow data arrive FILE [--span N]`: the command, and each of its options."""
    wrong = []
    for place, text in inline("pedalflow "):
        words = text.replace("[", "").replace("]", "").split()[1:]
        while words and words[0].startswith("--"):
            words = words[2 if words[0] == "--workspace" else 1 :]
        if words and re.fullmatch(r"[a-z]+", words[0]):
            known = _options_of(words[0])
            wrong += [
                f"{place}: {text}"
                for word in words
                if word.startswith("--") and word.split("=")[0] not in known
            ]
    assert wrong == []


@pytest.mark.parametrize("entry", table.COMMANDS, ids=lambda entry: entry.name)
def test_the_options_that_a_description_names_exist(entry: table.Command) -> None:
    named = set(re.findall(r"--[a-z][a-z-]+", f"{entry.description} {entry.example}"))
    assert named <= _options_of(entry.name)


def _options_of(name: str) -> set[str]:
    """All options of a subcommand and of its actions; KeyError where there is none of this name."""
    return set(_all_options(options.parser(name)))


def _all_options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _all_options(inner)


def _ours(module: str) -> bool:
    return module.split(".")[0] in ROOMS


def _is_module(name: str) -> bool:
    place = ROOT / name.replace(".", "/")
    return place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()
