"""Asks the served model for an hour, or sends a label back, over one connection that is kept open, as a caller would."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

PREDICTIONS, FEEDBACK = "/api/v1.0/predictions", "/api/v1.0/feedback"
TIMEOUT_S = 30.0
OK = 200


@dataclass(frozen=True)
class Answer:
    """A prediction, and the release that made it."""

    prediction: float
    release: str


class Client:
    """One connection to the executor. `requests` counts what was sent, `failed` what was not answered with success."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(
            str(parts.hostname), parts.port or 80, timeout=TIMEOUT_S
        )
        self.requests = 0
        self.failed = 0

    def predict(self, request_id: str, record: Mapping[str, Any]) -> Answer | None:
        """The answer to one row under this request id; None where it failed, which is counted."""
        body = {"data": {"names": list(record), "ndarray": [list(record.values())]}}
        reply = self._post(PREDICTIONS, body, request_id)
        if reply is None:
            return None
        try:
            return Answer(float(reply["data"]["ndarray"][0][0]), str(reply["meta"]["tags"]["release"]))
        except (KeyError, IndexError, TypeError, ValueError):
            self.failed += 1
            return None

    def feedback(self, request_id: str, label: float) -> bool:
        """Send the label of an earlier prediction; whether it was taken."""
        body = {"response": {"meta": {"puid": request_id}}, "truth": {"data": {"ndarray": [[label]]}}}
        return self._post(FEEDBACK, body, request_id) is not None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _post(self, path: str, body: Mapping[str, Any], request_id: str) -> Any:
        """The reply; None where the request failed, which is counted."""
        self.requests += 1
        headers = {"Content-Type": "application/json", "Seldon-Puid": request_id}
        try:
            status, text = self._sent(path, json.dumps(body), headers)
            if status == OK:
                return json.loads(text)
        except (OSError, http.client.HTTPException, ValueError):
            self._connection.close()
        self.failed += 1
        return None

    def _sent(self, path: str, body: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and body of the reply. A connection that the server had closed is opened anew, once."""
        try:
            return self._once(path, body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self._connection.close()
            return self._once(path, body, headers)

    def _once(self, path: str, body: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        self._connection.request("POST", path, body, dict(headers))
        reply = self._connection.getresponse()
        return reply.status, reply.read()
