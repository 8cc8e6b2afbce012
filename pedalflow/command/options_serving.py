"""The options of the commands that serve a release or work with a served one: serve, replay, predict, wheel, detectors, collected."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

from pedalflow.command.option_values import events_address, folder, port, positive, seconds, span_number
from pedalflow.command.options_common import add_common


def _release(parser: argparse.ArgumentParser) -> None:
    """The release that a serving command works with."""
    parser.add_argument(
        "--release",
        type=folder,
        metavar="PATH",
        help="a release's folder, or a file that points to one (default: the workspace's champion)",
    )


def serve(parser: argparse.ArgumentParser) -> None:
    _release(parser)
    parser.add_argument(
        "--port",
        type=port,
        default=9000,
        metavar="N",
        help="first port of the block of forty (default: 9000)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    parser.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="processes of the predictor (default: 1)"
    )
    parser.add_argument(
        "--private-fields",
        default="",
        metavar="A,B",
        help="fields of a request that are written to no log and collected by nobody",
    )
    parser.add_argument(
        "--seconds", type=seconds, metavar="S", help="stop after S seconds (default: serve until stopped)"
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
    parser.add_argument(
        "--canary",
        action="store_true",
        help="a second predictor stands ready, to which `pedalflow rollout` gives a release on trial",
    )
    parser.add_argument(
        "--broker",
        type=events_address,
        metavar="URL",
        help="post the detectors' events there, such as the triggers service (default: they are kept for /events)",
    )
    parser.add_argument(
        "--broker-token-file",
        type=folder,
        metavar="FILE",
        help="file with the bearer token that the broker wants; read again for every event",
    )


def replay(parser: argparse.ArgumentParser) -> None:
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
        type=port,
        default=9500,
        metavar="N",
        help="first port for the servers it starts (default: 9500)",
    )
    parser.add_argument("--into", type=Path, metavar="FILE", help="write everything that came back as JSON")


def predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input", type=Path, required=True, metavar="FILE", help=".csv or .parquet, with a header"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".csv or .parquet")
    _release(parser)
    parser.add_argument(
        "--batch-rows", type=positive, default=8192, metavar="N", help="rows at a time (default: 8192)"
    )
    parser.add_argument(
        "--on-error",
        choices=("refuse", "skip"),
        default="refuse",
        help="a bad row stops the command, or goes to OUTPUT.refused.csv (default: refuse)",
    )
    parser.add_argument("--reasons", action="store_true", help="add why a row is an outlier")


def wheel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the wheel goes")
    _release(parser)
    parser.add_argument("--name", metavar="NAME", help="name of the package (default: after the use case)")


def detectors(parser: argparse.ArgumentParser) -> None:
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


def collected(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help=".csv or .parquet: may retrain"
    )
    parser.add_argument("--kept-out", type=Path, metavar="FILE", help="the rows that may not, and why")
    parser.add_argument(
        "--arrival",
        action="store_true",
        help="write what `data arrive` takes: features and label, in order of time, an hour once",
    )
    for name, which in (("--first", "first"), ("--last", "last")):
        parser.add_argument(
            name, type=_day, metavar="YYYY-MM-DD", help=f"with --arrival: the {which} day of it"
        )
    _release(parser)
    parser.add_argument(
        "--state",
        type=folder,
        metavar="DIR",
        help="state of the event services, with collected/ in it (default: the workspace's)",
    )
    parser.add_argument(
        "--log", type=folder, metavar="DIR", help="request log of a predictor that keeps its own"
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 2012-02-01") from error
