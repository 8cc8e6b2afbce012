"""The options that every subcommand understands."""

from __future__ import annotations

import argparse

from pedalflow.command.option_values import folder


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options that every subcommand understands, before its name and after it."""
    parser.add_argument(
        "--workspace",
        type=folder,
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
