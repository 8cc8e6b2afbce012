"""What `pedalflow train` does. TensorFlow is imported after the first line of progress, since it takes seconds."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pedalflow.columns import Role, with_role
from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.errors import GateRefused
from pedalflow.frozen_json import to_text
from pedalflow.long_lived import long_lived
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.run_record import REFUSED, RunRecord
from pedalflow.workspace import Workspace


def main(argv: list[str]) -> int:
    """Run `pedalflow train` with the given arguments; returns the exit code."""
    arguments = options.parse("train", argv)
    silence(verbose=arguments.verbose)
    workspace = Workspace(arguments.workspace)
    progress = Progress(sys.stderr)
    with progress.step("starting TFX"), long_lived():
        from pipelines.training import Wish, train
    wish = Wish(arguments.until_span, promote=not arguments.no_promote, tune=arguments.tune)
    record = train(workspace, wish, progress)
    _show([record], workspace, as_json=arguments.json)
    if record.outcome == REFUSED and not arguments.accept_refusal:
        raise GateRefused(refusal(record))
    return 0


def refusal(record: RunRecord) -> str:
    """Why a model was refused, in a sentence with the numbers."""
    failed = [gate for gate in record.gates if not gate.passed]
    value = "not measurable" if failed[0].value is None else f"{failed[0].value:.3f}"
    more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
    return (
        f"release {record.release_id} was refused: {failed[0].rule} [{failed[0].slice}] is {value}, "
        f"the limit is {failed[0].limit} ({failed[0].note}){more}; the champion stays what it was"
    )


def label_unit(workspace: Workspace) -> str:
    """The unit of what the model predicts, as the use case's table of columns has it."""
    from components.use_cases import load_use_case
    from pipelines.settings import read_settings

    case = load_use_case(read_settings(workspace.params).use_case)
    return with_role(case.columns, Role.LABEL)[0].unit


def _show(records: Sequence[RunRecord], workspace: Workspace, *, as_json: bool) -> None:
    if as_json:
        print(to_text(records[-1]), end="")
        return
    from pipelines.report.files import write
    from pipelines.report.summary import terminal_table

    report = write(
        [workspace.runs / r.run_id for r in records],
        workspace.reports / f"{records[-1].run_id}.html",
        unit=label_unit(workspace),
    )
    print(terminal_table(records, report), end="")


if __name__ == "__main__":
    sys.exit(outermost(main))
