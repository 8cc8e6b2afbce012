"""`pedalflow train`: resolves a plan, runs the pipeline, promotes what was blessed, and leaves a record.

The record of a plan is written before anything is promoted and kept for good: the same plan asked again gets the same champion to
compare with, so that a re-run finds everything in TFX's cache instead of a new question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from components.acceptance import failures
from components.anomalies import read_anomalies
from components.registry import Registry, champion
from components.use_cases import load_function, load_use_case
from components.verdict import read_verdict
from pedalflow.lock import exclusive
from pedalflow.progress import Progress
from pedalflow.release import Release, open_release
from pedalflow.run_record import CHALLENGER, PREDICTIONS, REFUSED, UNCHANGED, Growth, RunRecord, SpanUsed
from pedalflow.workspace import Workspace
from pipelines import provenance
from pipelines.arrivals.door import list_spans
from pipelines.arrivals.window import window
from pipelines.builder import Places, build_pipeline
from pipelines.local_runner import LocalRun, connection, run_locally
from pipelines.plan import Plan, PlannedSpan, code_fingerprint
from pipelines.promotion import (
    keep_promoted,
    may_promote,
    name_of,
    point_to_champion,
    registry_errors,
    registry_of,
    release_folder,
    training_lock,
    was_rolled_back,
)
from pipelines.run_files import keep_record, known_record
from pipelines.settings import Settings, read_settings
from pipelines.statistics import read_statistics
from pipelines.tuned import keep_tuned

SPLITS = ("train", "eval")


@dataclass(frozen=True)
class Wish:
    """What the user asked for: the newest span, whether a blessed release becomes champion, whether to search hyperparameters."""

    until_span: int
    promote: bool = True
    tune: bool = False


def train(workspace: Workspace, wish: Wish, progress: Progress) -> RunRecord:
    """Train, gate, register and, where wished and allowed, promote. A refused model is an outcome, not an error.

    Raises the errors of the data, of the settings and of the pipeline's nodes; in each case the champion stays what it was.
    """
    settings = read_settings(workspace.params)
    busy = f"another training is at work in {workspace.root}; wait for it, or use another --workspace"
    with exclusive(training_lock(workspace), busy):
        if wish.tune:
            settings = _tune(workspace, settings, wish, progress)
        record = _train(workspace, settings, wish, progress)
        point_to_champion(workspace, registry_of(workspace, settings))
        return record


def _tune(workspace: Workspace, settings: Settings, wish: Wish, progress: Progress) -> Settings:
    """Search hyperparameters, keep the best in `params.yaml`, and read it again: the training then is one like any other."""
    plan = replace(resolve(workspace, settings, wish), tune=True)
    run = _run_pipeline(workspace, plan, registry_of(workspace, settings), progress)
    keep_tuned(workspace.params, run.outputs["Tuner"]["best_hyperparameters"])
    return read_settings(workspace.params)


def _train(workspace: Workspace, settings: Settings, wish: Wish, progress: Progress) -> RunRecord:
    registry = registry_of(workspace, settings)
    plan = resolve(workspace, settings, wish)
    folder = workspace.runs / run_id(plan)
    known = known_record(folder)
    with progress.step("asking MLflow for the champion"), registry_errors(registry):
        serves = champion(registry)
        compared = known.champion_release if known else name_of(serves)
        plan = replace(plan, champion=release_folder(workspace, registry, compared, serves))
    started = _now()
    run = _run_pipeline(workspace, plan, registry, progress)
    record = known or _record(plan, run, started, compared)
    if known is None:
        keep_record(folder, record, run.outputs["AcceptanceGate"]["blessing"] / PREDICTIONS)
    with registry_errors(registry):
        serves_now = name_of(champion(registry))
        if wish.promote and may_promote(record, serves_now):
            return keep_promoted(workspace, record, registry)
    if record.outcome == CHALLENGER and wish.promote:
        progress.say(
            f"{record.release_id} was judged against {record.champion_release or 'no champion'}, but {serves_now} serves now: "
            "it is not promoted. A new commit, span or parameter asks anew"
        )
    if known is not None and not _still_to_come(workspace, record, wish, serves_now):
        return replace(record, outcome=UNCHANGED, timings=run.timings)
    return record


def _still_to_come(workspace: Workspace, record: RunRecord, wish: Wish, serves: str | None) -> bool:
    """Whether a known run's outcome still holds: a gate refused it, or it is a challenger that is still to be rolled out."""
    if record.outcome == REFUSED:
        return True
    challenges = not wish.promote and may_promote(record, serves) and record.release_id != serves
    return challenges and not was_rolled_back(workspace, str(record.release_id))


