"""Who serves: asks the registry for the champion, makes a challenger the champion, and tells the serving processes.

TensorFlow is not needed for it, so a rollout that ends well is over in a second or two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mlflow.exceptions import MlflowException

from components.registry import Champion, Registry, champion, fetch_release, promote
from pedalflow.champion import Pointer, write_pointer
from pedalflow.errors import GateRefused, ReleaseBroken, RunFailed
from pedalflow.lock import exclusive
from pedalflow.release import REMEDY, open_release
from pedalflow.run_record import CHALLENGER, PROMOTED, REFUSED, RunRecord
from pedalflow.workspace import Workspace
from pipelines.run_files import record_of, write_record
from pipelines.settings import Settings, read_settings

ROLLOUTS, ROLLED_BACK = "rollouts", "rolled back"  # what `pedalflow rollout` leaves in the workspace's state
PATIENCE_S = 300.0  # with a training that is at work: it asks the registry too


@dataclass(frozen=True)
class Promotion:
    """A release that serves now, the number of its version, and the release that served before (None: there was none)."""

    release: str
    version: str
    before: str | None


def promote_release(workspace: Workspace, release: str, patience_s: float = PATIENCE_S) -> Promotion:
    """Make the champion of a release that a run of this workspace made and its gate blessed. Called again, it changes nothing.

    Raises:
        SettingsError: no run of this workspace made such a release.
        GateRefused: a gate refused it.
        RunFailed: it was judged against another champion than the one that serves, or a training has been at work for too long.
        ReleaseBroken: registry or disk do not hold it as it was made.
    """
    registry = registry_of(workspace, read_settings(workspace.params))
    busy = f"a training has been at work in {workspace.root} for {patience_s:.0f} s; promote again when it is over"
    with exclusive(training_lock(workspace), busy, patience_s):
        record = record_of(workspace, release)
        with registry_errors(registry):
            serves = name_of(champion(registry))
            _check(record, serves)
            if not (record.outcome == PROMOTED and serves == release):
                keep_promoted(workspace, record, registry)
        point_to_champion(workspace, registry)
        return Promotion(release, str(record.model_version), serves)


def may_promote(record: RunRecord, serves: str | None) -> bool:
    """A blessed challenger may become champion where the champion of now is the one it was judged against.

    It may also serve already: a promotion that was interrupted before it was recorded.
    """
    return record.outcome == CHALLENGER and serves in (record.champion_release, record.release_id)


def was_rolled_back(workspace: Workspace, release: str) -> bool:
    """Whether the last rollout of the release ended with its being taken back."""
    records = sorted((workspace.state / ROLLOUTS).glob(f"*-{release}.json"))
    return bool(records) and json.loads(records[-1].read_text(encoding="utf-8"))["outcome"] == ROLLED_BACK


def _check(record: RunRecord, serves: str | None) -> None:
    """Raise where the release may not become champion."""
    if record.outcome == REFUSED:
        raise GateRefused(
            f"{record.release_id} was refused by a gate in run {record.run_id}, so it cannot be promoted; "
            f"{serves or 'nobody'} serves"
        )
    if serves != record.release_id and not may_promote(record, serves):
        raise RunFailed(
            f"{record.release_id} was judged against {record.champion_release or 'no champion'}, but {serves or 'nobody'} serves now: "
            "it is not promoted; train again to have it judged anew"
        )


def keep_promoted(workspace: Workspace, record: RunRecord, registry: Registry) -> RunRecord:
    """Move the alias, then write it down; interrupted between the two, the next call does both again."""
    folder = workspace.runs / record.run_id
    if record.model_version is None or record.release_id is None:
        raise RunFailed(
            f"run {record.run_id} was blessed but not registered; delete {folder} and train again"
        )
    promote(registry, record.model_version, record.release_id)
    promoted = replace(record, outcome=PROMOTED)
    write_record(folder, promoted)
    return promoted


def point_to_champion(workspace: Workspace, registry: Registry) -> None:
    """Tell the serving processes which release the registry calls champion."""
    with registry_errors(registry):
        serves = champion(registry)
        folder = release_folder(workspace, registry, name_of(serves), serves)
    if serves is not None and folder is not None:
        write_pointer(workspace.champion, Pointer(serves.release, serves.checksum, Path(folder)))


def registry_of(workspace: Workspace, settings: Settings) -> Registry:
    """The registry that `params.yaml` names, or the workspace's own."""
    uri = settings.registry.tracking_uri or workspace.mlflow_uri
    return Registry(uri, settings.registry.name, str(workspace.mlflow_artifacts))


@contextmanager
def registry_errors(registry: Registry) -> Iterator[None]:
    """What MLflow says when it cannot be reached or will not answer, as one sentence of ours."""
    try:
        yield
    except MlflowException as error:
        first = str(error).splitlines()[0][:200]
        raise RunFailed(
            f"MLflow at {registry.tracking_uri} did not answer: {first}; start it, or mend registry.tracking_uri in params.yaml"
        ) from error


def release_folder(
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


def name_of(serves: Champion | None) -> str | None:
    """The champion's name."""
    return None if serves is None else serves.release


def training_lock(workspace: Workspace) -> Path:
    """What a training holds while it is at work, and a promotion too."""
    return workspace.state / "train.lock"
