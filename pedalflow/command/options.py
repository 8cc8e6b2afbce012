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
    parser.add_argument(
        "--no-serve", action="store_true", help="end with the training; do not serve the champion"
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


def _port(text: str) -> int:
    """A port that a block of forty fits above; argparse turns the error into a usage error."""
    if not text.isdecimal() or not 1024 <= int(text) <= 65000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port between 1024 and 65000")
    return int(text)


def _positive(text: str) -> int:
    """A whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _seconds(text: str) -> float:
    """A positive number of seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def _release(parser: argparse.ArgumentParser) -> None:
    """The release that a serving command works with."""
    parser.add_argument(
        "--release",
        type=_folder,
        metavar="PATH",
        help="a release's folder, or a file that points to one (default: the workspace's champion)",
    )


def _serve(parser: argparse.ArgumentParser) -> None:
    _release(parser)
    parser.add_argument(
        "--port",
        type=_port,
        default=9000,
        metavar="N",
        help="first port of the block of forty (default: 9000)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    parser.add_argument(
        "--workers", type=_positive, default=1, metavar="N", help="processes of the predictor (default: 1)"
    )
    parser.add_argument(
        "--private-fields",
        default="",
        metavar="A,B",
        help="fields of a request that are written to no log and collected by nobody",
    )
    parser.add_argument(
        "--seconds", type=_seconds, metavar="S", help="stop after S seconds (default: serve until stopped)"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=("explainer", "outliers", "events"),
        help="leave this part out; may be given several times",
    )
    parser.add_argument(
        "--log-level",
        default="warning",
        choices=("debug", "info", "warning", "error"),
        help="what the logs hold",
    )


def _replay(parser: argparse.ArgumentParser) -> None:
    _release(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--span", type=span_number, metavar="N", help="send a span that has arrived")
    source.add_argument(
        "--file", type=Path, metavar="FILE", help="send a CSV with the features and the label"
    )
    parser.add_argument("--title", metavar="TEXT", help="what these hours are, for the report")
    parser.add_argument(
        "--stuck",
        metavar="COLUMN",
        help="send the last whole window with this number stuck, to see what the detectors say",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=9500,
        metavar="N",
        help="first port for the servers it starts (default: 9500)",
    )
    parser.add_argument("--into", type=Path, metavar="FILE", help="write everything that came back as JSON")


def _predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input", type=Path, required=True, metavar="FILE", help=".csv or .parquet, with a header"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".csv or .parquet")
    _release(parser)
    parser.add_argument(
        "--batch-rows", type=_positive, default=8192, metavar="N", help="rows at a time (default: 8192)"
    )
    parser.add_argument(
        "--on-error",
        choices=("refuse", "skip"),
        default="refuse",
        help="a bad row stops the command, or goes to OUTPUT.refused.csv (default: refuse)",
    )
    parser.add_argument("--reasons", action="store_true", help="add why a row is an outlier")


def _wheel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the wheel goes")
    _release(parser)
    parser.add_argument("--name", metavar="NAME", help="name of the package (default: after the use case)")


def _detectors(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="print what the release's detectors hold", allow_abbrev=False)
    export = actions.add_parser("export", help="write alibi-detect's own saved form", allow_abbrev=False)
    export.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the detectors go")
    export.add_argument(
        "--date",
        metavar="YYYY-MM-DD",
        help="the day around which the season lies (default: the newest in training)",
    )
    for action in (show, export):
        _release(action)
        add_common(action)


def _collected(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help=".csv or .parquet: may retrain"
    )
    parser.add_argument("--kept-out", type=Path, metavar="FILE", help="the rows that may not, and why")
    _release(parser)
    parser.add_argument(
        "--state",
        type=_folder,
        metavar="DIR",
        help="state of the event services, with collected/ in it (default: the workspace's)",
    )
    parser.add_argument(
        "--log", type=_folder, metavar="DIR", help="request log of a predictor that keeps its own"
    )


def _nothing(parser: argparse.ArgumentParser) -> None:
    """For subcommands that have no options of their own."""


_OPTIONS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "data": _data,
    "train": _train,
    "loop": _loop,
    "evaluate": _evaluate,
    "serve": _serve,
    "replay": _replay,
    "predict": _predict,
    "wheel": _wheel,
    "detectors": _detectors,
    "collected": _collected,
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
