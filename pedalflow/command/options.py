"""The options of every subcommand, declared once: the front door shows and checks them, the runtime's module reads them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from pedalflow.command import table

ROOT = Path(__file__).resolve().parents[2]


def span_number(text: str) -> int:
    """A span's number, 1 or more; argparse turns the ValueError's sentence into a usage error."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span number; spans are numbered 1, 2, 3, …")
    return int(text)


def _folder(text: str) -> Path:
    return Path(text).expanduser().resolve()


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options that every subcommand understands, before its name and after it."""
    parser.add_argument(
        "--workspace",
        type=_folder,
        default=argparse.SUPPRESS,
        metavar="DIR",
        help="folder with params.yaml, data/ and state/ (else $PEDALFLOW_WORKSPACE, else the repository)",
    )
    parser.add_argument(
        "--verbose",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show everything: logs and warnings of all libraries, and tracebacks",
    )
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON, for scripts"
    )


def _data(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show spans, rows, hashes and their state", allow_abbrev=False)
    arrive = actions.add_parser(
        "arrive", help="check a new batch and take it in as a span", allow_abbrev=False
    )
    arrive.add_argument("file", type=Path, metavar="FILE", help="CSV with the columns of UCI's hour.csv")
    arrive.add_argument(
        "--span", type=span_number, metavar="N", help="number it must get (default: the next one)"
    )
    prepare = actions.add_parser(
        "prepare", help="cut spans out of the raw archive that ships with the project", allow_abbrev=False
    )
    prepare.add_argument(
        "--until-span", type=span_number, metavar="N", help="last span to cut (default: all)"
    )
    quarantine = actions.add_parser(
        "quarantine", help="show refused files and why they were refused", allow_abbrev=False
    )
    for action in (listing, arrive, prepare, quarantine):
        add_common(action)


def _train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--until-span", type=span_number, required=True, metavar="N", help="train on spans 1 to N"
    )
    parser.add_argument(
        "--no-promote", action="store_true", help="register as challenger; leave the champion as it is"
    )
    parser.add_argument(
        "--accept-refusal",
        action="store_true",
        help="exit 0 though a gate refused the model: for experiments",
    )
    parser.add_argument(
        "--tune", action="store_true", help="search hyperparameters first and keep the best in params.yaml"
    )


def _loop(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--until-span", type=span_number, default=4, metavar="N", help="last span to arrive (default: 4)"
    )


def _evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN.JSON", help="what `pedalflow --json train` printed")
    parser.add_argument(
        "--into",
        type=Path,
        default=Path("metrics"),
        metavar="DIR",
        help="where the files go (default: metrics)",
    )


def _nothing(parser: argparse.ArgumentParser) -> None:
    """For subcommands that have no options of their own."""


_OPTIONS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "data": _data,
    "train": _train,
    "loop": _loop,
    "evaluate": _evaluate,
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
