"""The outermost layer of every process: errors become one plain sentence and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from pedalflow.command import exits, options
from pedalflow.errors import PedalflowError


def _common(argv: Sequence[str]) -> argparse.Namespace:
    """`workspace` and `verbose` out of arguments whose other options this layer does not know."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    options.add_common(parser)
    parser.set_defaults(workspace=options.ROOT, verbose=False)
    try:
        return parser.parse_known_args(argv)[0]
    except argparse.ArgumentError:  # the command's own parser says what is wrong
        return argparse.Namespace(workspace=options.ROOT, verbose=False)


def keep_traceback(workspace: Path, error: BaseException) -> Path | None:
    """Writes the traceback under the workspace's state/logs/ and returns the file; None where nothing can be written."""
    folder = workspace / "state" / "logs"
    name = f"error-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return None
    return folder / name


def _say_unexpected(error: Exception, workspace: Path) -> None:
    log = keep_traceback(workspace, error)
    where = f"the traceback is in {log}" if log else "--verbose shows the traceback"
    detail = " ".join(str(error).split())[:300]
    print(f"pedalflow: unexpected {type(error).__name__}: {detail}; {where}", file=sys.stderr)


def outermost(main: Callable[[list[str]], int], argv: Sequence[str] | None = None) -> int:
    """Calls `main` with the command line and returns the exit code of what came of it.

    A PedalflowError is said in its own sentence; any other error in a short one that names the log file with the traceback;
    with --verbose the traceback is printed as well. Heavy imports belong inside `main`, so that Ctrl-C during them is
    handled here too.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    common = _common(arguments)
    try:
        return main(arguments)
    except KeyboardInterrupt:
        print(
            "\npedalflow: stopped by Ctrl-C; the same command takes up where this one ended", file=sys.stderr
        )
        return exits.INTERRUPTED.code
    except Exception as error:
        if common.verbose:
            traceback.print_exc()
        if isinstance(error, PedalflowError):
            print(f"pedalflow: {error}", file=sys.stderr)
        else:
            _say_unexpected(error, common.workspace)
        return exits.code_for(error)
