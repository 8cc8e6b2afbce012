"""What a rehearsal gives a pipeline where the command line does not: the workspace's spans, and places of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pedalflow.errors import DataMissing
from pedalflow.release import open_release
from pedalflow.spans import Span
from pedalflow.workspace import Workspace
from pipelines.arrivals.door import list_spans
from pipelines.arrivals.window import window
from pipelines.kubeflow.parameters import SpanArgument, spans_argument
from pipelines.kubeflow.rehearsal.store import ObjectStore
from pipelines.settings import read_settings

DATA = ("spans", "first_evaluation_day")


def own_places(folder: Path) -> dict[str, Any]:
    """A registry and a folder of releases that belong to the rehearsal alone, so it changes nothing that serves."""
    return {
        "registry_uri": f"sqlite:///{folder / 'mlflow.sqlite'}",
        "registry_artifacts": str(folder / "mlflow-artifacts"),
        "releases": str(folder / "releases"),
    }


def bring_data(workspace: Workspace, until_span: int | None, uri: str, store: ObjectStore) -> dict[str, Any]:
    """Put the spans of the workspace's window into the store at `uri`, and name them. Without `until_span`: all that have arrived.

    Raises the errors of the data (`pipelines.arrivals.window`).
    """
    spans = list_spans(workspace)
    if not spans:
        raise DataMissing(f"no span has arrived in {workspace.root}; `pedalflow data prepare` brings them in")
    chosen = window(
        spans, until_span or spans[-1].number, read_settings(workspace.params).window.evaluation_days
    )
    for span in chosen.spans:
        store.upload(Path(span.path), f"{uri}/{Path(span.path).name}")
    return {
        "spans": spans_argument([_argument(span) for span in chosen.spans]),
        "first_evaluation_day": chosen.evaluation_first.isoformat(),
    }


def bring_champion(workspace: Workspace, name: str, beside: str, store: ObjectStore) -> Mapping[str, str]:
    """Put a release of the workspace into the store, in the folder in which `beside` lies. Raises ReleaseBroken where it is not whole."""
    release = open_release(workspace.releases / name, name)
    uri = f"{beside.rpartition('/')[0]}/releases/{name}"
    store.upload(release.folder, uri)
    return {"champion": name, "champion_uri": uri}


def _argument(span: Span) -> SpanArgument:
    return SpanArgument(span.number, span.rows, span.first, span.last, span.md5, Path(span.path).name)
