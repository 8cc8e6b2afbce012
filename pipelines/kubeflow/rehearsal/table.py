"""What a rehearsal prints: how each task ended and how long it took, and the release that came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pedalflow.release import open_release
from pedalflow.tables import table
from pipelines.kubeflow.rehearsal.outcome import Rehearsal, TaskRun
from pipelines.kubeflow.rehearsal.store import ObjectStore

BUILDER, PUSHER = ("ReleaseBuilder", "release"), ("ReleasePusher", "pushed_model")


@dataclass(frozen=True)
class Made:
    """The release that a rehearsal made: its name, its checksum, and whether the gate let it be pushed."""

    release: str
    checksum: str
    pushed: bool


def made_by(rehearsal: Rehearsal, store: ObjectStore) -> Made | None:
    """The release, verified where it lies in the store; None where the run did not come so far."""
    built = _artifact(rehearsal, BUILDER)
    if built is None:
        return None
    release = open_release(store.path(built["uri"]))
    pushed = _artifact(rehearsal, PUSHER) or {"metadata": {}}
    return Made(release.name, release.checksum, bool(pushed["metadata"].get("pushed")))


def _artifact(rehearsal: Rehearsal, of: tuple[str, str]) -> Mapping[str, Any] | None:
    return rehearsal.artifacts.get(of[0], {}).get(of[1])


def as_table(tasks: Sequence[TaskRun]) -> str:
    """A line for each task."""
    rows = [
        (
            task.name,
            task.state.lower().replace("_", " "),
            str(task.attempts or ""),
            f"{task.seconds:.1f}" if task.attempts else "",
        )
        for task in tasks
    ]
    return table(rows, ("task", "state", "attempts", "seconds"))


def as_json(rehearsal: Rehearsal, made: Made | None, seconds: float) -> dict[str, Any]:
    """The same for scripts."""
    outcome = "failed" if rehearsal.failed else "pushed" if made and made.pushed else "refused"
    return {
        "outcome": outcome,
        "run_id": rehearsal.run_id,
        "release": made.release if made else None,
        "checksum": made.checksum if made else None,
        "seconds": round(seconds, 1),
        "tasks": [asdict(task) for task in rehearsal.tasks],
    }
