"""What answers of Kubeflow Pipelines mean: which may pass and are worth another try, and what somebody has to mend. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pedalflow.errors import PedalflowError, RunFailed, SettingsError

_LATER = (408, 425, 429)
_MEND: Mapping[int, str] = {
    401: "put a valid token into the file that --token-file names",
    403: "give the account of the token the right to do this in the namespace, or name another --namespace",
    404: "look at --host, and whether the token's account may see this",
}
_ELSE = "compare what was asked with what the server says"
_LOGIN = (
    "is a login page in front of it? Give --host the API's own address, or a valid token with --token-file"
)
_LONGEST_SAID = 300  # characters of a server's own words


class TryLater(RunFailed):
    """The same request may well succeed in a moment: no answer, an overloaded server, a connection that broke."""


class Conflict(TryLater):
    """Somebody else has made the same thing in the meantime."""


class NotThere(SettingsError):
    """What was asked for does not exist, or not for this account."""


def refusal(what: str, status: int, body: bytes) -> PedalflowError:
    """The error for an answer that is no success; `what` says what was asked of whom."""
    said = " ".join(_said(body).split())[:_LONGEST_SAID]
    message = f"{what} was answered with {status}" + (f" ({said})" if said else "")
    if status == 409:
        return Conflict(message)
    if status in _LATER or status >= 500:
        return TryLater(f"{message}; try again")
    if 300 <= status < 400:
        return SettingsError(f"{message}, a redirection; {_LOGIN}")
    kind = NotThere if status == 404 else SettingsError
    return kind(f"{message}; {_MEND.get(status, _ELSE)}")


def content(what: str, body: bytes) -> dict[str, Any]:
    """The JSON object of a success; an empty body is an empty object. Raises SettingsError where it is something else."""
    try:
        read = json.loads(body or b"{}")
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise SettingsError(f"{what} was answered with something else than JSON; {_LOGIN}")
    return read


def _said(body: bytes) -> str:
    """A server's own sentence, empty where it is in none of the usual places."""
    try:
        read = json.loads(body)
    except ValueError:
        return ""
    texts = (
        [read.get(name) for name in ("message", "error_message", "error")] if isinstance(read, dict) else []
    )
    return next((text for text in texts if isinstance(text, str)), "")
