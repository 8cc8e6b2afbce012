"""The settings of a serving class: a frozen dataclass of documented fields, read strictly from what Seldon passes as `parameters`.

    @dataclass(frozen=True)
    class MySettings:
        poll_s: float = setting("Seconds between two looks at the release.", 2.0, low=0.05)

Types are `str`, `int`, `float`, `bool`, `Path` and `tuple[str, ...]` (one text, names separated by commas).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pedalflow.errors import SettingsError

T = TypeVar("T")


def setting(
    doc: str,
    default: Any = MISSING,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field of settings: what it means, its default (none: it must be given) and what it may be, both bounds included."""
    metadata = {"doc": doc, "low": low, "high": high, "choices": choices}
    if default is MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Described:
    """One setting for people: its name, Seldon's type for it, its default as text and its meaning."""

    name: str
    type: str
    default: str
    doc: str


@dataclass(frozen=True)
class _Kind:
    """How one type of a field is written in `parameters` and read from it."""

    seldon: str
    accepts: tuple[type, ...]
    read: Callable[[Any], Any]


_KINDS: Mapping[Any, _Kind] = {
    str: _Kind("STRING", (str,), str),
    int: _Kind("INT", (int,), int),
    float: _Kind("FLOAT", (float, int), float),
    bool: _Kind("BOOL", (bool,), bool),
    Path: _Kind("STRING", (str, Path), Path),
    tuple[str, ...]: _Kind(
        "STRING", (str,), lambda text: tuple(name.strip() for name in text.split(",") if name.strip())
    ),
}


def read_settings(cls: type[T], parameters: Mapping[str, Any]) -> T:
    """The settings that `parameters` give.

    Raises:
        SettingsError: a name is unknown or missing, a value has another type or lies outside what it may be.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(parameters.keys() - fields.keys())
    if unknown:
        raise SettingsError(f"unknown setting {', '.join(unknown)}; there are {', '.join(fields)}")
    missing = [name for name, field in fields.items() if field.default is MISSING and name not in parameters]
    if missing:
        raise SettingsError(f"setting {', '.join(missing)} is missing: {fields[missing[0]].metadata['doc']}")
    kinds = get_type_hints(cls)
    values = {name: _read(fields[name], _KINDS[kinds[name]], value) for name, value in parameters.items()}
    return cls(**values)


def describe_settings(cls: type[Any]) -> tuple[Described, ...]:
    """The table of settings that documentation prints."""
    kinds = get_type_hints(cls)
    return tuple(
        Described(field.name, _KINDS[kinds[field.name]].seldon, _default(field), field.metadata["doc"])
        for field in dataclasses.fields(cls)
    )


def _read(field: dataclasses.Field[Any], kind: _Kind, value: Any) -> Any:
    if (type(value) is not bool and isinstance(value, kind.accepts)) or type(value) in kind.accepts:
        read = kind.read(value)
    else:
        raise SettingsError(f"setting {field.name} is {value!r}, but must be of type {kind.seldon}")
    low, high, choices = (field.metadata[key] for key in ("low", "high", "choices"))
    if choices and read not in choices:
        raise SettingsError(f"setting {field.name} is {value!r}, but must be one of {', '.join(choices)}")
    too_low, too_high = low is not None and not read >= low, high is not None and not read <= high
    if too_low or too_high:
        raise SettingsError(
            f"setting {field.name} is {value!r}, but must be {'at least' if too_low else 'at most'} "
            f"{low if too_low else high}"
        )
    return read


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is MISSING:
        return "must be given"
    if isinstance(field.default, tuple):
        return ",".join(field.default) or "(empty)"
    return str(field.default) or "(empty)"
