"""What `pedalflow data list | arrive | prepare | quarantine` does. Errors go up to the front door."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.quiet import silence
from pedalflow.spans import Span
from pedalflow.workspace import Workspace
from pipelines.arrivals import door, quarantine
from pipelines.arrivals.taking_in import ALREADY_KNOWN
from pipelines.arrivals.violations import BatchRefused


def main(argv: list[str]) -> int:
    """Run one data command, for example `["--workspace", "run", "list"]`; returns the exit code."""
    arguments = options.parse("data", argv)
    silence(verbose=arguments.verbose)
    return _ACTIONS[arguments.action](arguments, Workspace(arguments.workspace))


def _list(arguments: argparse.Namespace, workspace: Workspace) -> int:
    _show_spans(door.list_spans(workspace), arguments.json)
    return 0


def _arrive(arguments: argparse.Namespace, workspace: Workspace) -> int:
    try:
        span = door.arrive(workspace, arguments.file, _say, arguments.span)
    except BatchRefused as refused:
        already = refused.report.broken[0].rule == ALREADY_KNOWN
        if arguments.json:
            folder = str(refused.quarantined) if refused.quarantined else None
            print(
                json.dumps(
                    {
                        "accepted": False,
                        "already_there": already,
                        "quarantine": folder,
                        "report": refused.report.to_dict(),
                    },
                    indent=2,
                )
            )
        if already:  # who delivers twice has done nothing wrong
            _say(str(refused))
            return 0
        raise
    if arguments.json:
        print(json.dumps({"accepted": True, "span": asdict(span)}, indent=2))
    else:
        _show_spans([span], as_json=False)
    return 0


def _prepare(arguments: argparse.Namespace, workspace: Workspace) -> int:
    until = arguments.until_span or (None if door.list_spans(workspace) else 1)
    _show_spans(door.prepare(workspace, until, _say), arguments.json)
    return 0


def _quarantine(arguments: argparse.Namespace, workspace: Workspace) -> int:
    refused = quarantine.list_quarantine(workspace)
    if arguments.json:
        print(json.dumps([asdict(item) for item in refused], indent=2))
        return 0
    for item in refused:
        rules = ", ".join(f"{rule} ({count})" for rule, count in item.rules.items())
        print(
            f"{item.arrived}  {item.file}\n  rules broken: {rules}\n  first: {item.first}\n  see: {item.folder}/report.txt"
        )
    if not refused:
        print("No file was refused.")
    return 0


_ACTIONS = {"list": _list, "arrive": _arrive, "prepare": _prepare, "quarantine": _quarantine}


def _show_spans(spans: Sequence[Span], as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(span) for span in spans], indent=2))
        return
    if not spans:
        print("No span has arrived; `pedalflow data prepare --until-span 1` brings in the first.")
        return
    print(f"{'span':>4}  {'rows':>6}  {'first':10}  {'last':10}  {'md5':32}  state")
    for span in spans:
        print(
            f"{span.number:>4}  {span.rows:>6}  {span.first:10}  {span.last:10}  {span.md5:32}  {span.state.value}"
        )


def _say(message: str) -> None:
    """Progress goes to stderr, so that stdout stays readable by scripts."""
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(outermost(main))
