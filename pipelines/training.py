"""`pedalflow train`: resolves a plan, runs the pipeline, promotes what was blessed, and leaves a record.

The record of a plan is written before anything is promoted and kept for good: the same plan asked again gets the same champion to
compare with, so that a re-run finds everything in TFX's cache instead of a new question.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from mlflow.exceptions import MlflowException

from components.acceptance import failures
from components.anomalies import read_anomalies
from components.registration import Champion, Registry, champion, fetch_release, promote
from components.use_cases import load_function, load_use_case
from components.verdict import read_verdict
from pedalflow.champion import Pointer, write_pointer
from pedalflow.errors import ReleaseBroken, RunFailed
from pedalflow.lock import exclusive
from pedalflow.progress import Progress
from pedalflow.release import REMEDY, Release, open_release
from pedalflow.run_record import (
    CHALLENGER,
    PREDICTIONS,
    PROMOTED,
    RECORD,
    REFUSED,
    UNCHANGED,
    Growth,
    RunRecord,
    SpanUsed,
    from_json,
    to_json,
)
from pedalflow.workspace import Workspace
from pipelines import provenance
from pipelines.arrivals.door import list_spans
from pipelines.arrivals.window import window
from pipelines.builder import Places, build_pipeline
from pipelines.local_runner import LocalRun, connection, run_locally
from pipelines.plan import Plan, PlannedSpan, code_fingerprint
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
    with exclusive(workspace.state / "train.lock", busy):
        if wish.tune:
            settings = _tune(workspace, settings, wish, progress)
        record = _train(workspace, settings, wish, progress)
        _point_to_champion(workspace, _registry(workspace, settings))
        return record


def _tune(workspace: Workspace, settings: Settings, wish: Wish, progress: Progress) -> Settings:
    """Search hyperparameters, keep the best in `params.yaml`, and read it again: the training then is one like any other."""
    plan = replace(resolve(workspace, settings, wish), tune=True)
    run = _run_pipeline(workspace, plan, _registry(workspace, settings), progress)
    keep_tuned(workspace.params, run.outputs["Tuner"]["best_hyperparameters"])
    return read_settings(workspace.params)


def _train(workspace: Workspace, settings: Settings, wish: Wish, progress: Progress) -> RunRecord:
    registry = _registry(workspace, settings)
    plan = resolve(workspace, settings, wish)
    folder = workspace.runs / run_id(plan)
    known = _known_record(folder)
    with progress.step("asking MLflow for the champion"), _registry_errors(registry):
        serves = champion(registry)
        compared = known.champion_release if known else _name(serves)
        plan = replace(plan, champion=_release_folder(workspace, registry, compared, serves))
    started = _now()
    run = _run_pipeline(workspace, plan, registry, progress)
    record = known or _record(plan, run, started, compared)
    if known is None:
        _keep(folder, record, run.outputs["AcceptanceGate"]["blessing"] / PREDICTIONS)
    with _registry_errors(registry):
        serves_now = _name(champion(registry))
        if may_promote(record, wish, serves_now):
            return _promote(folder, record, registry)
    if record.outcome == CHALLENGER and wish.promote:
        progress.say(
            f"{record.release_id} was judged against {record.champion_release or 'no champion'}, but {serves_now} serves now: "
            "it is not promoted. A new commit, span or parameter asks anew"
        )
    if known is not None and record.outcome != REFUSED:
        return replace(record, outcome=UNCHANGED, timings=run.timings)
    return record


def may_promote(record: RunRecord, wish: Wish, serves: str | None) -> bool:
    """A blessed challenger becomes champion where that is wished and the champion of now is the one it was judged against.

    It may also serve already: a promotion that was interrupted before it was recorded.
    """
    judged = serves in (record.champion_release, record.release_id)
    return record.outcome == CHALLENGER and wish.promote and judged


def has_champion(workspace: Workspace) -> bool:
    """Whether a release serves already."""
    registry = _registry(workspace, read_settings(workspace.params))
    with _registry_errors(registry):
        return champion(registry) is not None


def known_record(workspace: Workspace, wish: Wish) -> RunRecord | None:
    """What the same plan came to before, if it was asked before."""
    plan = resolve(workspace, read_settings(workspace.params), wish)
    return _known_record(workspace.runs / run_id(plan))


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


def _registry(workspace: Workspace, settings: Settings) -> Registry:
    uri = settings.registry.tracking_uri or workspace.mlflow_uri
    return Registry(uri, settings.registry.name, str(workspace.mlflow_artifacts))


@contextmanager
def _registry_errors(registry: Registry) -> Iterator[None]:
    """What MLflow says when it cannot be reached or will not answer, as one sentence of ours."""
    try:
        yield
    except MlflowException as error:
        first = str(error).splitlines()[0][:200]
        raise RunFailed(
            f"MLflow at {registry.tracking_uri} did not answer: {first}; start it, or mend registry.tracking_uri in params.yaml"
        ) from error


def _release_folder(
    workspace: Workspace, registry: Registry, name: str | None, serves: Champion | None
) -> str | None:
    """Where the champion lies, fetched from the registry where it is not here; verified, because the comparison rests on it."""
    if name is None:
        return None
    folder = workspace.releases / name
    if not folder.is_dir():
        fetch_release(registry, name, workspace.releases)
    release = open_release(folder, name)
    if serves is not None and serves.release == name and serves.checksum != release.checksum:
        raise ReleaseBroken(f"{folder} is not the release that the registry knows as {name}; {REMEDY}")
    return str(folder)


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


def _known_record(folder: Path) -> RunRecord | None:
    path = folder / RECORD
    return from_json(path.read_text(encoding="utf-8")) if path.exists() else None


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


def _promote(folder: Path, record: RunRecord, registry: Registry) -> RunRecord:
    """Move the alias, then write it down; interrupted between the two, the next call does both again."""
    if record.model_version is None or record.release_id is None:
        raise RunFailed(
            f"run {record.run_id} was blessed but not registered; delete {folder} and train again"
        )
    promote(registry, record.model_version, record.release_id)
    promoted = replace(record, outcome=PROMOTED)
    _write(folder / RECORD, promoted)
    return promoted


def _point_to_champion(workspace: Workspace, registry: Registry) -> None:
    """Tell the serving processes which release the registry calls champion."""
    with _registry_errors(registry):
        serves = champion(registry)
        folder = _release_folder(workspace, registry, _name(serves), serves)
    if serves is not None and folder is not None:
        write_pointer(workspace.champion, Pointer(serves.release, serves.checksum, Path(folder)))


def _name(serves: Champion | None) -> str | None:
    return None if serves is None else serves.release


def _growth(release: Release) -> Growth:
    growth: Mapping[str, Any] = release.facts["growth"]  # type: ignore[assignment]  # the builder writes it
    return Growth(**growth)


def _splits(folder: Path) -> dict[str, Path]:
    return {split: folder / f"Split-{split}" for split in SPLITS}


def _keep(folder: Path, record: RunRecord, predictions: Path) -> None:
    """The record last: a folder without it was interrupted and is written again."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(predictions, folder / PREDICTIONS)
    _write(folder / RECORD, record)


def _write(path: Path, record: RunRecord) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(to_json(record), encoding="utf-8")
    draft.replace(path)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
