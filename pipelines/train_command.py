"""What `pedalflow train` does. TensorFlow is imported after the first line of progress, since it takes seconds."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from pedalflow.columns import Role, with_role
from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.errors import DataRefused, GateRefused
from pedalflow.long_lived import long_lived
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.run_record import REFUSED, RunRecord, to_json
from pedalflow.workspace import Workspace
from pipelines.arrivals.taking_in import Intake, take_in
from pipelines.newest import newest_span, unseen_spans

DATA_REFUSED = "data refused"  # the outcome of a run that did not begin


def main(argv: list[str]) -> int:
    """Run `pedalflow train` with the given arguments; returns the exit code."""
    arguments = options.parse("train", argv)
    silence(verbose=arguments.verbose)
    workspace = Workspace(arguments.workspace)
    progress = Progress(sys.stderr)
    intake = take_in(workspace, arguments.take_in, progress.say)
    _refuse_if_nothing_is_new(workspace, intake, as_json=arguments.json)
    until_span = arguments.until_span or newest_span(workspace)
    with progress.step("starting TFX"), long_lived():
        from pipelines.training import Wish, train
    record = train(workspace, Wish(until_span, not arguments.no_promote, arguments.tune), progress)
    if arguments.json:
        print(as_json(record, intake if arguments.take_in else None), end="")
    else:
        _show([record], workspace)
    gc.freeze()  # the process is about to end and its memory goes as a whole, so nothing need be collected first
    if record.outcome == REFUSED and not arguments.accept_refusal:
        raise GateRefused(refusal(record))
    return 0


def _refuse_if_nothing_is_new(workspace: Workspace, intake: Intake, *, as_json: bool) -> None:
    """Say that files were refused, and raise DataRefused where they were all there was to train on."""
    for refused in intake.refused_files:
        print(f"pedalflow: {refused.why}", file=sys.stderr)
    if not intake.refused_files or intake.taken_in or unseen_spans(workspace):
        return
    if as_json:
        print(json.dumps({"outcome": DATA_REFUSED, **asdict(intake)}, indent=1))
    first = intake.refused_files[0]
    others = f" and {len(intake.refused_files) - 1} more" if len(intake.refused_files) > 1 else ""
    raise DataRefused(
        f"nothing was trained: {first.file}{others} was refused ({first.rule}), and the champion has seen all other data"
    )


def as_json(record: RunRecord, intake: Intake | None) -> str:
    """The record for scripts; where files were to be taken in, with what became of them."""
    if intake is None:
        return to_json(record)
    return json.dumps({**asdict(record), **asdict(intake)}, indent=1, ensure_ascii=False) + "\n"


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


def _show(records: Sequence[RunRecord], workspace: Workspace) -> None:
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
