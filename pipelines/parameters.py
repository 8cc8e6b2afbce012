"""Other values in the text of a `params.yaml`, with all comments as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pedalflow.errors import SettingsError

# A network that trains in seconds and still passes the gates, for a loop that is to be short.
SMALL: Mapping[str, str] = {"members": "1", "units": "[32]", "epochs": "15", "learning_rate": "0.01"}


def with_values(text: str, values: Mapping[str, str]) -> str:
    """The text with other values for fields of its sections. Raises SettingsError where one of them is not in it, or twice."""
    for name, value in values.items():
        text, count = re.subn(rf"(?m)^(\s+{name}:\s*)(?:\[[^\]\n]*\]|[^\s#]+)", rf"\g<1>{value}", text)
        if count != 1:
            raise SettingsError(
                f"params.yaml has {count} lines that set {name}; one is needed to set it anew"
            )
    return text
