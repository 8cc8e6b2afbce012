"""How parsers read what strangers send: JSON that cannot hurt, fields of the type that they must have, and moments in RFC 3339.

Everything here answers with a value or raises `Refused`, whatever the bytes are.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import NoReturn

from triggers.errors import Refused

JSON, FIELD, HEADER, TIME, MANY = "JSON", "FIELD", "HEADER", "TIME", "MANY"

Object = Mapping[str, object]

_MOST_SHOWN = 60
_LARGEST_WHOLE = 2**53  # beyond it JSON readers elsewhere would round
_MOST_DIGITS = 19  # fewer always fit into 64 bits
_YEAR_10000 = 253_402_300_800.0
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def read_json(body: bytes, what: str = "the body") -> object:
    """The value that JSON in UTF-8 stands for. NaN, Infinity and numbers that are too large for a float are refused."""
    try:
        value: object = json.loads(body.decode("utf-8"), parse_constant=_no_number, parse_float=_finite)
    except RecursionError as error:
        raise Refused(JSON, f"{what} is nested too deeply; send JSON with fewer levels") from error
    except ValueError as error:
        why = shown(str(error))
        raise Refused(JSON, f"{what} is no JSON in UTF-8 ({why}); send valid JSON") from error
    return value


def read_object(body: bytes, what: str = "the body") -> Object:
    """The same, where only a JSON object makes sense."""
    return object_of(read_json(body, what), what)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def object_of(value: object, where: str) -> Object:
    """`value`, if it is a JSON object."""
    if not isinstance(value, dict):
        raise Refused(FIELD, f"{where} must be a JSON object, but is {kind_of(value)}")
    return value


def list_of(value: object, where: str) -> list[object]:
    """`value`, if it is a JSON array."""
    if not isinstance(value, list):
        raise Refused(FIELD, f"{where} must be an array, but is {kind_of(value)}")
    return value


def text_of(value: object, where: str) -> str:
    """`value`, if it is a string with something in it."""
    if not isinstance(value, str) or not value.strip():
        raise Refused(FIELD, f"{where} must be a string that is not empty, but is {kind_of(value)}")
    return value


def text_or_nothing(value: object) -> str:
    """`value` if it is a string, else an empty one: for what is good to know but not needed."""
    return value if isinstance(value, str) else ""


def object_or_nothing(value: object) -> Object:
    """`value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_or_nothing(value: object) -> list[object]:
    """`value` if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def number_or_none(value: object) -> float | int | None:
    """`value` if it is a number that can be kept and shown; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) <= _LARGEST_WHOLE else None


def whole_or_none(value: object) -> int | None:
    """A whole number that is not negative, or the text of one, as protobuf's JSON writes 64 bits."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < _MOST_DIGITS:
        return int(value)
    return value if type(value) is int and 0 <= value <= _LARGEST_WHOLE else None


def kind_of(value: object) -> str:
    """What a value is, in JSON's words."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "true or false"}
    if value is None:
        return "missing or null"
    if value == "":
        return "an empty string"
    return names.get(type(value), "a number")


def shown(text: str) -> str:
    """The beginning of a stranger's text as a message may hold it: one line of ASCII."""
    cut = text[:_MOST_SHOWN]
    return ascii(cut)[1:-1] + ("…" if len(text) > len(cut) else "")


def header_of(headers: Mapping[str, str], name: str) -> str:
    """A header that has to be there; `name` in lower case."""
    value = headers.get(name, "").strip()
    if not value:
        raise Refused(HEADER, f"the header {name} is missing; the sender sets it on every delivery")
    return value


def moment_of(value: object, where: str) -> float:
    """A moment in RFC 3339, such as 2012-01-31T12:00:00Z, in seconds since 1970."""
    seconds = _seconds(value) if isinstance(value, str) else None
    if seconds is None:
        found = shown(value) if isinstance(value, str) else kind_of(value)
        raise Refused(
            TIME, f"{where} must be a moment in RFC 3339, such as 2012-01-31T12:00:00Z, but is {found}"
        )
    return seconds


def moment_or_none(value: object, where: str) -> float | None:
    """The same, for what may be missing, null or empty, but not anything else."""
    return None if value is None or value == "" else moment_of(value, where)


def end_of(value: object) -> float | None:
    """When a day is over (the next midnight in UTC), in seconds since 1970; a moment is its own end. None for what is neither."""
    if not isinstance(value, str):
        return None
    if not _DAY.fullmatch(value):
        return _seconds(value)
    try:
        after = date.fromisoformat(value) + timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    return in_time(datetime(after.year, after.month, after.day, tzinfo=timezone.utc).timestamp())


def _seconds(text: str) -> float | None:
    """None for what is no moment, or one before 1970."""
    parts = _MOMENT.fullmatch(text)
    if parts is None:
        return None
    day, clock, fraction, offset = parts.groups()
    offset = "+00:00" if offset in "Zz" else offset
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6].ljust(6, '0')}{offset}")
        return in_time(moment.timestamp())
    except (ValueError, OverflowError):
        return None


def in_time(seconds: float) -> float | None:
    """Seconds since 1970, if a calendar has them."""
    return seconds if 0 <= seconds < _YEAR_10000 else None


def utc_text(seconds: float) -> str:
    """Seconds since 1970 as text in UTC, to the second."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
