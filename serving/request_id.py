"""The id that joins a request, its answer, its events and its labels."""

from __future__ import annotations

import os

import flask

from serving.payloads import Request, check_id

HEADER = "HTTP_SELDON_PUID"


def request_id(request: Request) -> str:
    """That of the header `Seldon-Puid`, else the message's own, else a new one.

    The header comes first, because Seldon's executor sets it and puts it on the events of the request: labels join by it.
    Raises BadRequest for an id that cannot be used as one.
    """
    header = flask.request.environ.get(HEADER) if flask.has_request_context() else None
    return check_id(header) if header else request.puid or os.urandom(16).hex()
