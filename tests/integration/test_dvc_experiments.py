"""`dvc.yaml` as its users run it: the real DVC in a git repository, the real commands, a small model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pedalflow.workspace import Workspace
from pipelines.arrivals.door import prepare

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SMALL = {"epochs: 30": "epochs: 2", "members: 4": "members: 1", "maximum_wape: 0.40": "maximum_wape: 9.0"}


def run(arguments: list[str], folder: Path, env: Mapping[str, str]) -> str:
    done = subprocess.run(arguments, cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "pedalflow"
    command.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m pedalflow.command.main "$@"\n', encoding="utf-8"
    )
    command.chmod(0o755)
    names = ("GIT_AUTHOR", "GIT_COMMITTER")
    identity = {
        f"{name}_{field}": value
        for name in names
        for field, value in (("NAME", "Test"), ("EMAIL", "test@example.org"))
    }
    return (
        os.environ | identity | {"PATH": f"{folder}:{BIN}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "true"}
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]) -> Path:
    """A git repository with what `dvc.yaml` asks for, and small parameters."""
    folder = tmp_path_factory.mktemp("project")
    run(["git", "init", "--quiet"], folder, env)
    for name in ("bikeshare", "components", "pedalflow", "pipelines"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".venv").symlink_to(ROOT / ".venv")
    for name in ("dvc.yaml", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    for old, new in SMALL.items():
        assert old in params
        params = params.replace(old, new)
    (folder / "params.yaml").write_text(params, encoding="utf-8")
    prepare(Workspace(folder), 1)
    env["PEDALFLOW_WORKSPACE"] = str(folder)
    run(["git", "add", "."], folder, env)
    run(["git", "commit", "--quiet", "--message", "start"], folder, env)
    run(["dvc", "repro"], folder, env)
    return folder


def test_repro_runs_the_three_stages_and_leaves_metrics_that_dvc_shows(
    project: Path, env: dict[str, str]
) -> None:
    shown = json.loads(run(["dvc", "metrics", "show", "--json"], project, env))
    figures = shown[""]["data"]["metrics/metrics.json"]["data"]
    assert figures["candidate"]["rows"] == figures["naive"]["rows"] == 333
    assert 0 < figures["candidate"]["rmse"] < 200
    assert {"season=winter", "working_day=yes", "hour_band=night", "weather=clear"} <= set(figures["slices"])


def test_plots_become_a_page(project: Path, env: dict[str, str]) -> None:
    run(["dvc", "plots", "show", "--out", "plots"], project, env)
    page = (project / "plots" / "index.html").read_text(encoding="utf-8")
    assert all(name in page for name in ("rmse_by_day", "rmse_by_hour", "predicted_against_actual"))


def test_repro_again_does_nothing(project: Path, env: dict[str, str]) -> None:
    assert "Data and pipelines are up to date" in run(["dvc", "repro"], project, env)


def test_nothing_is_promoted_by_an_experiment(project: Path, env: dict[str, str]) -> None:
    assert json.loads(run(["pedalflow", "--json", "status"], project, env))["champion"] is None


def test_an_experiment_with_another_parameter_is_compared_by_dvc(project: Path, env: dict[str, str]) -> None:
    run(["git", "add", "dvc.lock"], project, env)
    run(["git", "commit", "--quiet", "--message", "first result"], project, env)
    run(["dvc", "exp", "run", "--set-param", "model.epochs=3"], project, env)
    difference = json.loads(run(["dvc", "params", "diff", "--json"], project, env))
    assert difference["params.yaml"]["model.epochs"] == {"old": 2, "new": 3, "diff": 1}
    changed = json.loads(run(["dvc", "metrics", "diff", "--json"], project, env))
    assert changed["metrics/metrics.json"]["candidate.rmse"]["diff"] != 0
