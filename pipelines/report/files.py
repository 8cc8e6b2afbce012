"""From the folders that runs leave behind to the report on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pedalflow.errors import DataMissing, SettingsError
from pedalflow.loop_record import LoopRecord
from pedalflow.replay_record import ReplayRecord
from pedalflow.run_record import PREDICTIONS, RECORD, RunRecord, from_json
from pipelines.report.html import render
from pipelines.report.loop_svg import standalone
from pipelines.report.series import COLUMNS

LOOP_PICTURE = "loop.svg"
NUMBERS = ("actual", "candidate", "naive", "champion")


def load(run_dir: Path) -> tuple[RunRecord, pd.DataFrame]:
    """The record and the predictions of one run; no predictions (a run that stopped early) are an empty
    frame.

    Raises DataMissing where `run.json` is not there, and SettingsError that names the file where one does not
    hold what it should.
    """
    path = run_dir / RECORD
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataMissing(
            f"{path} is missing, so there is nothing to report. Did the run end? Train again."
        ) from error
    try:
        record = from_json(text)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    return record, _predictions(run_dir / PREDICTIONS)


def _predictions(path: Path) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in COLUMNS})
    try:
        frame = pd.read_csv(path, dtype={"dteday": str, "hr": "int64", **dict.fromkeys(NUMBERS, "float64")})
    except ValueError as error:
        raise SettingsError(f"{path}: {error}. Train again to write it anew.") from error
    if absent := [name for name in COLUMNS if name not in frame]:
        raise SettingsError(f"{path}: missing column {', '.join(absent)}. Train again to write it anew.")
    return frame


def write(
    run_dirs: Sequence[Path],
    path: Path,
    *,
    heading: str = "Pedalflow report",
    unit: str = "",
    replay: ReplayRecord | None = None,
    loop: LoopRecord | None = None,
) -> Path:
    """Writes the report of the runs in `run_dirs` to `path` and returns it; a reader sees the old page or the
    new, never a part.

    With a `loop`, its picture is written beside it too, as LOOP_PICTURE. Raises what `load` raises, and then leaves `path` as it was.
    """
    runs = [load(run_dir) for run_dir in run_dirs]
    page = render(runs, heading=heading, unit=unit, replay=replay, loop=loop)
    if loop is not None:
        _put(path.with_name(LOOP_PICTURE), standalone(loop, unit))
    _put(path, page)
    return path


def _put(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
