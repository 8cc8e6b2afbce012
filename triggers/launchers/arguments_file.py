"""The file with further arguments of a pipeline, such as the newest window, that whoever takes data in writes."""

from __future__ import annotations

import json
from pathlib import Path

from triggers.errors import LaunchStopped

_REMEDY = "write it with `pedalflow submit --arguments-file`"


def arguments_from(path: Path) -> dict[str, str | int | float | bool]:
    """What the file says at this moment: a JSON object of texts, numbers and truth values.

    Raises LaunchStopped where there is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise LaunchStopped(
            f"the arguments file {path} cannot be read ({type(error).__name__}); {_REMEDY}"
        ) from error
    except ValueError as error:
        raise LaunchStopped(f"the arguments file {path} holds no JSON ({error}); {_REMEDY}") from error
    if not isinstance(content, dict):
        raise LaunchStopped(f"the arguments file {path} holds no JSON object; {_REMEDY}")
    wrong = [name for name, value in content.items() if not isinstance(value, (str, int, float, bool))]
    if wrong:
        raise LaunchStopped(
            f"the arguments file {path} has {', '.join(wrong)} as neither text, number, true nor false; {_REMEDY}"
        )
    return content
