"""The first lines of every notebook: a quiet kernel, a workspace with its data, and the hours in it as one frame."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
from IPython.utils.capture import capture_output

from components.use_cases import load_use_case
from pedalflow.command.main import WORKSPACE_VARIABLE
from pedalflow.command.runtimes import surroundings
from pedalflow.errors import DataMissing
from pedalflow.loop_record import LOOP
from pedalflow.quiet import silence
from pedalflow.run_record import RECORD
from pedalflow.use_case import UseCase
from pedalflow.workspace import Workspace, make_workspace
from pipelines.arrivals.door import list_spans, prepare
from pipelines.parameters import with_values
from pipelines.provenance import REPOSITORY
from pipelines.settings import read_settings

ORIGIN = pd.Timestamp("1970-01-01")


def quiet() -> None:
    """Let this kernel, and what it starts, work as reproducibly and as quietly as the command does. Call it before other imports."""
    os.environ.update(surroundings(os.environ, verbose=False))
    silence(verbose=False)


def open_workspace(
    folder: str | Path, until_span: int, *, mlflow_uri: str | None = None, storage: str | None = None
) -> Workspace:
    """The workspace in `folder`, made where there is none, with its spans up to `until_span` taken in and versioned.

    `mlflow_uri` is MLflow's tracking server and `storage` the address of DVC's remote; None leaves both inside the workspace. Raises
    the errors of settings and data.
    """
    workspace = Workspace(Path(folder))
    if make_workspace(workspace, REPOSITORY / "params.yaml") and mlflow_uri is not None:
        text = workspace.params.read_text(encoding="utf-8")
        workspace.params.write_text(with_values(text, {"tracking_uri": mlflow_uri}), encoding="utf-8")
    with capture_output(stdout=False, stderr=False):  # DVC leaves an empty frame of progress for each span
        prepare(workspace, until_span)
    if storage is not None:
        _keep_data_at(workspace, storage)
    return workspace


def _keep_data_at(workspace: Workspace, storage: str) -> None:
    """Make `storage` the place that `dvc push` and `dvc pull` mean here, without a word of it in git."""
    local = workspace.root / ".dvc" / "config.local"
    local.write_text(f"['remote \"local\"']\n    url = {storage}\n", encoding="utf-8")


def played(folder: str) -> Workspace | None:
    """A workspace in which `pedalflow loop` was played: `folder`, or the one that the notebooks were opened for; None where it was not."""
    workspace = Workspace(Path(folder or os.environ.get(WORKSPACE_VARIABLE, REPOSITORY / "run")))
    return workspace if (workspace.state / LOOP).is_file() else None


def use_case(workspace: Workspace) -> UseCase:
    """The use case that the workspace's parameters name."""
    return load_use_case(read_settings(workspace.params).use_case)


def read_hours(workspace: Workspace, case: UseCase) -> pd.DataFrame:
    """Every row that has arrived, in order of time: the columns of the data, `span`, `when` (the hour) and `day`.

    The date column holds days since 1970-01-01, as the model takes them. Raises DataMissing where nothing has arrived.
    """
    spans = list_spans(workspace)
    if not spans:
        raise DataMissing(f"no span has arrived in {workspace.root}; run the cell that opens the workspace")
    parts = [pd.read_csv(span.path).assign(span=span.number) for span in spans]
    return in_time(pd.concat(parts, ignore_index=True), case)


def in_time(rows: pd.DataFrame, case: UseCase) -> pd.DataFrame:
    """The rows in order, with `when` and `day`, and the date as days since 1970-01-01."""
    days = pd.to_datetime(rows[case.date])
    dated = rows.assign(
        day=days,
        when=days + pd.to_timedelta(rows[case.hour], unit="h"),
        **{case.date: (days - ORIGIN).dt.days},
    )
    return dated.sort_values("when", kind="stable").reset_index(drop=True)


def run_folders(workspace: Workspace) -> tuple[Path, ...]:
    """The folders of all runs that left a record, by name."""
    return tuple(sorted(path.parent for path in workspace.runs.glob(f"*/{RECORD}")))
