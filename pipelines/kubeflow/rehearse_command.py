"""What `pedalflow rehearse` does."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.errors import GateRefused, RunFailed
from pedalflow.lock import exclusive
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.workspace import Workspace
from pipelines.kubeflow.arguments import DATA
from pipelines.kubeflow.compiled import CompiledPipeline, complete, read_assignments, read_compiled
from pipelines.kubeflow.rehearsal.arguments import bring_champion, bring_data, own_places
from pipelines.kubeflow.rehearsal.driver import Run
from pipelines.kubeflow.rehearsal.orchestrator import Orchestrator
from pipelines.kubeflow.rehearsal.outcome import Rehearsal
from pipelines.kubeflow.rehearsal.processes import Cold, Runner, base_environment, warm
from pipelines.kubeflow.rehearsal.store import ObjectStore
from pipelines.kubeflow.rehearsal.table import Made, as_json, as_table, made_by


def main(argv: list[str]) -> int:
    """Run `pedalflow rehearse` with the given arguments; returns the exit code."""
    arguments = options.parse("rehearse", argv)
    silence(verbose=arguments.verbose)
    workspace = Workspace(arguments.workspace)
    pipeline = read_compiled(arguments.file)
    folder = workspace.state / "rehearsal"
    busy = f"another rehearsal is at work in {workspace.root}; wait for it, or use another --workspace"
    with exclusive(workspace.state / "rehearsal.lock", busy):
        shutil.rmtree(folder, ignore_errors=True)
        store = ObjectStore(folder / "store")
        began = time.monotonic()
        values = _values(pipeline, arguments, workspace, store, folder)
        rehearsal = _rehearse(pipeline, values, store, folder, cold=arguments.cold)
        made = made_by(rehearsal, store)
    _show(rehearsal, made, time.monotonic() - began, as_json_text=arguments.json)
    _raise_what_failed(rehearsal, made)
    return 0


def _values(
    pipeline: CompiledPipeline,
    arguments: argparse.Namespace,
    workspace: Workspace,
    store: ObjectStore,
    folder: Path,
) -> dict[str, Any]:
    """What the command line gives, else what the rehearsal has of its own, else the pipeline's defaults."""
    typed = read_assignments(pipeline, arguments.param)
    defaults = {name: p.get("defaultValue") for name, p in pipeline.parameters.items()}
    places = {**defaults, **typed}
    own: dict[str, Any] = own_places(folder)
    if not typed.keys() & set(DATA):
        own |= bring_data(workspace, arguments.until_span, places["spans_uri"], store)
    if arguments.champion:
        own |= bring_champion(workspace, arguments.champion, places["champion_uri"], store)
    return complete(pipeline, {**own, **typed})


def _rehearse(
    pipeline: CompiledPipeline, values: Mapping[str, Any], store: ObjectStore, folder: Path, *, cold: bool
) -> Rehearsal:
    progress = Progress(sys.stderr)
    run_id = f"rehearsal-{uuid.uuid4().hex[:12]}"
    run = Run(run_id, run_id, pipeline.name, str(pipeline.spec["defaultPipelineRoot"]))
    with _runner(pipeline, progress, cold=cold) as runner:
        return Orchestrator(pipeline, store, runner, run, folder, progress).rehearse(values)


@contextmanager
def _runner(pipeline: CompiledPipeline, progress: Progress, *, cold: bool) -> Iterator[Runner]:
    base = base_environment(pipeline.secret_variables)
    if cold:
        yield Cold(base)
        return
    with ExitStack() as ending:
        with progress.step("starting TFX"):
            runner = ending.enter_context(warm(base, pipeline.variables))
        yield runner


def _show(rehearsal: Rehearsal, made: Made | None, seconds: float, *, as_json_text: bool) -> None:
    if as_json_text:
        print(json.dumps(as_json(rehearsal, made, seconds), indent=1))
        return
    print(as_table(rehearsal.tasks))
    if made:
        print(f"\nRelease: {made.release} (sha256 of its manifest: {made.checksum})")
    print(f"Took:    {seconds:.1f} s")


def _raise_what_failed(rehearsal: Rehearsal, made: Made | None) -> None:
    failed = rehearsal.failed
    if failed:
        raise RunFailed(
            f"the task {failed.name} failed in attempt {failed.attempts} with exit code {failed.code}; all that it printed is in "
            f"{rehearsal.folder}/pods/{failed.name}-{failed.attempts}/log\n{failed.why}"
        )
    if made and not made.pushed:
        raise GateRefused(f"release {made.release} was refused by the acceptance gate, so it was not pushed")


if __name__ == "__main__":
    sys.exit(outermost(main))
