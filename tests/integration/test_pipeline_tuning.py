"""`pedalflow train --tune` on a tiny setting: what it finds goes into params.yaml and is what trained the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bikeshare.tuning import CHOICES
from pedalflow.release import open_release
from tests.integration.conftest import Trained
from tests.samples.project_copy import SMALL, Project, said, small_workspace

BEFORE = {"trials": 2, "validation_days": 28}


@pytest.fixture(scope="module")
def tuned(project: Project, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run that searched first. The start is worse than any choice, so that the search has something to change."""
    start = {**BEFORE, "epochs": 1, "learning_rate": "0.00001"}
    workspace = small_workspace(tmp_path_factory.mktemp("tuned") / "workspace", data, start)
    before = workspace.params.read_text(encoding="utf-8")
    (workspace.root.parent / "before.yaml").write_text(before, encoding="utf-8")
    done = project.train(workspace, 1, "--tune", "--json")
    assert done.code == 0, done.stderr
    return Trained(workspace, done, said(done))


@pytest.fixture(scope="module")
def before(tuned: Trained) -> str:
    return (tuned.workspace.root.parent / "before.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def after(tuned: Trained) -> str:
    return tuned.workspace.params.read_text(encoding="utf-8")


def test_search_changes_the_tuned_values_only(before: str, after: str) -> None:
    old, new = yaml.safe_load(before), yaml.safe_load(after)
    changed = {name for name, value in new["model"].items() if old["model"][name] != value}
    assert "learning_rate" in changed
    assert changed <= set(CHOICES)
    assert new["model"]["units"] == SMALL["units"]
    assert {**new, "model": None} == {**old, "model": None}


def test_comments_of_params_stay(before: str, after: str) -> None:
    def comments(text: str) -> list[str]:
        return [line.partition("#")[2].strip() for line in text.splitlines() if "#" in line]

    assert comments(before) == comments(after) != []


def test_release_of_a_search_says_the_values_that_trained_it(tuned: Trained, after: str) -> None:
    facts: Any = open_release(tuned.release).facts
    assert facts["parameters"]["model"] == yaml.safe_load(after)["model"]


def test_next_plain_run_trains_with_what_was_found(project: Project, tuned: Trained, after: str) -> None:
    done = project.train(tuned.workspace, 1, "--json")
    assert done.code == 0, done.stderr
    record = said(done)
    assert record.params["model"] == yaml.safe_load(after)["model"]
    assert record.candidate == tuned.record.candidate
    assert tuned.workspace.params.read_text(encoding="utf-8") == after
