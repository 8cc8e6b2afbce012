"""What people and scripts may read: the page, and the same facts as JSON. Everything here needs the reader's password, or this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request
from starlette.responses import HTMLResponse, Response

from pedalflow.errors import PedalflowError
from pedalflow.workspace import Workspace
from triggers import page
from triggers.answers import (
    EventAnswer,
    Events,
    RunAnswer,
    Runs,
    Status,
    event_answer,
    run_answer,
    status_answer,
)
from triggers.doors import Readers
from triggers.drift_chart import drift_chart
from triggers.errors import Refused, StoreFailed
from triggers.events import Kind
from triggers.limits import Failures
from triggers.openapi import READING_REFUSALS, refusals
from triggers.overview import Overview, overview, pointed_since
from triggers.page import Asked, FirstPage, RunRow
from triggers.records import StoredEvent, StoredRun
from triggers.store.store import Store
from triggers.trace import Trace, trace
from triggers.tracing.graph import as_json
from triggers.tracing.readers import workspace_readers

EVENTS_SHOWN, RUNS_SHOWN, VERDICTS_SHOWN, RUNS_MARKED, REASONS_READ = 30, 12, 400, 200, 50
_LARGEST = 2**53
READERS = "readers"  # whose refusals are counted, beside those of the sources
T = TypeVar("T")

EventId = Annotated[str, Path(pattern=r"^e-[0-9a-z-]{1,60}$", description="Id of an event, e-…")]
RunId = Annotated[str, Path(pattern=r"^q-[0-9a-z-]{1,60}$", description="Id of a run, q-…")]
AnyId = Annotated[
    str,
    Path(
        pattern=r"^[!-~]{1,200}$",
        description="A request id, a run, an event, a release, a training, a span or a commit, or its beginning.",
    ),
]
Before = Annotated[int | None, Query(ge=1, le=_LARGEST, description="Only what is older than this number.")]
Limit = Annotated[int, Query(ge=1, le=200, description="How many.")]


class NotFound(Refused):
    """There is no such thing."""

    status = 404


@dataclass(frozen=True)
class Reading:
    """What the page reads.

    Args:
        champion: the release that serves, as the launcher says; may be empty.
        clock: the service's clock, by which runs become due.
        wall: the time in seconds since 1970.
    """

    store: Store
    workspace: Workspace
    champion: Callable[[], str]
    clock: Callable[[], float]
    wall: Callable[[], float] = time.time

    def overview(self) -> Overview:
        """The state of things."""
        return overview(self.store, self.champion(), pointed_since(self.workspace))

    def row(self, run: StoredRun) -> RunRow:
        return RunRow(run, self.store.events(REASONS_READ, run=run.id))

    def event(self, id: str) -> StoredEvent:
        return _found(self.store.event(id), f"there is no event {id}")

    def run(self, id: str) -> StoredRun:
        return _found(self.store.run(id), f"there is no run {id}")

    def trace(self, id: str) -> Trace:
        """Raises NotFound where nothing is known by this id."""
        readers = workspace_readers(self.workspace, self.store)
        if not readers.champion:
            readers = replace(readers, champion=self.overview().champion.release)
        try:
            return trace(id, readers)
        except StoreFailed:
            raise
        except PedalflowError as error:
            raise NotFound("NOT_FOUND", str(error)) from error

    def trace_or_none(self, id: str) -> Trace | None:
        """For a page that shows the rest all the same."""
        try:
            return self.trace(id)
        except NotFound:
            return None

    def first_page(self, asked: Asked) -> FirstPage:
        runs = self.store.runs(RUNS_SHOWN + 1, before=asked.runs_before)
        events = self.store.events(EVENTS_SHOWN + 1, before=asked.before, kind=asked.kind)
        return FirstPage(
            overview=self.overview(),
            chart=drift_chart(self.store.drift_series(VERDICTS_SHOWN), self.store.runs(RUNS_MARKED)),
            runs=[self.row(run) for run in runs[:RUNS_SHOWN]],
            events=events[:EVENTS_SHOWN],
            older_runs=runs[RUNS_SHOWN - 1].number if len(runs) > RUNS_SHOWN else None,
            older_events=events[EVENTS_SHOWN - 1].number if len(events) > EVENTS_SHOWN else None,
            now=self.wall(),
            clock=self.clock(),
        )


def _found(thing: T | None, otherwise: str) -> T:
    if thing is None:
        raise NotFound("NOT_FOUND", f"{otherwise}; old ones that led to nothing are forgotten")
    return thing


@dataclass(frozen=True)
class Gate:
    """Lets readers in. Who gives a wrong password is counted; who gives none is only asked for it, as browsers expect.

    Args:
        refused: counts a refusal by whom and by which rule.
    """

    readers: Readers
    failures: Failures
    refused: Callable[[str, str], None]

    async def __call__(self, request: Request) -> None:
        headers = {name: request.headers[name] for name in request.headers}
        client = request.client.host if request.client else ""
        try:
            with self.failures.counted(client) if "authorization" in headers else nullcontext():
                self.readers.check(headers, client)
        except Refused as refusal:
            self.refused(READERS, refusal.rule)
            raise


def add_reading_routes(app: FastAPI, reading: Reading, gate: Gate) -> None:
    """Add the page and /api."""
    shared: dict[str, Any] = {
        "dependencies": [Depends(gate)],
        "responses": refusals(READING_REFUSALS),
    }
    for router in (_pages(reading), _api(reading)):
        app.include_router(router, **shared)


def _pages(reading: Reading) -> APIRouter:
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @pages.get("/")
    def index(
        kind: Kind | None = None, before: Before = None, runs_before: Before = None, refresh: str = ""
    ) -> HTMLResponse:
        asked = Asked(kind, before, runs_before, bool(refresh))
        return HTMLResponse(page.first_page(reading.first_page(asked), asked))

    @pages.get("/events/{id}")
    def event(id: EventId) -> HTMLResponse:
        return HTMLResponse(page.event_page(reading.event(id), reading.trace_or_none(id)))

    @pages.get("/runs/{id}")
    def run(id: RunId) -> HTMLResponse:
        row = reading.row(reading.run(id))
        return HTMLResponse(page.run_page(row, reading.trace_or_none(id), reading.wall()))

    @pages.get("/trace/{id:path}")
    def traced(id: AnyId) -> HTMLResponse:
        return HTMLResponse(page.trace_page(reading.trace(id)))

    @pages.get(page.STYLE_PATH)
    def style() -> Response:
        return Response(page.style(), media_type="text/css")

    return pages


def _api(reading: Reading) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["reading"])
    secured: dict[str, Any] = {"security": [{"reader": []}, {"bearer": []}, {}]}
    unknown = refusals({404: "There is no such thing."})

    @api.get("/status", summary="The state of things at a glance.", openapi_extra=secured)
    def status() -> Status:
        return status_answer(reading.overview(), reading.wall(), reading.clock())

    @api.get("/events", summary="Events, the newest first.", openapi_extra=secured)
    def events(limit: Limit = 50, before: Before = None, kind: Kind | None = None) -> Events:
        found = reading.store.events(limit + 1, before=before, kind=kind)
        following = found[limit - 1].number if len(found) > limit else None
        return Events(events=[event_answer(stored) for stored in found[:limit]], next=following)

    @api.get("/events/{id}", summary="One event.", openapi_extra=secured, responses=unknown)
    def event(id: EventId) -> EventAnswer:
        return event_answer(reading.event(id))

    @api.get("/runs", summary="Runs, the newest first.", openapi_extra=secured)
    def runs(limit: Limit = 50, before: Before = None) -> Runs:
        found = reading.store.runs(limit + 1, before=before)
        following = found[limit - 1].number if len(found) > limit else None
        return Runs(runs=[run_answer(run) for run in found[:limit]], next=following)

    @api.get("/runs/{id}", summary="One run.", openapi_extra=secured, responses=unknown)
    def run(id: RunId) -> RunAnswer:
        return run_answer(reading.run(id))

    @api.get(
        "/trace/{id}",
        summary="Everything that something is tied to.",
        openapi_extra=secured,
        responses=unknown,
    )
    def traced(id: AnyId) -> dict[str, Any]:
        return as_json(reading.trace(id))

    return api
