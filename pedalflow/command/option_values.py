"""The kinds of value that options of several subcommands take; argparse turns each error into a usage error."""

from __future__ import annotations

import argparse
from pathlib import Path
from urllib.parse import urlsplit


def span_number(text: str) -> int:
    """A span's number, 1 or more; argparse turns the ValueError's sentence into a usage error."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span number; spans are numbered 1, 2, 3, …")
    return int(text)


def folder(text: str) -> Path:
    return Path(text).expanduser().resolve()


def port(text: str) -> int:
    """A port that a block of forty fits above; argparse turns the error into a usage error."""
    if not text.isdecimal() or not 1024 <= int(text) <= 65000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port between 1024 and 65000")
    return int(text)


def positive(text: str) -> int:
    """A whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def seconds(text: str) -> float:
    """A positive number of seconds."""
    return _above_zero(text, "number of seconds")


def rate(text: str) -> float:
    """A number above 0."""
    return _above_zero(text, "number")


def _above_zero(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no {what} above 0")
    return value


def reason(text: str) -> str:
    """A reason that says something."""
    if not text.strip() or len(text) > 500:
        raise argparse.ArgumentTypeError("a reason has 1 to 500 characters")
    return text


def events_address(text: str) -> str:
    """An address without credentials, which every user of the machine could read in the list of processes."""
    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        right = False
    if not right or "@" in parts.netloc:
        raise argparse.ArgumentTypeError(
            "it is no address such as http://127.0.0.1:9100/events/cloudevents, without a user or password"
        )
    return text


def nowhere_or_events_address(text: str) -> str:
    """The same, or an empty text."""
    return events_address(text) if text else ""
