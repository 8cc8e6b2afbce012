"""The options of the commands that train, judge and show: train, promote, loop, evaluate, notebook."""

from __future__ import annotations

import argparse
from pathlib import Path

from pedalflow.command.option_values import folder, port, rate, span_number


def train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--until-span",
        type=span_number,
        metavar="N",
        help="train on spans 1 to N (default: all that have arrived)",
    )
    parser.add_argument(
        "--take-in",
        action="append",
        type=folder,
        default=[],
        metavar="FILE",
        help="let this file arrive first, as `data arrive` does; may be given several times",
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


def promote(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("release", metavar="RELEASE", help="name of a release that is registered, r-…")


def loop(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--quick",
        action="store_true",
        help="two months and a small network instead of a year: the whole story in under two minutes",
    )
    parser.add_argument(
        "--speed",
        type=rate,
        metavar="N",
        help="replay at most N hours of the data a second (default: as fast as it goes)",
    )
    parser.add_argument(
        "--port",
        type=port,
        default=9000,
        metavar="N",
        help="first port of the servers' block of forty; the triggers listen 100 above it (default: 9000)",
    )
    parser.add_argument(
        "--until-span",
        type=span_number,
        metavar="N",
        help="without the triggers: spans up to N arrive, the model retrains once and serves the month after them",
    )
    parser.add_argument(
        "--no-serve",
        action="store_true",
        help="without triggers and servers: end with that training (--until-span is 4 unless given)",
    )


def evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN.JSON", help="what `pedalflow --json train` printed")
    parser.add_argument(
        "--into",
        type=Path,
        default=Path("metrics"),
        metavar="DIR",
        help="where the files go (default: metrics)",
    )


def notebook(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        type=port,
        default=8888,
        metavar="N",
        help="port of JupyterLab, or the next free one (default: 8888)",
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address and open no browser")
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="replace your copies by the notebooks as they come with the project",
    )
