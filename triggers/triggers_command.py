"""What `pedalflow triggers` does: serves, sends a person's wishes, or shows the policy."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping

from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.quiet import silence


def main(argv: list[str]) -> int:
    """Run `pedalflow triggers` with the given arguments; returns the exit code."""
    arguments = options.parse("triggers", argv)
    silence(verbose=arguments.verbose)
    return ACTIONS[arguments.action](arguments)


def _serve(arguments: argparse.Namespace) -> int:
    from triggers.serve_command import serve

    return serve(arguments)


def _fire(arguments: argparse.Namespace) -> int:
    from triggers.wish_command import fire

    return fire(arguments)


def _pause_or_resume(arguments: argparse.Namespace) -> int:
    from triggers.wish_command import pause_or_resume

    return pause_or_resume(arguments)


def _policy(arguments: argparse.Namespace) -> int:
    from triggers.policy_table import as_json, as_text
    from triggers.settings import effective_rules, read_settings

    rules = effective_rules(read_settings(arguments.settings))
    print(json.dumps(as_json(rules), indent=2) if arguments.json else as_text(rules))
    return 0


ACTIONS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "serve": _serve,
    "fire": _fire,
    "pause": _pause_or_resume,
    "resume": _pause_or_resume,
    "policy": _policy,
}

if __name__ == "__main__":
    sys.exit(outermost(main))
