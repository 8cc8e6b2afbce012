"""The web application: one address for each source, the page and its facts as JSON, health and metrics. Handlers only pass on."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response

from triggers import page
from triggers.answers import Taken, taken_header
from triggers.doors import Door, Readers
from triggers.errors import Refused, StoreFailed, TooMany, Unauthenticated
from triggers.events import Source
from triggers.limits import Failures, Pace
from triggers.metrics import Metrics
from triggers.openapi import TAKEN_HEADER, TITLE, VERSION, delivery_description, described
from triggers.reading_routes import Gate, Reading, add_reading_routes
from triggers.reception import Reception
from triggers.settings import TriggersSettings
from triggers.shell import Shell, refusal
from triggers.store.store import Store

RETRY_AFTER_S = 5
DATABASE, ENGINE, PARAMETER = "DATABASE", "ENGINE", "PARAMETER"
_BY_STATUS = {404: "NOT_FOUND", 405: "METHOD"}
Alongside = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Parts:
    """What the application is made of.

    Args:
        wake: tells the engine that there is something to decide.
        working: whether the engine's thread is at work.
        reading: what the page reads besides the store.
    """

    settings: TriggersSettings
    store: Store
    doors: Mapping[Source, Door]
    readers: Readers
    metrics: Metrics
    reading: Reading
    wake: Callable[[], None]
    working: Callable[[], bool]
    wall: Callable[[], float] = time.time


def make_app(parts: Parts, alongside: Alongside | None = None) -> FastAPI:
    """The application. `alongside` runs as long as it does, such as the schedule."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if alongside is None:
            yield
            return
        async with alongside():
            yield

    app = FastAPI(title=TITLE, version=VERSION, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_middleware(Shell, failed=parts.metrics.failed)
    _answer_errors(app, parts.metrics)
    failures = Failures(Pace(parts.settings.failures_per_s, parts.settings.failures_burst), time.monotonic)
    _add_deliveries(app, parts, failures)
    _add_health(app, parts)
    add_reading_routes(app, parts.reading, Gate(parts.readers, failures, parts.metrics.refused))
    described(app)
    return app


def _answer_errors(app: FastAPI, metrics: Metrics) -> None:
    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return _refused(request, error.status, error.rule, str(error), _headers_of(error))

    @app.exception_handler(StoreFailed)
    async def store_failed(request: Request, error: StoreFailed) -> Response:
        metrics.failed(DATABASE.lower())
        message = "the database does not answer, and nothing was kept; send it again later"
        return _refused(request, 503, DATABASE, message, {"Retry-After": str(RETRY_AFTER_S)})

    @app.exception_handler(RequestValidationError)
    async def wrong_parameter(request: Request, error: RequestValidationError) -> Response:
        found = error.errors()[0]
        name = ".".join(str(part) for part in found["loc"][1:])
        return _refused(request, 422, PARAMETER, f"{name}: {found['msg']}")

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        rule = _BY_STATUS.get(error.status_code, "HTTP")
        return _refused(request, error.status_code, rule, str(error.detail), dict(error.headers or {}))


def _headers_of(error: Refused) -> dict[str, str]:
    if isinstance(error, TooMany):
        return {"Retry-After": str(max(1, round(error.retry_after_s + 0.5)))}
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": 'Basic realm="Pedalflow triggers", charset="UTF-8", Bearer'}
    return {}


def _refused(
    request: Request, status: int, rule: str, message: str, headers: dict[str, str] | None = None
) -> Response:
    """People get a page, programs JSON."""
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(page.error_page(status, message), status, headers)
    return refusal(status, rule, message, headers)


def _add_deliveries(app: FastAPI, parts: Parts, failures: Failures) -> None:
    reception = Reception(
        parts.settings, parts.doors, parts.store.accept, parts.wake, parts.metrics, failures, parts.wall
    )

    def handler(source: Source) -> Callable[..., object]:
        async def deliver(request: Request) -> Response:
            return _acknowledged(source, await reception.take(source, request))

        return deliver

    for source in Source:
        description = delivery_description(source)
        app.add_api_route(f"/events/{source.value}", handler(source), methods=["POST"], **description)


def _acknowledged(source: Source, taken: Taken) -> Response:
    """Knative takes every body that is no CloudEvent for a failure, and sends the event again: its senders get none."""
    status = 200 if all(event.duplicate for event in taken.events) else 202
    headers = {TAKEN_HEADER: taken_header(taken)}
    if source is Source.CLOUDEVENTS:
        return Response(status_code=status, headers=headers)
    return JSONResponse(taken.model_dump(), status, headers)


def _add_health(app: FastAPI, parts: Parts) -> None:
    @app.get("/healthz", tags=["health"], summary="Whether the process answers.")
    async def healthz() -> dict[str, bool]:
        return {"alive": True}

    @app.get(
        "/readyz",
        tags=["health"],
        summary="Whether events can be taken and decided.",
        response_model=dict[str, bool],
    )
    async def readyz() -> Response:
        await run_in_threadpool(parts.store.depth)
        if not parts.working():
            return refusal(503, ENGINE, "the engine has stopped; start the service again")
        return JSONResponse({"ready": True})

    @app.get("/metrics", tags=["health"], summary="Figures for Prometheus.", response_class=Response)
    async def metrics() -> Response:
        text = await run_in_threadpool(parts.metrics.as_text)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
