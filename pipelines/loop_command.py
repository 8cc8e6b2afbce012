"""What `pedalflow loop` does: the first year arrives and trains, months arrive, the model retrains, and the champion serves."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from components.use_cases import load_use_case
from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.errors import GateRefused, SettingsError
from pedalflow.long_lived import long_lived
from pedalflow.loop_record import LOOP, LoopRecord
from pedalflow.loop_table import loop_table
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.replay_record import ReplayRecord
from pedalflow.replay_table import replay_table
from pedalflow.run_record import PROMOTED, REFUSED, RunRecord
from pedalflow.workspace import Workspace, make_workspace
from pipelines.arrivals.door import prepare
from pipelines.parameters import SMALL, with_values
from pipelines.provenance import REPOSITORY
from pipelines.run_files import all_records
from pipelines.settings import read_settings
from pipelines.train_command import label_unit, refusal

FIRST_SPAN, UNTIL_SPAN = 1, 4
FIRST_TRAINING = "the first training"
REPORT = "report.html"


def main(argv: list[str]) -> int:
    """Run `pedalflow loop` with the given arguments; returns the exit code."""
    arguments = options.parse("loop", argv)
    silence(verbose=arguments.verbose)
    workspace = Workspace(arguments.workspace)
    progress = Progress(sys.stderr)
    ensure_workspace(workspace, progress, small=arguments.quick)
    if arguments.no_serve or arguments.until_span is not None:
        return _months(workspace, arguments, progress)
    return _year(workspace, arguments, progress)


def _months(workspace: Workspace, arguments: Namespace, progress: Progress) -> int:
    """Without the triggers: spans arrive, the model retrains once, and serves the month after them."""
    until_span = arguments.until_span or UNTIL_SPAN
    records = play(workspace, until_span, progress)
    replay = None
    if not arguments.no_serve and workspace.champion.exists():
        progress.say("Serving the champion, and sending it the hours of the next span")
        replay = _serve(workspace, until_span, verbose=arguments.verbose)
    _show(records, workspace, as_json=arguments.json, replay=replay)
    if records[-1].outcome == REFUSED:
        raise GateRefused(refusal(records[-1]))
    return 0


def _year(workspace: Workspace, arguments: Namespace, progress: Progress) -> int:
    """With everything: a year is replayed, and whatever happens in it enters by the triggers' door."""
    from pipelines.loop.play import journal_of, places_of, play_year

    settings = read_settings(workspace.params)
    case = load_use_case(settings.use_case)
    journal = journal_of(workspace, quick=arguments.quick)
    if journal.at.quick != arguments.quick:
        raise SettingsError(
            f"{workspace.root} holds the {'quick' if journal.at.quick else 'whole'} story; "
            f"go on with `loop{' --quick' if journal.at.quick else ''}`, or give another folder with --workspace"
        )
    if not journal.at.first_release:
        with journal.phase(FIRST_TRAINING):
            records = play(workspace, FIRST_SPAN, progress)
        if records and records[-1].outcome == REFUSED:
            raise GateRefused(refusal(records[-1]))
    elif journal.at.over:
        progress.say(
            f"The year is over in this workspace; to play it again, use another one, or delete {workspace.root}"
        )
    else:
        progress.say(f"Going on after {journal.at.answered:,} hours")
    record = play_year(places_of(workspace, case, arguments.port), case, journal, arguments.speed, progress)
    replay = None if arguments.quick else _asked_once_more(workspace, progress, verbose=arguments.verbose)
    report = _report(workspace, promoted_runs(workspace), replay=replay, loop=record)
    if arguments.json:
        print(json.dumps({"loop": str(workspace.state / LOOP), "report": str(report)}, indent=2))
        return 0
    if replay is not None:
        print(f"\n{replay_table(replay)}", end="")
    print(f"\n{loop_table(record, report)}", end="")
    return 0


