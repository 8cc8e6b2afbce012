"""The page for operators: one HTML document a view, made on the server, without any script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from urllib.parse import quote, urlencode

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from triggers import wording
from triggers.events import Kind
from triggers.overview import Overview
from triggers.records import StoredEvent, StoredRun
from triggers.tracing.graph import Thing, Trace

STYLE_PATH = "/style.css"
REFRESH_S = 15


@dataclass(frozen=True)
class Asked:
    """What the reader of the first page asked for: one kind of event, older events or runs, and whether it loads itself again."""

    kind: Kind | None = None
    before: int | None = None
    runs_before: int | None = None
    refresh: bool = False

    def link(self, **changes: str | int | None) -> str:
        """The address of the first page with something changed; None takes it away."""
        values: dict[str, str | int | None] = {
            "kind": self.kind.value if self.kind else None,
            "before": self.before,
            "runs_before": self.runs_before,
            "refresh": REFRESH_S if self.refresh else None,
        }
        query = urlencode({name: value for name, value in (values | changes).items() if value is not None})
        return f"/?{query}" if query else "/"


@dataclass(frozen=True)
class RunRow:
    """A run with the events that it was asked for by."""

    run: StoredRun
    events: Sequence[StoredEvent]


@dataclass(frozen=True)
class FirstPage:
    """Everything that the first page shows. `older_events` and `older_runs` are where the next page begins; None where there is none."""

    overview: Overview
    chart: Markup
    runs: Sequence[RunRow]
    events: Sequence[StoredEvent]
    older_runs: int | None
    older_events: int | None
    now: float
    clock: float


def first_page(shown: FirstPage, asked: Asked) -> str:
    """The page `/`."""
    return _render("index.html.j2", shown=shown, asked=asked, kinds=tuple(Kind))


def event_page(stored: StoredEvent, trace: Trace | None) -> str:
    """The page of one event."""
    return _render("event.html.j2", stored=stored, trace=trace)


def run_page(row: RunRow, trace: Trace | None, now: float) -> str:
    """The page of one run."""
    return _render("run.html.j2", row=row, trace=trace, now=now)


def trace_page(trace: Trace) -> str:
    """The page of anything else that a trace leads to: a release, a span, a commit, a request."""
    return _render("trace.html.j2", trace=trace)


def error_page(status: int, message: str) -> str:
    """What a browser shows where there is nothing to show."""
    return _render("error.html.j2", status=status, message=message)


def style() -> str:
    """The style sheet."""
    return _resource("style.css")


def address(kind: Thing, id: str) -> str:
    """Where the page of a thing is; empty for a window, which has none."""
    if kind is Thing.WINDOW:
        return ""
    folder: Mapping[Thing, str] = {Thing.EVENT: "events", Thing.RUN: "runs"}
    return f"/{folder.get(kind, 'trace')}/{quote(id, safe='')}"


def _render(name: str, **values: object) -> str:
    return _environment().get_template(name).render(**values)


def _resource(name: str) -> str:
    return resources.files("triggers").joinpath("page").joinpath(name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        moment=wording.moment,
        iso=wording.iso,
        lasted=wording.lasted,
        figure=wording.figure,
        fact=wording.fact_text,
        run_badge=wording.run_badge,
        web=wording.web_address,
        event_badge=wording.event_badge,
        reasons=wording.reasons,
    )
    environment.globals.update(
        address=address,
        ran_for=wording.ran_for,
        style_path=STYLE_PATH,
        refresh_s=REFRESH_S,
        resume=wording.RESUME,
    )
    return environment
