"""The pipeline of the copied project, compiled once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedalflow.workspace import Workspace
from tests.integration.conftest import Trained
from tests.samples.project_copy import Done, Project, small_workspace

COMPILE, REHEARSE = "pipelines.kubeflow.compile_command", "pipelines.kubeflow.rehearse_command"


@pytest.fixture(scope="session")
def compiled(project: Project, first: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pedalflow compile` makes of the workspace of the first run."""
    file = tmp_path_factory.mktemp("compiled") / "build" / "pedalflow.yaml"
    done = project.run(COMPILE, "--workspace", str(first.workspace.root), "--output", str(file))
    assert done.code == 0, done.stderr
    return file


class Rehearse:
    """Calls `pedalflow rehearse` in a workspace of its own."""

    def __init__(self, project: Project, file: Path, workspace: Workspace) -> None:
        self.project, self.file, self.workspace = project, file, workspace

    def __call__(self, *options: str) -> Done:
        return self.project.run(REHEARSE, *self._arguments(*options))

    def words(self, *options: str) -> list[str]:
        """The command line."""
        return self.project.command(REHEARSE, *self._arguments(*options))

    def _arguments(self, *options: str) -> list[str]:
        return [str(self.file), "--workspace", str(self.workspace.root), "--json", *options]


@pytest.fixture
def rehearse(project: Project, compiled: Path, data: Path, tmp_path: Path) -> Rehearse:
    return Rehearse(project, compiled, small_workspace(tmp_path / "workspace", data))
