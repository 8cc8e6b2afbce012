"""Keeping other people's libraries from talking to our users, while our own messages, warnings and all errors get through.

The front door sets environment variables for what C++ code reads when it is loaded (`pedalflow.command.runtimes`); this is
the part inside the process. `--verbose` switches all of it off.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import sysconfig
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

OUR_PACKAGES = ("pedalflow", "bikeshare", "components", "pipelines", "serving", "triggers")
_AGAIN_AFTER_S = 0.05  # long enough for the `__del__` to end
# Advice to programmers; the tests show it, a user can do nothing about it.
FOR_PROGRAMMERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)


def _library_folders() -> tuple[Path, ...]:
    """Where the interpreter keeps code that is not ours."""
    return tuple({Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")})


def is_ours(filename: str, libraries: tuple[Path, ...]) -> bool:
    """True if code in `filename` belongs to this project, which may itself be installed among the libraries."""
    if filename.startswith("<"):  # made at run time, or frozen into the interpreter
        return False
    path = Path(filename).resolve()
    for folder in libraries:
        if path.is_relative_to(folder):
            inside = path.relative_to(folder).parts
            return inside[0] in OUR_PACKAGES or (inside[0] == "site-packages" and inside[1] in OUR_PACKAGES)
    return True


def _hide_third_party_warnings() -> None:
    """Judges warnings where they are shown and not by filters, because libraries change the filters when imported."""
    libraries = _library_folders()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if is_ours(filename, libraries) and not issubclass(category, FOR_PROGRAMMERS):
            print(f"pedalflow: warning: {message}", file=file or sys.stderr)

    warnings.showwarning = show


class _OursOrError(logging.Filter):
    """Lets our records pass, and of others only errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.name.split(".")[0] in OUR_PACKAGES or record.levelno >= logging.ERROR


class _Plain(logging.Formatter):
    """Our messages as they are, warnings and errors with their level; others' errors with the library's name."""

    def format(self, record: logging.LogRecord) -> str:
        said = super().format(record)
        ours = record.name.split(".")[0] in OUR_PACKAGES
        if ours and record.levelno < logging.WARNING:
            return said
        return f"{'pedalflow' if ours else record.name}: {record.levelname.lower()}: {said}"


def _plain_logging() -> None:
    """One handler on the root, with a filter on the handler: levels of single loggers are set by libraries at will."""
    handler = logging.StreamHandler()
    handler.addFilter(_OursOrError())
    handler.setFormatter(_Plain())
    logging.getLogger().handlers = [handler]
    for package in OUR_PACKAGES:
        logging.getLogger(package).setLevel(logging.INFO)


def _hide_atomic_function_tracebacks() -> None:
    """TensorFlow 2.16 frees its functions after the module that holds their context is gone, and Python prints that.

    Only `AtomicFunction.__del__` is let go; whatever else cannot be raised is shown as before.
    """
    shown_before = sys.unraisablehook

    def hook(unraisable: UnraisableHookArgs) -> None:
        if getattr(unraisable.object, "__qualname__", "") != "AtomicFunction.__del__":
            shown_before(unraisable)

    sys.unraisablehook = hook


def _send_lost_interrupts_again() -> None:
    """Ctrl-C that arrives while a library's `__del__` runs cannot be raised there, and Python forgets it: send it once more."""
    shown_before = sys.unraisablehook

    def hook(unraisable: UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            again = threading.Timer(_AGAIN_AFTER_S, os.kill, (os.getpid(), signal.SIGINT))
            again.daemon = True
            again.start()
        else:
            shown_before(unraisable)

    sys.unraisablehook = hook


def silence(verbose: bool | None = None) -> None:
    """Quietens third-party code in this process. Call it before importing any of it.

    Without an argument it looks for `--verbose` on the command line; then everything is shown, and this only sets up logging.
    """
    if "--verbose" in sys.argv if verbose is None else verbose:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
        _send_lost_interrupts_again()
        return
    _hide_third_party_warnings()
    _plain_logging()
    _hide_atomic_function_tracebacks()
    _send_lost_interrupts_again()
