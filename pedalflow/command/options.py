"""The options of every subcommand: the front door shows and checks them, the runtime's module reads them.

The table names the file and the function that declare those of each subcommand.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from pedalflow.command import (
    options_data,
    options_kubeflow,
    options_pipelines,
    options_rollout,
    options_serving,
    options_triggers,
    table,
)
from pedalflow.command.options_common import add_common

ROOT = Path(__file__).resolve().parents[2]


def _nothing(parser: argparse.ArgumentParser) -> None:
    """For subcommands that have no options of their own."""


_OPTIONS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "data": options_data.data,
    "train": options_pipelines.train,
    "promote": options_pipelines.promote,
    "loop": options_pipelines.loop,
    "compile": options_kubeflow.compile,
    "rehearse": options_kubeflow.rehearse,
    "deploy": options_kubeflow.deploy,
    "submit": options_kubeflow.submit,
    "evaluate": options_pipelines.evaluate,
    "serve": options_serving.serve,
    "rollout": options_rollout.rollout,
    "replay": options_serving.replay,
    "predict": options_serving.predict,
    "wheel": options_serving.wheel,
    "detectors": options_serving.detectors,
    "collected": options_serving.collected,
    "triggers": options_triggers.triggers,
    "trace": options_triggers.trace,
    "notebook": options_pipelines.notebook,
    "status": _nothing,
    "doctor": _nothing,
}


def parser(name: str) -> argparse.ArgumentParser:
    """The parser of one subcommand; KeyError if there is none of this name."""
    entry = table.command(name)
    made = argparse.ArgumentParser(
        prog=f"pedalflow {name}",
        description=entry.description,
        epilog=f"example: {entry.example}",
        allow_abbrev=False,
    )
    add_common(made)
    _OPTIONS[name](made)
    return made


def parse(name: str, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the options of one subcommand. `workspace` (a Path), `verbose` and `json` are always there.

    A usage error prints what is wrong and exits with 2, as argparse does.
    """
    arguments = parser(name).parse_args(argv)
    for option, default in (("workspace", ROOT), ("verbose", False), ("json", False)):
        if not hasattr(arguments, option):
            setattr(arguments, option, default)
    return arguments
