"""The file with settings: YAML, and therefore JSON too, without any secret in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pedalflow.errors import SettingsError


def read_file(file: Path, secrets: Sequence[str]) -> dict[str, Any]:
    """What the settings' file says, by the names of settings.

    Raises SettingsError where it cannot be read, or holds one of `secrets`; its content is not repeated.
    """
    try:
        given = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{file} cannot be read ({type(error).__name__}); give a YAML file with --settings"
        ) from error
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise SettingsError(f"{file} is no YAML; look at line {line}") from error
    given = {} if given is None else given
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise SettingsError(f"{file} has to hold names of settings with their values")
    held = [name for name in secrets if name in given]
    if held:
        raise SettingsError(
            f"{file} holds {held[0]}; put it into a file of its own and name that as {held[0]}_file"
        )
    return given
