"""The pipelines' image runs the compiled pipeline, and the notebook's image, which begins with the same steps, serves JupyterLab.

The second is made over the first, as an engine makes it from its cache; so the tests of the first stand first.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pipelines import provenance
from pipelines.plan import code_fingerprint
from tests.integration_images.conftest import (
    files_of,
    get,
    in_checkout,
    into_volume,
    started,
)
from tests.samples.base_image import missing_libraries
from tests.samples.free_ports import free_ports
from tests.samples.image_replay import Replayed, replay

COMMIT = "c0ffee" + "0" * 34
WORKSPACE = "/var/lib/pedalflow"
MAKE_WORKSPACE = """
import sys
from pathlib import Path
from pedalflow.workspace import Workspace
from tests.samples.project_copy import SMALL, set_params
set_params(Workspace(Path(sys.argv[1])), SMALL)
"""
FINGERPRINT = """
from pipelines import provenance
from pipelines.plan import code_fingerprint
print(code_fingerprint(provenance.REPOSITORY, provenance.code_folders("bikeshare")), *provenance.commit(()))
"""
LIBRARIES = """
import tensorflow, tfx.v1, mlflow, tf2onnx, onnxruntime, dvc.repo
print("loaded")
input()
"""


@pytest.fixture(scope="module")
def workspace(pipelines: Replayed, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A workspace with span 1 and a small model, and the pipeline as the checkout's code compiles it."""
    folder = tmp_path_factory.mktemp("work") / "space"
    folder.mkdir()
    options = ("--workspace", str(folder))
    in_checkout("pipelines", "-c", MAKE_WORKSPACE, str(folder))
    in_checkout("pipelines", "-m", "pipelines.arrivals.command", *options, "prepare", "--until-span", "1")
    compiled = str(folder / "pedalflow.yaml")
    in_checkout("pipelines", "-m", "pipelines.kubeflow.compile_command", *options, "--output", compiled)
    into_volume(pipelines, folder, WORKSPACE)


def test_the_code_has_the_fingerprint_that_it_has_in_the_checkout(pipelines: Replayed) -> None:
    code, said = pipelines.run(
        ["python", "-c", FINGERPRINT], instead=True, variables={"PEDALFLOW_COMMIT": COMMIT}
    )
    mine = code_fingerprint(provenance.REPOSITORY, provenance.code_folders("bikeshare"))
    assert (code, said.split()) == (0, [mine, COMMIT, "False"])


def test_every_task_of_the_compiled_pipeline_runs_in_the_image(pipelines: Replayed, workspace: None) -> None:
    before = files_of(pipelines)
    code, said = pipelines.run(["--json", "rehearse", f"{WORKSPACE}/pedalflow.yaml", "--until-span", "1"])
    assert code == 0, said
    told = json.loads(said[said.index("\n{") :])
    assert {task["state"] for task in told["tasks"]} == {"SUCCEEDED"}
    assert told["release"].startswith("r-")
    assert files_of(pipelines) == before


def test_what_the_libraries_need_of_the_system_is_in_the_base(pipelines: Replayed) -> None:
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    process = pipelines.start(
        ["python", "-c", LIBRARIES], instead=True, stdin=pipe, stdout=pipe, stderr=nowhere
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == b"loaded\n"
        assert missing_libraries(process.pid, pipelines.folder, pipelines.base) == set()
    finally:
        process.communicate(b"\n")


@pytest.fixture(scope="module")
def notebook(pipelines: Replayed, place: Path) -> Replayed:
    return replay("notebook", place, after="pipelines")


def test_jupyter_answers_below_the_prefix_that_kubeflow_gives(notebook: Replayed) -> None:
    prefix = "/notebook/team/mine"
    (port,) = free_ports(1)
    ready = f"http://127.0.0.1:{port}{prefix}/api"
    with started(
        notebook, [f"--ServerApp.port={port}"], ready=ready, variables={"NB_PREFIX": prefix}
    ) as process:
        assert "version" in json.loads(get(ready))
        assert json.loads(get(f"{ready}/kernels")) == []
        assert missing_libraries(process.pid, notebook.folder, notebook.base) == set()
    assert notebook.at("/home/jovyan/notebooks").is_dir()


def test_without_a_gateway_before_it_jupyter_asks_for_a_token(notebook: Replayed) -> None:
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}/api"
    with (
        started(notebook, [f"--ServerApp.port={port}"], ready=address),
        pytest.raises(OSError, match="403"),
    ):
        get(f"{address}/kernels")


def test_the_notebooks_user_has_the_command_and_a_workspace_of_his_own(notebook: Replayed) -> None:
    code, said = notebook.run(["pedalflow", "data", "prepare", "--until-span", "1"], instead=True)
    assert code == 0, said
    assert notebook.at("/home/jovyan/pedalflow/params.yaml").is_file()
