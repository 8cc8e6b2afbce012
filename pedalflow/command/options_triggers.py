"""The options of the retraining service's commands: triggers, trace."""

from __future__ import annotations

import argparse

from pedalflow.command.option_values import folder, reason
from pedalflow.command.options_common import add_common


def triggers(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    serve = actions.add_parser("serve", help="run the service until it is stopped", allow_abbrev=False)
    serve.add_argument(
        "--port",
        type=_listening_port,
        metavar="N",
        help="port to listen on (default: 9100; 0 takes a free one)",
    )
    serve.add_argument("--host", help="address to listen on (default: 127.0.0.1, this machine only)")
    serve.add_argument(
        "--log-level",
        default="info",
        choices=("debug", "info", "warning", "error"),
        help="what is logged to the standard error (default: info)",
    )
    fire = actions.add_parser(
        "fire", help="ask the running service for a retraining, and show what it decides", allow_abbrev=False
    )
    pause = actions.add_parser(
        "pause",
        help="let no run start until somebody resumes",
        description="Lets no run start until `pedalflow triggers resume`: events are still taken and decided, runs wait, "
        "and a run at work goes on to its end.",
        allow_abbrev=False,
    )
    resume = actions.add_parser(
        "resume",
        help="let runs start again",
        description="Ends a pause: runs that wait are judged again, and those whose reasons still hold start.",
        allow_abbrev=False,
    )
    for action in (fire, pause, resume):
        _add_wish(action)
    fire.add_argument("--wait", action="store_true", help="wait until the run is over, and show how it goes")
    policy = actions.add_parser(
        "policy", help="print the policy with the numbers that are in force", allow_abbrev=False
    )
    for action in (serve, policy):
        action.add_argument(
            "--settings",
            type=folder,
            metavar="FILE",
            help="YAML file with settings, below the environment's",
        )
    for action in (serve, fire, pause, resume, policy):
        add_common(action)


def _add_wish(parser: argparse.ArgumentParser) -> None:
    """The options of what a person asks of a running service."""
    parser.add_argument("--reason", type=reason, required=True, metavar="TEXT", help="why, in a sentence")
    parser.add_argument(
        "--address", metavar="URL", help="a service elsewhere (default: the one that runs in the workspace)"
    )
    parser.add_argument(
        "--token-file",
        type=folder,
        metavar="FILE",
        help="file with the token of people (default: the workspace's)",
    )


def trace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id",
        metavar="ID",
        help="a request id, a run (q-…), an event (e-…), a release (r-…), a training (span-04-…), a span (span-04), a commit; "
        "or the beginning of one",
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="database of events, as SQLAlchemy names it (default: $PEDALFLOW_TRIGGERS_DATABASE, else the workspace's)",
    )


def _listening_port(text: str) -> int:
    """A port to listen on, 0 for a free one; argparse turns the error into a usage error."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port between 0 and 65535")
    return int(text)
