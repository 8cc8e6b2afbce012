"""What the launchers that speak HTTP share: tokens from files, and which answers mean "later" and which "somebody has to mend it"."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from triggers.errors import LaunchLater, LaunchStopped, TriggersError

# The same request may well be answered in a while. 409: somebody else did the same at the same moment.
LATER = frozenset((408, 409, 425, 429))
_MEND: Mapping[int, str] = {
    400: "compare the launcher's settings with what the server says",
    401: "put a valid token into the launcher's token file",
    403: "give the account of the launcher's token the right to do this",
    404: "check the names in the launcher's settings, and that the token's account may see them",
}
_LONGEST_SAID = 300  # characters of a server's own words


class Elsewhere:
    """What every launcher says whose runs are not on this machine: what they make of data and model stays there."""

    def new_data(self) -> bool | None:
        """Nobody can know from here."""
        return None

    def champion(self) -> str:
        """Nobody can know from here."""
        return ""


def refusal(what: str, status: int, said: str) -> TriggersError:
    """The error for an answer that is no success: `what` was asked, and `said` are the server's own words."""
    words = " ".join(said.split())[:_LONGEST_SAID]
    message = f"{what} was answered with {status}" + (f" ({words})" if words else "")
    if status in LATER or status >= 500:
        return LaunchLater(message)
    return LaunchStopped(f"{message}; {_MEND.get(status, _MEND[400])}")


def token_from(path: Path) -> str:
    """The token in a file, read again at each call because such files are renewed.

    Raises LaunchStopped where there is none.
    """
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LaunchStopped(
            f"the token file {path} cannot be read ({type(error).__name__}); make it readable"
        ) from error
    if not token or not token.isprintable() or " " in token:
        raise LaunchStopped(f"the token file {path} holds no token; write one into it, on one line")
    return token


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """What certificates of servers are checked with; raises LaunchStopped where `ca_file` holds none."""
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:  # which ssl.SSLError is, too
        raise LaunchStopped(
            f"{ca_file} holds no certificates that can be read ({error}); give a PEM file"
        ) from error


class JsonApi:
    """A JSON API behind a bearer token from a file.

    Args:
        name: what people call the service, for messages.
        base: its address.
        token_file: read at each request.
        timeout_s: for each request.
        ca_file: what its certificate is checked with; None for the usual authorities.
        headers: sent with every request.
    """

    def __init__(
        self,
        name: str,
        base: str,
        token_file: Path,
        timeout_s: float,
        ca_file: Path | None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._name = name
        self._token_file = token_file
        self._client = httpx.Client(
            base_url=base, timeout=timeout_s, verify=trusted(ca_file), headers=dict(headers or {})
        )

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """The answer to GET. Raises LaunchLater or LaunchStopped."""
        return self._ask("GET", path, params=query)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to POST; empty where the service answers with nothing. Raises LaunchLater or LaunchStopped."""
        return self._ask("POST", path, json=body)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        what = f"{self._name}: {method} {path}"
        headers = {"Authorization": f"Bearer {token_from(self._token_file)}"}
        try:
            answer = self._client.request(method, path, headers=headers, **request)
        except httpx.TransportError as error:
            raise _unreached(what, error) from error
        if not answer.is_success:
            raise _limited(what, answer) or refusal(what, answer.status_code, said_in(answer.text))
        return _content(what, answer)


def said_in(body: str | bytes | None) -> str:
    """A server's own sentence in the body of an error; empty where it is in none of the usual places."""
    try:
        content = json.loads(body or b"")
    except ValueError:
        return ""
    inner = content.get("error") if isinstance(content, Mapping) else None
    places = [content, inner] if isinstance(inner, Mapping) else [content, {"message": inner}]
    texts = (place.get("message") for place in places if isinstance(place, Mapping))
    return next((text for text in texts if isinstance(text, str)), "")


def _unreached(what: str, error: httpx.TransportError) -> TriggersError:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return LaunchStopped(
            f"{what}: the server's certificate is not trusted ({error}); name its authority in `ca_file`"
        )
    return LaunchLater(f"{what} got no answer ({type(error).__name__}: {error})")


def _limited(what: str, answer: httpx.Response) -> LaunchLater | None:
    """GitHub says with a 403 that there were too many requests."""
    too_many = answer.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in answer.headers
    return (
        LaunchLater(f"{what}: too many requests for now") if answer.status_code == 403 and too_many else None
    )


def _content(what: str, answer: httpx.Response) -> dict[str, Any]:
    try:
        content = answer.json() if answer.content else {}
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise LaunchStopped(
            f"{what} was answered with something else than JSON; is a login page in front of it?"
        )
    return content
