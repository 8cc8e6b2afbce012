"""What `pedalflow loop` does: the first year arrives and trains, months arrive, the model retrains, and the champion serves."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.errors import GateRefused
from pedalflow.long_lived import long_lived
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.replay_record import ReplayRecord
from pedalflow.replay_table import replay_table
from pedalflow.run_record import REFUSED, RunRecord
from pedalflow.workspace import Workspace, make_workspace
from pipelines.arrivals.door import prepare
from pipelines.provenance import REPOSITORY
from pipelines.train_command import label_unit, refusal

FIRST_SPAN = 1
REPORT = "report.html"


def main(argv: list[str]) -> int:
    """Run `pedalflow loop` with the given arguments; returns the exit code."""
    arguments = options.parse("loop", argv)
    silence(verbose=arguments.verbose)
    workspace = Workspace(arguments.workspace)
    progress = Progress(sys.stderr)
    ensure_workspace(workspace, progress)
    records = play(workspace, arguments.until_span, progress)
    replay = None
    if not arguments.no_serve and workspace.champion.exists():
        progress.say("Serving the champion, and sending it the hours of the next span")
        replay = _serve(workspace, arguments.until_span, verbose=arguments.verbose)
    _show(records, workspace, as_json=arguments.json, replay=replay)
    if records[-1].outcome == REFUSED:
        raise GateRefused(refusal(records[-1]))
    return 0


def ensure_workspace(workspace: Workspace, progress: Progress) -> None:
    """Give a new workspace the repository's parameters; an existing one keeps its own, and hears where they differ."""
    repositorys = REPOSITORY / "params.yaml"
    if make_workspace(workspace, repositorys) or workspace.params.read_bytes() == repositorys.read_bytes():
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
        from pipelines.training import Wish, has_champion, known_record, train
    records = []
    for number in sorted({FIRST_SPAN, until_span}):
        progress.say(f"Spans up to {number} arrive")
        prepare(workspace, number, lambda line: progress.say(f"  {line}"))
        wish = Wish(number)
        if number < until_span and has_champion(workspace) and known_record(workspace, wish) is None:
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
    from pipelines.report.files import write
    from pipelines.report.summary import terminal_table

    report = write(
        [workspace.runs / record.run_id for record in records],
        workspace.reports / REPORT,
        unit=label_unit(workspace),
        replay=replay,
    )
    if as_json:
        served = None if replay is None else asdict(replay)
        runs = [asdict(record) for record in records]
        print(json.dumps({"runs": runs, "served": served, "report": str(report)}, indent=2))
        return
    if replay is not None:
        print(f"\n{replay_table(replay)}", end="")
    print(f"\n{terminal_table(records, report)}", end="")


if __name__ == "__main__":
    sys.exit(outermost(main))
