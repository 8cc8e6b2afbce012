"""Every command of the workflows is one that exists: `pedalflow` reads the lines, `make` knows the targets."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from pedalflow.command import main, options
from tests.samples.workflow_files import ACTIONS, CLOUD_BUILDS, ROOT, WORKFLOWS, commands_of, read

FILES = [*WORKFLOWS, *ACTIONS, *CLOUD_BUILDS]
# What the variables of the steps may hold.
VALUES = {
    "CHECKSUM": "a" * 64,
    "PROMETHEUS": "http://prometheus.example.org:9090",
    "RELEASE": "r-0123456789ab",
    "RELEASES": "gs://bucket/releases",
    "REGISTRY": "https://mlflow.example.org",
    "KFP_HOST": "https://kubeflow.example.org/pipeline",
    "EVENTS_URL": "http://triggers.example.org/events/cloudevents",
}
PEDALFLOW = ".venv/pipelines/bin/pedalflow"
ENDS = set("|<>&;()")


def lines() -> Iterator[tuple[str, str]]:
    for path in FILES:
        for command in commands_of(read(path.read_text(encoding="utf-8"))):
            yield path.name, command


def filled(command: str) -> str:
    """The command with its variables filled in, as a shell would."""
    with_defaults = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", command)
    return re.sub(r"\$(\w+)", lambda found: VALUES.get(found.group(1).lstrip("_"), "value"), with_defaults)


def pedalflow_words(command: str) -> list[str] | None:
    """What follows `pedalflow` in a command, up to the next pipe; None where it is not called."""
    reading = shlex.shlex(filled(command), posix=True, punctuation_chars=True)
    reading.whitespace_split = True
    words = list(reading)
    if PEDALFLOW not in words:
        return None
    after = words[words.index(PEDALFLOW) + 1 :]
    end = next((number for number, word in enumerate(after) if set(word) <= ENDS), len(after))
    return [*after[:end], *(["FILE"] if "xargs" in words else [])]


CALLS = [(name, words) for name, command in lines() if (words := pedalflow_words(command)) is not None]
TARGETS = sorted({command.split()[1] for _, command in lines() if command.startswith("make ")})


def parse(words: list[str]) -> None:
    front = main.front_parser().parse_args(words)
    options.parse(front.command, front.rest)


@pytest.mark.parametrize(
    ("name", "words"), CALLS, ids=[f"{name}: {' '.join(words)[:60]}" for name, words in CALLS]
)
def test_pedalflow_takes_every_line(name: str, words: list[str]) -> None:
    parse(words)


def test_a_misspelt_option_would_be_found() -> None:
    words = pedalflow_words('.venv/pipelines/bin/pedalflow submit --spans-url "$SPANS" --wait | tee log')
    assert words == ["submit", "--spans-url", "value", "--wait"]
    with pytest.raises(SystemExit):
        parse(words)


@pytest.mark.parametrize("target", TARGETS)
def test_make_has_every_target(target: str) -> None:
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", rules, re.MULTILINE), f"the Makefile has no target {target}"
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_commands_that_are_neither_make_nor_pedalflow_are_few_and_known() -> None:
    others = {command.split()[0] for _, command in lines() if PEDALFLOW not in command}
    assert others <= {
        "make",
        "kubectl",
        "gcloud",
        "curl",
        "printf",
        ".venv/pipelines/bin/dvc",
        ".venv/pipelines/bin/python",
    }
