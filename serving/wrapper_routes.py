"""What we add to the Flask application of Seldon's wrapper: refusals that say what to do, a limit on bodies, the V2 routes.

The wrapper registers a class's attribute `model_error_handler` as a Blueprint before its own routes, which is the door for all of it.
"""

from __future__ import annotations

from json import JSONDecodeError
from typing import Any, Protocol

import orjson
from flask import Blueprint, Flask, Response, abort, request
from flask.blueprints import BlueprintSetupState
from seldon_core.flask_utils import SeldonMicroserviceException, get_request
from seldon_core.utils import json_to_feedback
from werkzeug.exceptions import HTTPException

from serving.errors import ServingError
from serving.scoring.errors import BadRequest, Rule
from serving.served import Served

JSON = "application/json"
FEEDBACK_ROUTES = frozenset(("/send-feedback", "/api/v1.0/feedback", "/api/v0.1/feedback"))
OTHER_ROLES = frozenset(("/transform-input", "/transform-output", "/route", "/aggregate"))
_FEEDBACK = "feedback is an object with response.meta.puid and truth.data"
_NOT_JSON = (
    JSONDecodeError,
    UnicodeDecodeError,
    RecursionError,
)  # what the wrapper's own parsing of forms raises


class V2Model(Protocol):
    """What the V2 routes need of a class."""

    @property
    def served(self) -> Served: ...

    def infer(self, body: bytes) -> bytes: ...


def wrapper_routes(model: V2Model, name: str, max_bytes: int) -> Blueprint:
    """The Blueprint of a predictor. Bodies over `max_bytes` get 413; `name` is the model's name in the V2 routes."""
    routes = Blueprint("pedalflow", __name__)
    routes.record(lambda state: _limit_bodies(state, max_bytes))
    add_refusals(routes)
    routes.app_url_value_preprocessor(_check_route)  # `before_app_request` looks for coroutines every time
    add_v2(routes, model, name)
    return routes


def add_refusals(routes: Blueprint) -> None:
    """Every error as a Seldon status with the right HTTP code, where the wrapper would make most of them 500."""
    routes.app_errorhandler(BadRequest)(lambda bad: answer(400, status(400, bad.rule, bad.message)))
    routes.app_errorhandler(ServingError)(
        lambda error: answer(error.code, status(error.code, error.reason, str(error)))
    )
    routes.app_errorhandler(HTTPException)(_http_refusal)
    for kind in _NOT_JSON:
        routes.app_errorhandler(kind)(
            lambda error: answer(400, status(400, Rule.JSON.value, f"the body is no JSON ({error})"))
        )


def add_v2(routes: Blueprint, model: V2Model, name: str) -> None:
    """The routes of the V2 inference protocol for one model; its errors are `{"error": …}`."""

    def checked(asked: str) -> None:
        if asked != name:
            abort(404, f"there is no model {asked[:60]!r} here; there is {name!r}")

    @routes.get("/v2/health/live")
    def live() -> Response:
        return answer(200, {"live": True})

    @routes.get("/v2/health/ready")
    def ready() -> Response:
        return answer(200, {"ready": bool(model.served)})

    @routes.get("/v2/models/<asked>/ready")
    def model_ready(asked: str) -> Response:
        checked(asked)
        return answer(200, {"name": name, "ready": bool(model.served)})

    @routes.get("/v2/models/<asked>")
    def metadata(asked: str) -> Response:
        checked(asked)
        return answer(200, _v2_metadata(model.served, name))

    @routes.post("/v2/models/<asked>/infer")
    def infer(asked: str) -> Response:
        checked(asked)
        try:
            return Response(model.infer(request.get_data()), mimetype=JSON)
        except BadRequest as bad:
            return answer(400, {"error": _sayable(f"{bad.rule}: {bad.message}")})
        except ServingError as error:
            return answer(error.code, {"error": f"{error.reason}: {error}"})


def status(code: int, reason: str, info: str) -> dict[str, Any]:
    """A refusal in Seldon's form."""
    return {"status": {"status": "FAILURE", "code": code, "reason": reason, "info": _sayable(info)}}


def answer(code: int, content: dict[str, Any]) -> Response:
    return Response(orjson.dumps(content), code, mimetype=JSON)


def _sayable(text: str) -> str:
    """`text` that UTF-8 can carry: a refusal repeats what was sent, which may hold half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _limit_bodies(state: BlueprintSetupState, max_bytes: int) -> None:
    app: Flask = state.app
    app.config["MAX_CONTENT_LENGTH"] = max_bytes


def _http_refusal(error: HTTPException) -> Response:
    code = error.code or 500
    return answer(code, status(code, error.name.upper().replace(" ", "_"), error.description or error.name))


def _check_route(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Keep from the wrapper what it would answer with 500."""
    path = request.path
    if path in FEEDBACK_ROUTES:
        _check_feedback()
    elif path in OTHER_ROLES:
        abort(404, f"{path} is for other roles; this is a model: send rows to /predict")


def _check_feedback() -> None:
    try:
        json_to_feedback(get_request())
    except (HTTPException, *_NOT_JSON):
        raise
    except SeldonMicroserviceException as error:
        raise BadRequest(Rule.FORM, f"{error.message}; {_FEEDBACK}") from error
    except Exception as error:  # protobuf's parser raises what it happens to run into
        raise BadRequest(Rule.FORM, f"the body cannot be read ({error!r}); {_FEEDBACK}") from error


def _v2_metadata(served: Served, name: str) -> dict[str, Any]:
    width, names = len(served.schema.names), list(served.schema.names)
    return {
        "name": name,
        "versions": [served.release.name],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": "rows", "datatype": "FP64", "shape": [-1, width], "parameters": {"names": names}}
        ],
        "outputs": [{"name": served.model.output, "datatype": "FP64", "shape": [-1, 1]}],
    }
