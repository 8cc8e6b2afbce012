"""What `pedalflow predict` does: predicts a file with a release."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import pyarrow as pa

from pedalflow import interrupts
from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.workspace import Workspace
from serving.batch import BatchSummary, BatchWish, predict_file
from serving.served import load_served


def main(argv: list[str]) -> int:
    """Run `pedalflow predict` with the given arguments; returns the exit code."""
    arguments = options.parse("predict", argv)
    silence(verbose=arguments.verbose)
    wish = BatchWish(
        source=arguments.input.expanduser(),
        target=arguments.output.expanduser(),
        batch_rows=arguments.batch_rows,
        skip_bad_rows=arguments.on_error == "skip",
        reasons=arguments.reasons,
    )
    pa.enable_signal_handlers(False)  # Arrow would catch Ctrl-C while it reads, and pass it on late or never
    progress = Progress(sys.stderr)
    with progress.step("checking the release"):
        served = load_served(arguments.release or Workspace(arguments.workspace).champion)
    with interrupts.held() as take_interrupt:  # Arrow calls back into Python, and loses what is raised there
        summary = predict_file(served, wish, progress, take_interrupt)
    print(json.dumps(asdict(summary), indent=2) if arguments.json else as_text(summary))
    return 0


def as_text(summary: BatchSummary) -> str:
    """The summary as people read it."""
    lines = [
        f"{summary.predicted:,} of {summary.rows:,} rows predicted by release {summary.release}: {summary.output}",
        f"{summary.outliers:,} of them are outliers",
    ]
    if summary.refused_file:
        lines.append(f"{summary.refused:,} rows could not be predicted: {summary.refused_file}")
    if summary.passed_through:
        lines.append(f"passed through, not used by the model: {', '.join(summary.passed_through)}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(outermost(main))
