"""Calls the command `pedalflow` from a notebook: what it prints is shown, and what it says with `--json` comes back."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

from pedalflow.command import table
from pedalflow.command.runtimes import python_of, surroundings
from pedalflow.errors import EnvironmentMissing, RunFailed
from pedalflow.run_record import RunRecord, from_json
from pedalflow.workspace import Workspace
from pipelines.provenance import REPOSITORY

HOST_VARIABLE = "PEDALFLOW_KFP_HOST"


def train(workspace: Workspace, until_span: int) -> RunRecord:
    """`pedalflow train`: the whole pipeline on spans 1 to `until_span`. A refused model is a result too. Raises RunFailed."""
    return from_json(_call(workspace, "train", "--until-span", str(until_span), "--accept-refusal", "--json"))


def answer(workspace: Workspace, *arguments: str) -> Any:
    """What the command says with `--json`. Raises RunFailed with what it said where it failed."""
    return json.loads(_call(workspace, *arguments, "--json"))


def show(workspace: Workspace, *arguments: str) -> None:
    """Print what the command prints."""
    print(_call(workspace, *arguments).rstrip())


def show_if(workspace: Workspace | None, *arguments: str | None, lines: int) -> None:
    """Print the first lines of what the command prints, folded; nothing where there is no workspace, or nothing to ask about."""
    if workspace is None or None in arguments:
        return
    try:
        print(folded(_call(workspace, *map(str, arguments)), lines))
    except EnvironmentMissing as missing:
        print(missing)


def folded(text: str, lines: int, width: int = 118) -> str:
    """The first lines of a text, each folded below its own beginning; says so where there are more."""
    whole = text.rstrip().splitlines()
    kept = [_fold(line, width) for line in whole[:lines]]
    left = len(whole) - lines
    return "\n".join([*kept, f"… and {left} more lines"] if left > 0 else kept)


def _fold(line: str, width: int) -> str:
    branch = line[: len(line) - len(line.lstrip("│├└─ "))]
    below = "".join("│" if letter in "│├" else " " for letter in branch)
    return textwrap.fill(
        line[len(branch) :],
        width,
        initial_indent=branch,
        subsequent_indent=below + "  ",
        break_on_hyphens=False,
    )


def on_cluster(workspace: Workspace, *arguments: str) -> None:
    """Call the command if a Kubeflow is named in the environment; else say what would have been called."""
    if os.environ.get(HOST_VARIABLE):
        show(workspace, *arguments)
    else:
        line = f"not called, since {HOST_VARIABLE} names no Kubeflow:\n  pedalflow {shlex.join(arguments)}"
        print(without_places(line, _places(workspace)))


def _call(workspace: Workspace, *arguments: str) -> str:
    entry = table.command(arguments[0])
    python = sys.executable if entry.runtime == table.PIPELINES else str(python_of(str(entry.runtime)))
    done = subprocess.run(
        [python, "-m", entry.module, "--workspace", str(workspace.root), *arguments[1:]],
        cwd=REPOSITORY,
        env=surroundings(os.environ, verbose=False),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RunFailed(
            f"pedalflow {arguments[0]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}"
        )
    return without_places(done.stdout, _places(workspace))


def _places(workspace: Workspace) -> dict[str, str]:
    return {str(workspace.root): "WORKSPACE", str(REPOSITORY): "PROJECT"}


def without_places(text: str, names: Mapping[str, str]) -> str:
    """The text with names in place of this machine's folders."""
    for folder, name in names.items():
        text = text.replace(folder, name)
    return text