def has_champion(workspace: Workspace) -> bool:
    """Whether a release serves already."""
    registry = registry_of(workspace, read_settings(workspace.params))
    with registry_errors(registry):
        return champion(registry) is not None


def known_run(workspace: Workspace, wish: Wish) -> RunRecord | None:
    """What the same plan came to before, if it was asked before."""
    plan = resolve(workspace, read_settings(workspace.params), wish)
    return known_record(workspace.runs / run_id(plan))


def resolve(workspace: Workspace, settings: Settings, wish: Wish) -> Plan:
    """The plan of a run, all but its champion."""
    case = load_use_case(settings.use_case)
    chosen = window(list_spans(workspace), wish.until_span, settings.window.evaluation_days)
    spans = tuple(
        PlannedSpan(SpanUsed(s.number, s.rows, s.first, s.last, s.md5), s.path) for s in chosen.spans
    )
    folders = provenance.code_folders(settings.use_case)
    commit, dirty = provenance.commit(folders)
    model = load_function(case.hyperparameters)(settings.model)
    return Plan(
        use_case=settings.use_case,
        spans=spans,
        first_evaluation_day=chosen.evaluation_first.isoformat(),
        commit=commit,
        dirty=dirty,
        code=code_fingerprint(provenance.REPOSITORY, folders),
        parameters={
            "model": model,
            "tuner": settings.tuner.model_dump(),
            "gates": settings.gates.model_dump(),
            "detectors": settings.detectors.model_dump(),
        },
        environment=provenance.environment(),
        registry=f"{settings.registry.tracking_uri} {settings.registry.name}",
    )


def run_id(plan: Plan) -> str:
    """The name of a plan's run: the same plan, the same name."""
    return f"span-{plan.until_span:02d}-{plan.key[:10]}"


def _run_pipeline(workspace: Workspace, plan: Plan, registry: Registry, progress: Progress) -> LocalRun:
    places = Places(
        pipeline_root=str(workspace.pipeline_root),
        schema_file=str(_write_schema(workspace, plan)),
        releases=str(workspace.releases),
        registry=vars(registry),
    )
    workspace.state.mkdir(parents=True, exist_ok=True)
    pipeline = build_pipeline(plan, places, connection(workspace.ml_metadata))
    with ExitStack() as current:

        def next_node(name: str) -> None:
            current.close()
            current.enter_context(progress.step(name))

        return run_locally(pipeline, workspace.ml_metadata, next_node)


def _write_schema(workspace: Workspace, plan: Plan) -> Path:
    """The curated schema as a file named after the code that made it: TFX's cache looks at the name only."""
    schema = load_function(load_use_case(plan.use_case).schema)()
    path = workspace.state / "schemas" / f"{plan.maker[:16]}.pbtxt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_format.MessageToString(schema), encoding="utf-8")
    return path


def _record(plan: Plan, run: LocalRun, started: str, compared: str | None) -> RunRecord:
    outputs = run.outputs
    verdict = read_verdict(outputs["AcceptanceGate"]["blessing"])
    release = open_release(outputs["ReleaseBuilder"]["release"])
    registered = json.loads(outputs["MlflowRegistrar"]["registration"].read_text(encoding="utf-8"))
    scores = verdict.evaluation
    return RunRecord(
        run_id=run_id(plan),
        started=started,
        finished=_now(),
        outcome=REFUSED if failures(verdict.gates) else CHALLENGER,
        until_span=plan.until_span,
        spans=tuple(span.used for span in plan.spans),
        evaluation_first=verdict.evaluation_first,
        evaluation_last=verdict.evaluation_last,
        train_rows=verdict.train_rows,
        evaluation_rows=scores.candidate.rows,
        commit=plan.commit,
        dirty=plan.dirty,
        release_id=release.name,
        model_version=registered["version"],
        champion_release=compared,
        candidate=scores.candidate,
        naive=scores.naive,
        champion=scores.champion,
        slices=scores.slices,
        gates=verdict.gates,
        statistics=read_statistics(_splits(outputs["StatisticsGen"]["statistics"])),
        anomalies=read_anomalies(_splits(outputs["ExampleValidator"]["anomalies"])),
        timings=run.timings,
        growth=_growth(release),
        params=dict(plan.parameters),
        environment=dict(plan.environment),
    )


def _growth(release: Release) -> Growth:
    growth: Mapping[str, Any] = release.facts["growth"]  # type: ignore[assignment]  # the builder writes it
    return Growth(**growth)


def _splits(folder: Path) -> dict[str, Path]:
    return {split: folder / f"Split-{split}" for split in SPLITS}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
