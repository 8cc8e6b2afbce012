"""The outermost layer of every process: errors become one plain sentence and an exit code."""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pedalflow.command import exits, options, options_common
from pedalflow.errors import PedalflowError


def _common(argv: Sequence[str]) -> argparse.Namespace:
    """`workspace` and `verbose` out of arguments whose other options this layer does not know."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    options_common.add_common(parser)
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


def _reader_is_gone(stream: TextIO) -> bool:
    """Whether `stream` is a pipe or socket that nobody reads any more; False for what is no file of the system."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return False
    watch = select.poll()
    watch.register(number, 0)  # errors are reported unasked
    return any(event & select.POLLERR for _, event in watch.poll(0))


def _let_go_of_closed_output() -> bool:
    """Points standard streams that nobody reads to /dev/null, so that the interpreter's last flush does not fail.

    This is the recipe of Python's documentation of SIGPIPE. Returns whether there was one; a broken pipe that
    is none of them is an error like others.
    """
    gone = [stream for stream in (sys.stdout, sys.stderr) if _reader_is_gone(stream)]
    for stream in gone:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    return bool(gone)


def outermost(main: Callable[[list[str]], int], argv: Sequence[str] | None = None) -> int:
    """Calls `main` with the command line and returns the exit code of what came of it.

    A PedalflowError is said in its own sentence; any other error in a short one that names the log file with the traceback;
    with --verbose the traceback is printed as well. Where the reader of the output went away (`| head`) it says nothing.
    Heavy imports belong inside `main`, so that Ctrl-C during them is handled here too.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    code = exits.OK.code
    try:
        try:
            code = _answer(main, arguments)
        finally:  # after argparse's exit too, which has just printed the help
            sys.stdout.flush()
    except BrokenPipeError:
        if not _let_go_of_closed_output():
            raise
        return code or exits.OUTPUT_CLOSED.code
    return code


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """SIGTERM, which a cluster or a service manager sends, cleans up as Ctrl-C does. Python allows that on the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _answer(main: Callable[[list[str]], int], arguments: list[str]) -> int:
    common = _common(arguments)
    try:
        with _termination_as_interrupt():
            return main(arguments)
    except KeyboardInterrupt:
        print(
            "\npedalflow: stopped by Ctrl-C or SIGTERM; the same command takes up where this one ended",
            file=sys.stderr,
        )
        return exits.INTERRUPTED.code
    except Exception as error:
        if isinstance(error, BrokenPipeError) and any(map(_reader_is_gone, (sys.stdout, sys.stderr))):
            raise
        if common.verbose:
            traceback.print_exc()
        if isinstance(error, PedalflowError):
            print(f"pedalflow: {error}", file=sys.stderr)
        else:
            _say_unexpected(error, common.workspace)
        return exits.code_for(error)
