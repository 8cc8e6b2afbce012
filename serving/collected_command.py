"""What `pedalflow collected` does: writes the labelled rows that may retrain, and those that may not with their reasons."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from detectors.layout import take
from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.errors import DataMissing, SettingsError
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.tables import table
from pedalflow.workspace import Workspace
from serving.arrival_batch import as_batch, hours_between
from serving.batch_files import CSV, kind_of, output_draft, written
from serving.collector import FOLDER
from serving.pairs import Pairs, read_pairs
from serving.scoring.request import DATE
from serving.segments import OWN_LOG
from serving.served import Served, load_served


@dataclass(frozen=True)
class Days:
    """Which days are wanted, both included; None leaves that side open."""

    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class CollectedSummary:
    """What was written: `kept` rows. `kept_out_by` counts rows by the kind of reason, `incomplete` requests that cannot be used at all."""

    rows: int
    kept: int
    kept_out: int
    kept_out_by: Mapping[str, int]
    incomplete: Mapping[str, int]
    unlabelled: int
    unmatched: int
    output: str
    kept_out_file: str


def main(argv: list[str]) -> int:
    """Run `pedalflow collected` with the given arguments; returns the exit code."""
    arguments = options.parse("collected", argv)
    silence(verbose=arguments.verbose)
    workspace = Workspace(arguments.workspace)
    output = arguments.output.expanduser()
    kept_out = arguments.kept_out.expanduser() if arguments.kept_out else None
    for file in (output, kept_out):
        if file is not None:
            kind_of(file)
    if kept_out is not None and output.resolve() == kept_out.resolve():
        raise SettingsError(f"{output} cannot take both kinds of rows; give two files")
    if arguments.arrival and kind_of(output) != CSV:
        raise SettingsError(f"{output} cannot arrive; `pedalflow data arrive` takes a .csv file")
    if not arguments.arrival and (arguments.first or arguments.last):
        raise SettingsError("--first and --last choose the days of an arrival; add --arrival")
    folders = _folders(workspace, arguments.state, arguments.log)
    progress = Progress(sys.stderr)
    with progress.step("checking the release"):
        served = load_served(arguments.release or workspace.champion)
    with progress.step("joining and screening"):
        pairs = read_pairs(folders, served.schema, served.detectors)
    if arguments.arrival:
        summary = write_arrival(pairs, served, output, kept_out, Days(arguments.first, arguments.last))
    else:
        summary = write(pairs, served, output, kept_out)
    print(json.dumps(asdict(summary), indent=2) if arguments.json else as_text(summary))
    return 0


def _folders(workspace: Workspace, state: Path | None, log: Path | None) -> list[Path]:
    """Where lines may lie. A folder that was named must be there; those of the workspace may be missing, but not both."""
    for named in (state, log):
        if named is not None and not named.is_dir():
            raise DataMissing(
                f"{named} does not exist; give the folder that the event services or the predictor write to"
            )
    folders = [(state or workspace.serving) / FOLDER]
    if log is not None or state is None:
        folders.append(log or workspace.serving / OWN_LOG)
    if not any(folder.is_dir() for folder in folders):
        listed = " nor ".join(map(str, folders))
        raise DataMissing(f"nothing was collected yet: there is neither {listed}; `pedalflow serve` collects")
    return folders


def write(pairs: Pairs, served: Served, output: Path, kept_out: Path | None) -> CollectedSummary:
    """Write both files; each is complete or not there."""
    out = np.array([bool(reasons) for reasons in pairs.reasons], bool)
    _write(_batch(pairs, served, np.flatnonzero(~out), with_reasons=False), output)
    return _kept_apart(pairs, served, output, kept_out, pairs.kept)


def write_arrival(
    pairs: Pairs, served: Served, output: Path, kept_out: Path | None, days: Days
) -> CollectedSummary:
    """The same, but what may retrain has the form of a batch that arrives, and of these days only.

    Raises:
        DataRefused: no row of these days may retrain.
    """
    layout = served.detectors.layout
    rows = hours_between(pairs, layout, days.first, days.last)
    _write(as_batch(pairs, served.schema, layout, rows), output)
    return _kept_apart(pairs, served, output, kept_out, len(rows))


def _kept_apart(
    pairs: Pairs, served: Served, output: Path, kept_out: Path | None, written_rows: int
) -> CollectedSummary:
    if kept_out is not None:
        out = np.array([bool(reasons) for reasons in pairs.reasons], bool)
        _write(_batch(pairs, served, np.flatnonzero(out), with_reasons=True), kept_out)
    return CollectedSummary(
        len(pairs.labels),
        written_rows,
        len(pairs.labels) - pairs.kept,
        pairs.kept_out,
        pairs.incomplete,
        pairs.unlabelled,
        pairs.unmatched,
        str(output),
        str(kept_out or ""),
    )


def _write(batch: pa.RecordBatch, file: Path) -> None:
    with output_draft(file) as draft, written(draft, kind_of(file), batch.schema) as sink:
        sink.write(batch)


def _batch(pairs: Pairs, served: Served, rows: np.ndarray[Any, Any], *, with_reasons: bool) -> pa.RecordBatch:
    """Features, label, prediction, release, request id, row, and the reasons where they are wanted."""
    columns = take(pairs.columns, rows)
    picked = rows.tolist()
    arrays = {
        field.name: pa.array(columns[field.name].astype("datetime64[D]"), pa.date32())
        if field.kind == DATE
        else pa.array(columns[field.name])
        for field in served.schema.fields
    }
    arrays[served.detectors.layout.label] = pa.array(pairs.labels[rows])
    arrays["prediction"] = pa.array(pairs.predictions[rows])
    arrays["release"] = pa.array([pairs.releases[row] for row in picked], pa.string())
    arrays["request_id"] = pa.array([pairs.request_ids[row] for row in picked], pa.string())
    arrays["row"] = pa.array([pairs.rows[row] for row in picked], pa.int64())
    if with_reasons:
        arrays["reasons"] = pa.array(["; ".join(pairs.reasons[row]) for row in picked], pa.string())
    return pa.RecordBatch.from_arrays(list(arrays.values()), list(arrays))


def as_text(summary: CollectedSummary) -> str:
    """The summary as people read it."""
    lines = [f"{summary.kept:,} of {summary.rows:,} labelled rows may retrain: {summary.output}"]
    if summary.kept_out:
        lines += [
            f"{summary.kept_out:,} rows are kept out{f': {summary.kept_out_file}' if summary.kept_out_file else ''}",
            "",
            table(
                [[reason, f"{rows:,}"] for reason, rows in summary.kept_out_by.items()], ["reason", "rows"]
            ),
            "",
        ]
    lines += [f"{count:,} requests cannot be used: {why}" for why, count in summary.incomplete.items()]
    lines.append(
        f"{summary.unlabelled:,} answered requests wait for labels, {summary.unmatched:,} labels for a request"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(outermost(main))
