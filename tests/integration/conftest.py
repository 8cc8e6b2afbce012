"""The project, its data and the small runs that several tests look at. Each run happens once in a session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pedalflow.run_record import RunRecord
from pedalflow.workspace import Workspace
from pipelines.arrivals.door import prepare
from tests.samples.project_copy import Done, Project, copy_project, said, small_workspace


@dataclass(frozen=True)
class Trained:
    """A workspace, how the command in it ended, and the record that it printed."""

    workspace: Workspace
    done: Done
    record: RunRecord

    @property
    def release(self) -> Path:
        """The folder of the release."""
        return self.workspace.releases / str(self.record.release_id)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A committed copy of the project."""
    return copy_project(tmp_path_factory.mktemp("copy") / "project")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that holds spans 1 and 2 and nothing else, to be copied and never changed."""
    root = tmp_path_factory.mktemp("data")
    (root / "params.yaml").write_text("use_case: bikeshare\n", encoding="utf-8")
    prepare(Workspace(root), 2)
    return root


@pytest.fixture(scope="session")
def first(project: Project, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The very first run of a workspace, on span 1."""
    workspace = small_workspace(tmp_path_factory.mktemp("first") / "workspace", data)
    done = project.train(workspace, 1, "--json")
    assert done.code == 0, done.stderr
    return Trained(workspace, done, said(done))
