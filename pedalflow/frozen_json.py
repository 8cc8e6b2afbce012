"""Frozen dataclasses to JSON text and back, without losing a type on the way.

Writing is deterministic: the same record gives the same bytes. Reading is strict: a missing or unknown key,
or a value of another type than the field declares, is refused with the path of the place, because a record
that is half understood misleads its reader. Supported field types: str, int, float, bool, None, object (any
JSON value), unions of these, tuple, dict with text keys, and dataclasses of them.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pedalflow.errors import SettingsError

Record = TypeVar("Record")


def to_text(record: object) -> str:
    """`record` (a dataclass instance) as indented JSON with a final line break.

    Raises SettingsError where a value has no place in JSON: infinity, not-a-number, or an object that is not
    plain data.
    """
    if not is_dataclass(record) or isinstance(record, type):
        raise TypeError(f"to_text takes a dataclass instance, not {record!r}")
    try:
        return json.dumps(asdict(record), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"{type(record).__name__} cannot be written as JSON: {error}. "
            "Keep to finite numbers, text, lists and mappings."
        ) from error


def from_text(kind: type[Record], text: str) -> Record:
    """The instance of the dataclass `kind` that `to_text` wrote as `text`. Raises SettingsError that names
    what does not fit.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise SettingsError(
            f"{kind.__name__}: this is not JSON ({error}). Was the file written to its end?"
        ) from error
    record: Record = _decode(kind, value, kind.__name__)
    return record


def _refuse_constant(name: str) -> float:
    raise SettingsError(f"{name} is not a JSON number: write null where a value could not be measured.")


def _decode(kind: Any, value: Any, path: str) -> Any:
    if kind is object:
        return value
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decode_union(get_args(kind), value, path)
    if origin is tuple:
        return _decode_tuple(get_args(kind), value, path)
    if origin is dict:
        inner = get_args(kind)[1]
        return {key: _decode(inner, item, f"{path}.{key}") for key, item in _mapping(value, path).items()}
    if is_dataclass(kind):
        return _decode_dataclass(kind, value, path)
    return _decode_plain(kind, value, path)


def _decode_plain(kind: type, value: Any, path: str) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        expected = "null" if kind is type(None) else kind.__name__
        raise SettingsError(f"{path}: expected {expected}, found {value!r}.")
    return value


def _decode_union(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    """The first member that fits, the exact type first: `float | str` takes both, and `int` stays `int` where
    it may.
    """
    if value is None and type(None) in kinds:
        return None
    possible = [kind for kind in kinds if kind is not type(None)]
    if type(value) in possible:
        return value
    if len(possible) == 1:
        return _decode(possible[0], value, path)
    if type(value) is int and float in possible:
        return float(value)
    names = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
    raise SettingsError(f"{path}: expected {names}, found {value!r}.")


def _decode_tuple(kinds: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise SettingsError(f"{path}: expected a list, found {value!r}.")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise SettingsError(f"{path}: expected {len(kinds)} values, found {len(value)}.")
    return tuple(
        _decode(kind, item, f"{path}[{index}]")
        for index, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _decode_dataclass(kind: Any, value: Any, path: str) -> Any:
    known: dict[str, Field[Any]] = {item.name: item for item in fields(kind)}
    found = _mapping(value, path)
    if unknown := sorted(set(found) - set(known)):
        raise SettingsError(
            f"{path}: unknown key {', '.join(map(repr, unknown))}. "
            "It was written by another version of Pedalflow, or by hand."
        )
    if absent := [name for name, item in known.items() if name not in found and _required(item)]:
        raise SettingsError(
            f"{path}: missing key {', '.join(map(repr, absent))}. Was the file written to its end?"
        )
    hints = get_type_hints(kind)
    return kind(**{name: _decode(hints[name], item, f"{path}.{name}") for name, item in found.items()})


def _required(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _mapping(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"{path}: expected a mapping, found {value!r}.")
    return value
