"""What the classes beside the predictor share when they run in Seldon's wrapper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flask
import orjson
from flask import Blueprint
from flask.json.provider import DefaultJSONProvider
from seldon_core import wrapper

from serving.live_release import LiveRelease
from serving.payloads import parse_json
from serving.scoring.errors import BadRequest, Rule
from serving.served import Served
from serving.telemetry import RELEASE, RELEASES_REFUSED, Telemetry
from serving.wrapper_routes import add_refusals

_DECODED = "/transform-input"  # where the wrapper parses bodies even if they pass through elsewhere


def followed(
    place: Path, poll_s: float, telemetry: Telemetry, on_change: Callable[[Served], None]
) -> LiveRelease:
    """The release at a place, kept up to date by a thread that runs already, with its metrics.

    Raises:
        ReleaseBroken: there is no release that can serve.
    """
    name = ""

    def changed(served: Served) -> None:
        nonlocal name
        on_change(served)
        if name:
            telemetry.at(RELEASE, name).set(0)
        name = served.release.name
        telemetry.at(RELEASE, name).set(1)

    live = LiveRelease(place, poll_s, changed, lambda _: telemetry[RELEASES_REFUSED].inc())
    live.start()
    return live


def as_wrapper_wants(message: object, reply: dict[str, Any]) -> bytes | dict[str, Any]:
    """A reply as the wrapper hands it on: as bytes where bodies pass through, else as what the message was."""
    if wrapper.PAYLOAD_PASSTHROUGH or not isinstance(message, Mapping):
        return orjson.dumps(reply)
    return reply


def routes(max_bytes: int) -> Blueprint:
    """A Blueprint with refusals that say what to do, a limit on bodies, and JSON that comes out as it came in."""
    made = Blueprint("pedalflow", __name__)
    made.record(lambda state: _set_up(state.app, max_bytes))
    add_refusals(made)
    made.before_app_request(_check_json)
    return made


def _check_json() -> None:
    """Say what is wrong with a body before the wrapper does, whose words name neither the fault nor the remedy."""
    if flask.request.path == _DECODED and flask.request.is_json:
        parse_json(flask.request.get_data())


class _PlainJson(DefaultJSONProvider):
    """Reads and writes JSON as the predictor does, and keeps the order of keys, which Flask would sort."""

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return orjson.loads(s)

    def dumps(self, obj: Any, **_: Any) -> str:
        try:
            return orjson.dumps(obj, default=_text).decode()
        except TypeError as error:
            raise BadRequest(Rule.JSON, f"the message cannot be passed on ({error}); nest it less") from error


def _text(value: Any) -> str:
    """The wrapper makes bytes of an uploaded file; they are base64 already."""
    if isinstance(value, bytes):
        return value.decode("ascii")
    raise TypeError(f"{type(value).__name__} is not JSON")


def _set_up(app: flask.Flask, max_bytes: int) -> None:
    app.config["MAX_CONTENT_LENGTH"] = max_bytes
    app.json = _PlainJson(app)
