"""Finds a use case by the name that `params.yaml` gives."""

from __future__ import annotations

import importlib
from typing import Any

from pedalflow.columns import Column, Role
from pedalflow.errors import SettingsError
from pedalflow.use_case import UseCase


def load_use_case(name: str) -> UseCase:
    """The `USE_CASE` of the package `name`.

    Raises:
        SettingsError: there is no such package, or it holds no use case.
    """
    try:
        module = importlib.import_module(f"{name}.use_case")
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"use_case {name!r} in params.yaml: no package {missing.name!r} can be imported"
        ) from missing
    found = getattr(module, "USE_CASE", None)
    if not isinstance(found, UseCase):
        raise SettingsError(f"use_case {name!r} in params.yaml: {name}/use_case.py holds no USE_CASE")
    return found


def load_function(dotted: str) -> Any:
    """The object that a dotted name of a use case points to."""
    module, _, attribute = dotted.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def model_columns(case: UseCase) -> tuple[Column, ...]:
    """Features and label: the only columns that ever become examples."""
    return tuple(column for column in case.columns if column.role in (Role.FEATURE, Role.LABEL))