def _asked_once_more(workspace: Workspace, progress: Progress, *, verbose: bool) -> ReplayRecord:
    """The champion at the end of the year, looked at closely: a month that it was not trained on, over REST and gRPC."""
    last = promoted_runs(workspace)[-1]
    trained = next(record.until_span for record in all_records(workspace) if record.run_id == last)
    progress.say("Serving the champion once more, and sending it the first month that it was not trained on")
    return _serve(workspace, trained, verbose=verbose)


def ensure_workspace(workspace: Workspace, progress: Progress, *, small: bool = False) -> None:
    """Give a new workspace the repository's parameters, or those of a `small` network; one with its own hears where they differ."""
    repositorys = REPOSITORY / "params.yaml"
    text = repositorys.read_text(encoding="utf-8")
    if make_workspace(workspace, repositorys):
        workspace.params.write_text(with_values(text, SMALL) if small else text, encoding="utf-8")
        return
    if workspace.params.read_text(encoding="utf-8") in (text, with_values(text, SMALL) if small else text):
        return
    mine = workspace.root == REPOSITORY / "run"  # nobody keeps anything there
    anew = f"`make clean`, or delete {workspace.root}" if mine else "copy the repository's over it"
    progress.say(
        f"{workspace.params} differs from the repository's params.yaml, and is what counts here; to start anew: {anew}"
    )


def play(workspace: Workspace, until_span: int, progress: Progress) -> list[RunRecord]:
    """Train on the first span, let the others arrive, and train again on all of them.

    Where an earlier loop left a champion, and code or parameters have changed since, the first year is not asked again: the old
    champion is what the new model has to match.
    """
    with progress.step("starting TFX"), long_lived():
        from pipelines.training import Wish, has_champion, known_run, train
    records = []
    for number in sorted({FIRST_SPAN, until_span}):
        progress.say(f"Spans up to {number} arrive")
        prepare(workspace, number, lambda line: progress.say(f"  {line}"))
        wish = Wish(number)
        if number < until_span and has_champion(workspace) and known_run(workspace, wish) is None:
            progress.say(
                "The first year was trained on before, by other code or parameters: its champion stays the one to match"
            )
            continue
        progress.say(f"Training on spans 1 to {number}")
        records.append(train(workspace, wish, progress))
    return records


def _serve(workspace: Workspace, until_span: int, *, verbose: bool) -> ReplayRecord:
    from pipelines.served_span import serve_and_replay
    from pipelines.settings import read_settings

    return serve_and_replay(workspace, read_settings(workspace.params).use_case, until_span, verbose=verbose)


def _show(
    records: list[RunRecord], workspace: Workspace, *, as_json: bool, replay: ReplayRecord | None = None
) -> None:
    from pipelines.report.summary import terminal_table

    report = _report(workspace, [record.run_id for record in records], replay=replay)
    if as_json:
        served = None if replay is None else asdict(replay)
        runs = [asdict(record) for record in records]
        print(json.dumps({"runs": runs, "served": served, "report": str(report)}, indent=2))
        return
    if replay is not None:
        print(f"\n{replay_table(replay)}", end="")
    print(f"\n{terminal_table(records, report)}", end="")


def promoted_runs(workspace: Workspace) -> list[str]:
    """The first and the last run whose release became champion."""
    records = sorted(all_records(workspace), key=lambda record: record.finished)
    promoted = [record.run_id for record in records if record.outcome == PROMOTED]
    return list(dict.fromkeys([promoted[0], promoted[-1]]))


def _report(
    workspace: Workspace,
    runs: Sequence[str],
    *,
    replay: ReplayRecord | None = None,
    loop: LoopRecord | None = None,
) -> Path:
    from pipelines.report.files import write

    return write(
        [workspace.runs / run for run in runs],
        workspace.reports / REPORT,
        unit=label_unit(workspace),
        replay=replay,
        loop=loop,
    )


if __name__ == "__main__":
    sys.exit(outermost(main))
