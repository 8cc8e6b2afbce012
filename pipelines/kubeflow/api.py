"""Speaks HTTP and JSON with Kubeflow Pipelines' API (v2beta1). What only asks is tried again; what changes something never is here."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.request
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode

from pedalflow.errors import SettingsError
from pipelines.kubeflow.api_connection import Connection, read_token
from pipelines.kubeflow.api_errors import TryLater, content, refusal

PREFIX = "/apis/v2beta1"
TIMEOUT_S = 60.0  # for one answer; an upload is one too
PAUSES_S = (0.2, 1.0, 3.0)  # between two tries
Json = dict[str, Any]


class _NoRedirections(urllib.request.HTTPRedirectHandler):
    """A redirection leads to a login page, and must not get the token."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Never followed; it becomes an HTTPError."""


class Api:
    """Requests to one server. All raise SettingsError for what somebody has to mend, and TryLater for what may pass."""

    def __init__(self, connection: Connection, timeout_s: float = TIMEOUT_S) -> None:
        self.connection = connection
        self._timeout_s = timeout_s
        self._opener = urllib.request.build_opener(_NoRedirections(), _way(connection))

    def get(self, doing: str, path: str, **query: str | int) -> Json:
        """Ask, several times where no answer comes. Values that are empty are not sent."""
        for pause in PAUSES_S:
            try:
                return self._send(doing, "GET", path, query)
            except TryLater:
                time.sleep(pause)
        return self._send(doing, "GET", path, query)

    def post(self, doing: str, path: str, body: Json) -> Json:
        """Change something, once."""
        return self._send(doing, "POST", path, {}, json.dumps(body).encode(), "application/json")

    def upload(self, doing: str, path: str, file: bytes, query: Mapping[str, str]) -> Json:
        """Send a compiled file as a form would, once."""
        border = uuid.uuid4().hex
        disposition = 'Content-Disposition: form-data; name="uploadfile"; filename="pipeline.yaml"'
        head = f"--{border}\r\n{disposition}\r\nContent-Type: application/octet-stream\r\n\r\n"
        body = head.encode() + file + f"\r\n--{border}--\r\n".encode()
        return self._send(doing, "POST", path, query, body, f"multipart/form-data; boundary={border}")

    def delete(self, doing: str, path: str) -> None:
        """Remove something, once."""
        self._send(doing, "DELETE", path, {})

    def _send(
        self,
        doing: str,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: bytes | None = None,
        kind: str = "",
    ) -> Json:
        what = f"Kubeflow Pipelines at {self.connection.host}: {doing}"
        asked = urlencode({name: value for name, value in query.items() if value != ""})
        url = f"{self.connection.host}{PREFIX}{path}" + (f"?{asked}" if asked else "")
        request = urllib.request.Request(url, data=body, headers=self._headers(kind), method=method)
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                return content(what, answer.read())
        except HTTPError as error:
            raise refusal(what, error.code, _body(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise _unreached(what, error) from error

    def _headers(self, kind: str) -> dict[str, str]:
        headers = {"Accept": "application/json"} | ({"Content-Type": kind} if kind else {})
        if self.connection.token_file is None:
            return headers
        return {**headers, "Authorization": f"Bearer {read_token(self.connection.token_file)}"}


def _way(connection: Connection) -> urllib.request.BaseHandler:
    """A proxy sees nothing of what goes over https; over http it would read the token, so none is used."""
    if connection.encrypted:
        return urllib.request.HTTPSHandler(context=_trusted(connection))
    return urllib.request.ProxyHandler({})


def _trusted(connection: Connection) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=connection.ca_file)
    except OSError as error:  # which ssl.SSLError is, too
        raise SettingsError(
            f"{connection.ca_file} holds no certificates that can be read; give a PEM file"
        ) from error


def _body(error: HTTPError) -> bytes:
    """What came with a refusal, as far as it came."""
    try:
        with error:
            return error.read()
    except (OSError, http.client.HTTPException):
        return b""


def _unreached(what: str, error: Exception) -> SettingsError | TryLater:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLError):
        return SettingsError(
            f"{what}: there is no trusted TLS connection ({reason}); name the server's authority with --ca-file"
        )
    return TryLater(
        f"{what} got no answer ({reason or type(reason).__name__}); is it running, and is --host right?"
    )
