"""What `pedalflow trace` does: finds what an id names and prints why it is so and everything it is tied to."""

from __future__ import annotations

import json
import sys

from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.quiet import silence
from pedalflow.workspace import Workspace


def main(argv: list[str]) -> int:
    """Run `pedalflow trace` with the given arguments; returns the exit code."""
    arguments = options.parse("trace", argv)
    silence(verbose=arguments.verbose)
    from triggers.looking import looking
    from triggers.trace import trace
    from triggers.tracing.graph import as_json
    from triggers.tracing.readers import NothingKept, workspace_readers
    from triggers.tracing.text import as_text

    workspace = Workspace(arguments.workspace)
    with looking(workspace, arguments.database) as store:
        found = trace(arguments.id, workspace_readers(workspace, store or NothingKept()))
    print(json.dumps(as_json(found), indent=2) if arguments.json else as_text(found))
    return 0


if __name__ == "__main__":
    sys.exit(outermost(main))
