"""The section `model` of `params.yaml`, checked before a run starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bikeshare.network import Hyperparameters
from pedalflow.errors import SettingsError


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """All hyperparameters as plain JSON values, those left out by their defaults.

    Raises:
        SettingsError: one is unknown, of another type or out of range.
    """
    try:
        complete = asdict(Hyperparameters.from_mapping(values))
    except (ValueError, TypeError) as error:
        raise SettingsError(f"params.yaml, section model: {error}") from error
    return {name: list(value) if isinstance(value, tuple) else value for name, value in complete.items()}
