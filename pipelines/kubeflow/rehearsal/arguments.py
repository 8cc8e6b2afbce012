"""What a rehearsal gives a pipeline where the command line does not: the workspace's spans, and places of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pedalflow.release import open_release
from pedalflow.workspace import Workspace
from pipelines.kubeflow.arguments import champion_arguments, data_arguments, window_of
from pipelines.kubeflow.rehearsal.store import ObjectStore


def own_places(folder: Path) -> dict[str, Any]:
    """A registry and a folder of releases that belong to the rehearsal alone, so it changes nothing that serves; and nobody is told."""
    return {
        "registry_uri": f"sqlite:///{folder / 'mlflow.sqlite'}",
        "registry_artifacts": str(folder / "mlflow-artifacts"),
        "releases": str(folder / "releases"),
        "events_url": "",
    }


def bring_data(workspace: Workspace, until_span: int | None, uri: str, store: ObjectStore) -> dict[str, str]:
    """Put the spans of the workspace's window into the store at `uri`, and name them. Without `until_span`: all that have arrived.

    Raises the errors of the data (`pipelines.arrivals.window`).
    """
    chosen = window_of(workspace, until_span)
    for span in chosen.spans:
        store.upload(Path(span.path), f"{uri}/{Path(span.path).name}")
    return data_arguments(chosen)


def bring_champion(workspace: Workspace, name: str, beside: str, store: ObjectStore) -> Mapping[str, str]:
    """Put a release of the workspace into the store, in the folder in which `beside` lies. Raises ReleaseBroken where it is not whole."""
    release = open_release(workspace.releases / name, name)
    given = champion_arguments(name, beside)
    store.upload(release.folder, given["champion_uri"])
    return given
