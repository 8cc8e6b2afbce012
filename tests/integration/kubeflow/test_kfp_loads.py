"""Kubeflow's own SDK reads the compiled file: the version that TFX pins, and the newest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples.compiled_golden import GOLDEN
from tests.samples.project_copy import ROOT

NEWEST = ROOT / ".venv" / "triggers" / "bin" / "python"
LOAD = """
import json, sys, kfp
from kfp import components
loaded = components.load_component_from_file(sys.argv[1])
spec, platform = loaded.pipeline_spec, loaded.platform_spec
print(json.dumps({
    "version": kfp.__version__,
    "name": loaded.name,
    "inputs": sorted(loaded.component_spec.inputs),
    "tasks": len(spec.components["tfx-dag"].dag.tasks),
    "executors": sorted(platform.platforms["kubernetes"].deployment_spec.executors.keys()),
}))
"""


@pytest.mark.parametrize(("python", "version"), [(Path(sys.executable), "2.5."), (NEWEST, "2.")])
def test_the_golden_loads(python: Path, version: str) -> None:
    if not python.exists():
        pytest.skip(
            "the environment of the triggers is not there; build it with: make setup ENVIRONMENTS=triggers"
        )
    done = subprocess.run(
        [str(python), "-W", "ignore", "-c", LOAD, str(GOLDEN)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded["version"].startswith(version)
    assert loaded["name"] == "bikeshare-training"
    assert {"spans", "champion_uri", "model_epochs", "code"} <= set(loaded["inputs"])
    assert loaded["tasks"] == 17
    assert "ReleasePusher_executor" in loaded["executors"]
