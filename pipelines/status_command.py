"""What `pedalflow status` does: reads the workspace and the registry, changes nothing."""

from __future__ import annotations

import json
import sys
from typing import Any

from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.quiet import silence
from pedalflow.run_record import RunRecord, from_json
from pedalflow.spans import Span
from pedalflow.tables import table
from pedalflow.workspace import Workspace
from pipelines.arrivals.door import list_spans

SPAN_HEADERS = ("span", "rows", "first", "last", "state")


def main(argv: list[str]) -> int:
    """Run `pedalflow status` with the given arguments; returns the exit code."""
    arguments = options.parse("status", argv)
    silence(verbose=arguments.verbose)
    status = read_status(Workspace(arguments.workspace))
    print(json.dumps(status, indent=2) if arguments.json else as_text(status))
    return 0


def read_status(workspace: Workspace) -> dict[str, Any]:
    """Spans, runs (oldest first) and the release that the newest promotion made champion."""
    runs = read_runs(workspace)
    promoted = [run.release_id for run in runs if run.outcome == "promoted"]
    return {
        "workspace": str(workspace.root),
        "spans": [_span(span) for span in list_spans(workspace)],
        "runs": [_run(run) for run in runs],
        "champion": promoted[-1] if promoted else None,
    }


def read_runs(workspace: Workspace) -> list[RunRecord]:
    """The records of all finished runs, oldest first."""
    paths = workspace.runs.glob("*/run.json")
    return sorted(
        (from_json(path.read_text(encoding="utf-8")) for path in paths), key=lambda run: run.finished
    )


def as_text(status: dict[str, Any]) -> str:
    """The status as people read it."""
    spans = table([list(span.values()) for span in status["spans"]], SPAN_HEADERS)
    rows = [
        [r["run"], r["finished"], r["outcome"], f"{r['rmse']:.1f}", r["release"] or "-"]
        for r in status["runs"]
    ]
    runs = table(rows, ["run", "finished", "outcome", "RMSE", "release"])
    champion = status["champion"] or "none yet: `pedalflow train --until-span 1` makes the first one"
    return f"Workspace {status['workspace']}\n\n{spans}\n\n{runs}\n\nChampion: {champion}"


def _span(span: Span) -> dict[str, Any]:
    values = (span.number, span.rows, span.first, span.last, span.state.value)
    return dict(zip(SPAN_HEADERS, values, strict=True))


def _run(run: RunRecord) -> dict[str, Any]:
    return {
        "run": run.run_id,
        "finished": run.finished,
        "outcome": run.outcome,
        "rmse": run.candidate.rmse,
        "release": run.release_id,
        "version": run.model_version,
    }


if __name__ == "__main__":
    sys.exit(outermost(main))
