"""All five notebooks, executed one after the other on the real data in a workspace of their own, with a network that is small.

On two quiet cores that takes about: 01 ten seconds, 02 a minute and a half, 03 fifteen seconds, 04 half a minute, 05 a minute and a half.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pedalflow.loop_record import LOOP, to_json
from pedalflow.workspace import Workspace
from pipelines.notebooks.execute import execute, paths
from tests.samples.loop_record_sample import loop_record_sample
from tests.samples.project_copy import SMALL, set_params

PLACES = re.compile(r"/(?:work|tmp|home|root|opt|usr)/")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the notebooks run; their workspace has parameters with which a model trains in a second."""
    place = tmp_path_factory.mktemp("notebooks")
    (place / "workspace").mkdir()
    set_params(Workspace(place / "workspace"), SMALL)
    return place


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that holds the record of a loop and nothing else, so there is no run to trace: without those that were promoted."""
    record = loop_record_sample()
    shown = replace(record, runs=tuple(run for run in record.runs if run.outcome != "promoted"))
    workspace = Workspace(tmp_path_factory.mktemp("loop"))
    workspace.state.mkdir()
    (workspace.state / LOOP).write_text(to_json(shown), encoding="utf-8")
    return workspace.root


def outputs(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [output for cell in notebook["cells"] for output in cell.get("outputs", ())]


def says_nothing(output: dict[str, Any]) -> bool:
    """Whether the output is an empty frame, as libraries leave them where they would show progress."""
    data = output.get("data", {})
    return set(data) == {"text/html", "text/plain"} and not re.sub(r"<[^>]+>|\s", "", data["text/html"])


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_end_and_shows_what_it_showed_when_it_was_committed(
    path: Path, folder: Path, loop: Path
) -> None:
    executed = execute(path, folder, loop)
    assert [o for o in outputs(executed) if o["output_type"] == "error"] == []
    pictures = [o for o in outputs(executed) if "image/png" in o.get("data", {})]
    assert pictures
    said = str([{k: v for k, v in o.get("data", {}).items() if k != "image/png"} for o in outputs(executed)])
    assert PLACES.search(said) is None
    assert [o for o in outputs(executed) if says_nothing(o)] == []


def test_nothing_is_left_in_the_repository(folder: Path) -> None:
    assert sorted(place.name for place in folder.iterdir()) == ["workspace"]
