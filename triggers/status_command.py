"""What the triggers know, printed for `pedalflow status`, which runs this in the triggers' own environment."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from pedalflow.command.outermost import outermost
from pedalflow.quiet import silence
from pedalflow.workspace import Workspace

NOTHING_YET = "Triggers:   no event has come yet; `pedalflow triggers serve` starts the service"


def main(argv: list[str]) -> int:
    """Print the status as text, or as JSON (null where no event has come yet); returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m triggers.status_command", allow_abbrev=False)
    parser.add_argument("--workspace", type=Path, required=True, metavar="DIR", help="the workspace")
    parser.add_argument("--verbose", action="store_true", help="show logs and warnings of all libraries")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--database", metavar="URL", help="database of events (default: the workspace's)")
    arguments = parser.parse_args(argv)
    silence(verbose=arguments.verbose)
    from triggers.looking import looking
    from triggers.status import as_json, as_text, read_status
    from triggers.tracing.readers import champion_of

    workspace = Workspace(arguments.workspace)
    with looking(workspace, arguments.database) as store:
        status = store and read_status(store, workspace, champion_of(workspace), time.time())
    if arguments.json:
        print(json.dumps(status and as_json(status), indent=2))
    else:
        print(as_text(status) if status else NOTHING_YET)
    return 0


if __name__ == "__main__":
    sys.exit(outermost(main))
