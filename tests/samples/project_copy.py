"""A copy of the project with a commit of its own, in which the real commands train small models.

The copy keeps a run apart from edits of the work tree while tests run, which would change the fingerprint of the code.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from pedalflow.command.runtimes import surroundings
from pedalflow.run_record import RunRecord, from_json
from pedalflow.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("pedalflow", "bikeshare", "detectors", "components", "pipelines", "tests/samples")
MODEL_NAME = "bike-demand"
# A model that trains in a second, and gates that it passes.
SMALL: Mapping[str, object] = {
    "members": 1,
    "units": [16],
    "embedding": 4,
    "frequencies": 2,
    "epochs": 3,
    "learning_rate": 0.02,
    "trials": 2,
    "maximum_wape": 2.0,
    "minimum_skill": -9.0,
    "slice_maximum_ratio": 20.0,
    "champion_tolerance": 5.0,
    "champion_slice_tolerance": 50.0,
}
TIMEOUT_S = 900


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Project:
    """The copy and its commit."""

    root: Path
    commit: str

    def command(self, module: str, *arguments: str) -> list[str]:
        """A command line that runs `module` of the copy on the interpreter of the tests."""
        return [sys.executable, "-m", module, *arguments]

    def run(self, module: str, *arguments: str) -> Done:
        """Run `module` to its end, in the environment that the front door gives it."""
        done = subprocess.run(
            self.command(module, *arguments),
            cwd=self.root,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def train(self, workspace: Workspace, until_span: int = 1, *flags: str) -> Done:
        """`pedalflow train`."""
        place = ["--workspace", str(workspace.root), "--until-span", str(until_span)]
        return self.run("pipelines.train_command", *place, *flags)


def environment() -> dict[str, str]:
    """What the front door gives a runtime, one thread for each pool, and nothing of the caller's MLflow or Pedalflow."""
    foreign = ("MLFLOW_", "PEDALFLOW_")
    base = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return surroundings(base | {"OMP_NUM_THREADS": "1"}, verbose=False)


def copy_project(target: Path) -> Project:
    """Copy what a run needs to `target` and commit it."""
    skipped = shutil.ignore_patterns("__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, target / package, ignore=skipped)
    (target / "tests" / "__init__.py").touch()  # some library installs a package of this name, and would win
    shutil.copytree(ROOT / "data" / "raw", target / "data" / "raw")
    shutil.copy(ROOT / "params.yaml", target / "params.yaml")
    (target / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "-A"], [*author, "commit", "-q", "-m", "copy"]):
        subprocess.run(["git", *arguments], cwd=target, check=True, capture_output=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=target, check=True, capture_output=True, text=True
    )
    return Project(target, head.stdout.strip())


def set_params(workspace: Workspace, values: Mapping[str, object]) -> None:
    """Put values into the workspace's `params.yaml`, or the repository's where it has none; comments stay."""
    path = workspace.params if workspace.params.exists() else ROOT / "params.yaml"
    text = path.read_text(encoding="utf-8")
    for name, value in values.items():
        text, count = re.subn(rf"(?m)^(\s*{name}: )(\[.*?\]|\S+)", rf"\g<1>{value}", text)
        assert count == 1, f"params.yaml has {count} lines {name!r}"
    workspace.params.write_text(text, encoding="utf-8")


def small_workspace(root: Path, data: Path, values: Mapping[str, object] | None = None) -> Workspace:
    """A fresh workspace with the spans of the workspace `data` and a small model."""
    root.mkdir(parents=True)
    shutil.copytree(data / "data", root / "data")
    workspace = Workspace(root)
    set_params(workspace, {**SMALL, **(values or {})})
    return workspace


def records(workspace: Workspace) -> list[RunRecord]:
    """The records of all runs, oldest first."""
    paths = workspace.runs.glob("*/run.json")
    return sorted(
        (from_json(path.read_text(encoding="utf-8")) for path in paths), key=lambda run: run.started
    )


def said(done: Done) -> RunRecord:
    """The record that a command with `--json` printed."""
    return from_json(json.dumps(json.loads(done.stdout)))


def versions(workspace: Workspace) -> list[ModelVersion]:
    """All model versions, as MLflow has them."""
    return list(MlflowClient(workspace.mlflow_uri).search_model_versions(f"name = '{MODEL_NAME}'"))


def aliases(workspace: Workspace) -> dict[str, str]:
    """Alias -> number of the version."""
    return {
        alias: str(number)
        for alias, number in MlflowClient(workspace.mlflow_uri)
        .get_registered_model(MODEL_NAME)
        .aliases.items()
    }
