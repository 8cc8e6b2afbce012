"""The options of `pedalflow data`."""

from __future__ import annotations

import argparse
from pathlib import Path

from pedalflow.command.option_values import span_number
from pedalflow.command.options_common import add_common


def data(parser: argparse.ArgumentParser) -> None:
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
