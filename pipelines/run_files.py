"""The records that runs leave in a workspace, as files: written whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

from pedalflow.errors import SettingsError
from pedalflow.run_record import PREDICTIONS, RECORD, RunRecord, from_json, to_json
from pedalflow.whole_files import write_whole
from pedalflow.workspace import Workspace


def all_records(workspace: Workspace) -> list[RunRecord]:
    """The records of all runs that came to their end, in no order."""
    return [from_json(path.read_text(encoding="utf-8")) for path in workspace.runs.glob(f"*/{RECORD}")]


def record_of(workspace: Workspace, release: str) -> RunRecord:
    """The record of the run that made `release`; of several, which gave the same bytes, the newest. Raises SettingsError."""
    records = [record for record in all_records(workspace) if record.release_id == release]
    if not records:
        raise SettingsError(
            f"no run in {workspace.runs} made a release {release}; `pedalflow status` lists the runs and their releases"
        )
    return max(records, key=lambda record: record.finished)


def known_record(folder: Path) -> RunRecord | None:
    """The record of a run, where it came to its end."""
    path = folder / RECORD
    return from_json(path.read_text(encoding="utf-8")) if path.exists() else None


def keep_record(folder: Path, record: RunRecord, predictions: Path) -> None:
    """The record last: a folder without it was interrupted and is written again."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(predictions, folder / PREDICTIONS)
    write_record(folder, record)


def write_record(folder: Path, record: RunRecord) -> None:
    """Write the record of a run; a reader sees the old one or the new."""
    write_whole(folder / RECORD, to_json(record))
