"""How the service describes itself: every address with what it takes, what it answers, and who may call it."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse, Response

from triggers.answers import MOST_IN_HEADER, Refusal, Taken
from triggers.events import Source
from triggers.payload_schemas import PAYLOADS, Header

TITLE = "Pedalflow triggers"
DESCRIPTION = (
    "Every reason to retrain enters here. An event is committed before it is acknowledged: 202 means that it is kept, 200 that "
    "all of it was known before. On 408, 429 and 503 send it again; on any other refusal mend what the message names."
)
REFUSALS = {
    400: "It cannot be read, or it is stale.",
    401: "The sender did not prove who it is.",
    403: "The source is closed: nothing is set by which its sender could be known.",
    408: "The body was not complete in time.",
    413: "The body is too long.",
    429: "Too many; Retry-After says when to come again.",
    503: "The database does not answer, or too much is being read; nothing was kept, and Retry-After says when to come again.",
}
READING_REFUSALS = {
    401: "The password is missing or wrong.",
    403: "Without a password only this machine may read.",
    429: "Too many wrong passwords; Retry-After says when to come again.",
}
TAKEN_HEADER = "Pedalflow-Events"
_TAKEN_HEADERS = {
    TAKEN_HEADER: {
        "description": f"The ids of the first {MOST_IN_HEADER} events, in their order; `;duplicate` follows those that were known before.",
        "schema": {"type": "string"},
        "example": "e-f132cc3fedaba466, e-09ab41c2d7e6f350;duplicate",
    }
}
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The token of the source."},
    "pubsub": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "Signed by Google."},
    "github": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Hub-Signature-256",
        "description": "sha256= and the HMAC-SHA256 of the raw body in hexadecimal.",
    },
    "reader": {"type": "http", "scheme": "basic", "description": "Any user name, and the reader's password."},
}


def version() -> str:
    """The version of the installed package; empty where it runs from a checkout."""
    try:
        return metadata.version("pedalflow")
    except metadata.PackageNotFoundError:
        return "checkout"


VERSION = version()


def refusals(documented: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """Answers that are no success, for a route."""
    return {status: {"model": Refusal, "description": text} for status, text in documented.items()}


def delivery_description(source: Source) -> dict[str, Any]:
    """The arguments of a source's route that describe it. An answer to a CloudEvent has no body but where it is refused."""
    payload = PAYLOADS[source]
    silent = source is Source.CLOUDEVENTS
    known = {"description": "All of it was known before.", "headers": _TAKEN_HEADERS}
    return {
        "status_code": 202,
        "response_class": Response if silent else JSONResponse,
        "response_model": None if silent else Taken,
        "summary": payload.summary,
        "description": payload.doc,
        "operation_id": f"deliver_{source.value}",
        "tags": ["events"],
        "response_description": "Everything in it is committed.",
        "responses": {
            200: known if silent else {**known, "model": Taken},
            202: {"headers": _TAKEN_HEADERS},
            **refusals(REFUSALS),
        },
        "openapi_extra": {
            "requestBody": {"required": True, "content": payload.content},
            "parameters": [_parameter(header) for header in payload.headers],
            "security": [{payload.security: []}],
        },
    }


def _parameter(header: Header) -> dict[str, Any]:
    return {
        "name": header.name,
        "in": "header",
        "required": header.required,
        "description": header.doc,
        "schema": header.schema,
    }


def described(app: FastAPI) -> None:
    """Let the application answer /openapi.json with the schemes of security as well."""

    def document() -> dict[str, Any]:
        if not app.openapi_schema:
            made = get_openapi(title=TITLE, version=VERSION, description=DESCRIPTION, routes=app.routes)
            made.setdefault("components", {})["securitySchemes"] = _SCHEMES
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
