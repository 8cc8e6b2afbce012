"""The compiled pipeline as a picture of its tasks, a table of its parameters, and how a rehearsal went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pedalflow.run_record import RunRecord
from pipelines.kubeflow.compiled import CompiledPipeline, read_compiled
from pipelines.notebooks.lineage_pictures import graph

Tasks = Mapping[str, Any]
LONGEST = 48


def compiled(file: Path) -> CompiledPipeline:
    """The compiled file, checked."""
    return read_compiled(file)


def tasks(pipeline: CompiledPipeline) -> dict[str, tuple[str, ...]]:
    """Each task and those that it waits for; the tasks of an inner graph stand for it."""
    return dict(_tasks(pipeline, pipeline.spec["root"]["dag"]["tasks"], ()))


def _tasks(
    pipeline: CompiledPipeline, outer: Tasks, before: tuple[str, ...]
) -> list[tuple[str, tuple[str, ...]]]:
    found: list[tuple[str, tuple[str, ...]]] = []
    ends: dict[str, tuple[str, ...]] = {}
    for name in _in_order(outer):
        waits = tuple(end for other in outer[name].get("dependentTasks", ()) for end in ends[other]) or before
        inner = pipeline.component(outer[name]["componentRef"]["name"]).get("dag", {}).get("tasks")
        if inner is None:
            found.append((name, waits))
            ends[name] = (name,)
        else:
            below = _tasks(pipeline, inner, waits)
            found += below
            ends[name] = _last(below)
    return found


def _in_order(tasks: Tasks) -> list[str]:
    """The names so that each comes after those it waits for."""
    placed: list[str] = []
    while len(placed) < len(tasks):
        placed += [
            name
            for name, task in tasks.items()
            if name not in placed and set(task.get("dependentTasks", ())) <= set(placed)
        ]
    return placed


def _last(found: list[tuple[str, tuple[str, ...]]]) -> tuple[str, ...]:
    """Those that no other waits for."""
    waited = {other for _, waits in found for other in waits}
    return tuple(name for name, _ in found if name not in waited)


def tasks_picture(pipeline: CompiledPipeline) -> Figure:
    """The tasks in the order in which Kubeflow may start them."""
    waits = tasks(pipeline)
    places: dict[str, int] = {}
    for name, before in waits.items():
        places[name] = max((places[other] for other in before), default=-1) + 1
    return graph(places, [(other, name) for name, before in waits.items() for other in before])


def parameters(pipeline: CompiledPipeline) -> pd.DataFrame:
    """What a run can be given: each parameter's kind, default and meaning; without a default it has to be given."""
    return pd.DataFrame(
        [
            {
                "parameter": name,
                "kind": kind["parameterType"].lower().removeprefix("number_"),
                "default": _short(kind["defaultValue"]) if "defaultValue" in kind else "has to be given",
                "meaning": kind.get("description", ""),
            }
            for name, kind in pipeline.parameters.items()
        ]
    )


def _short(value: object) -> str:
    text = str(value) or "empty"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def rehearsed(answer: Mapping[str, Any]) -> pd.DataFrame:
    """Each task of a rehearsal and how it ended."""
    return pd.DataFrame(
        [
            {"task": task["name"], "state": task["state"].lower(), "attempts": task["attempts"]}
            for task in answer["tasks"]
        ]
    )


def known_as(release: str, records: Sequence[RunRecord]) -> str:
    """Whether a run of this workspace made the same release, in a sentence."""
    same = [record.run_id for record in records if record.release_id == release]
    if same:
        return f"Trained here as well: run **{same[0]}** made the very same release, byte for byte."
    return "No run of this workspace made this release: its code, parameters or spans were others."
