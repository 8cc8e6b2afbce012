"""Kubeflow's own orchestrator for one machine (`kfp.local`, the newest SDK) makes the same release of the same compiled file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pedalflow.release import open_release
from pipelines.kubeflow.rehearsal.arguments import bring_data
from pipelines.kubeflow.rehearsal.processes import base_environment
from pipelines.kubeflow.rehearsal.store import ObjectStore
from tests.integration.conftest import Trained
from tests.samples.project_copy import ROOT, Project

NEWEST = ROOT / ".venv" / "triggers" / "bin" / "python"
TIMEOUT_S = 900  # every task imports TFX anew


def test_the_release_is_that_of_the_local_runner(
    project: Project, compiled: Path, first: Trained, tmp_path: Path
) -> None:
    if not NEWEST.exists():
        pytest.skip(
            "the environment of the triggers is not there; build it with: make setup ENVIRONMENTS=triggers"
        )
    arguments = {
        **bring_data(first.workspace, 1, "minio://b/spans", ObjectStore(tmp_path)),
        "spans_uri": str(tmp_path / "minio" / "b" / "spans"),
        "champion_uri": str(tmp_path / "no-champion"),
        "registry_uri": f"sqlite:///{tmp_path / 'mlflow.sqlite'}",
        "registry_artifacts": str(tmp_path / "mlflow-artifacts"),
        "releases": str(tmp_path / "releases"),
    }
    script = project.root / "tests" / "samples" / "kfp_local_run.py"
    words = [str(NEWEST), "-W", "ignore", str(script), str(compiled), str(tmp_path / "root"), sys.executable]
    done = subprocess.run(
        [*words, *(f"{name}={value}" for name, value in arguments.items())],
        cwd=project.root,
        env=base_environment([]),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (release,) = (tmp_path / "releases").iterdir()
    assert open_release(release).checksum == open_release(first.release).checksum
