"""The arguments of a run that come from a workspace: the window with its hashes, and where the champion lies."""

from __future__ import annotations

from components.stand_in import STAND_IN
from pedalflow.errors import DataMissing
from pedalflow.spans import Span, span_name
from pedalflow.workspace import Workspace
from pipelines.arrivals.door import list_spans
from pipelines.arrivals.window import Window, window
from pipelines.kubeflow.parameters import SpanArgument, spans_argument
from pipelines.settings import read_settings

DATA = ("spans", "first_evaluation_day")
CHAMPION = ("champion", "champion_uri")


def window_of(workspace: Workspace, until_span: int | None, *, without_files: bool = False) -> Window:
    """The workspace's window; without `until_span`: all that have arrived. Raises the errors of `pipelines.arrivals.window`."""
    spans = list_spans(workspace)
    if not spans:
        raise DataMissing(f"no span has arrived in {workspace.root}; `pedalflow data prepare` brings them in")
    days = read_settings(workspace.params).window.evaluation_days
    return window(spans, until_span or spans[-1].number, days, without_files=without_files)


def data_arguments(chosen: Window) -> dict[str, str]:
    """The window as the pipeline's parameters have it."""
    return {
        "spans": spans_argument([_argument(span) for span in chosen.spans]),
        "first_evaluation_day": chosen.evaluation_first.isoformat(),
    }


def champion_arguments(name: str, beside: str, uri: str = "") -> dict[str, str]:
    """The release to compare with, empty for none. Unless its `uri` is known, it lies among the releases in the folder of `beside`."""
    folder = beside.rpartition("/")[0]
    return {
        "champion": name,
        "champion_uri": (uri or f"{folder}/releases/{name}") if name else f"{folder}/{STAND_IN}",
    }


def _argument(span: Span) -> SpanArgument:
    return SpanArgument(span.number, span.rows, span.first, span.last, span.md5, span_name(span.number))
