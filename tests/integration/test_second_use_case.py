"""Another data set by another package alone: from its rows to a served release, with not a line of the platform changed.

The package is made as a team would make it: what is general in `bikeshare/` is copied under the new name, the rest is written
(`tests/samples/office_power/`). `bikeshare/` itself is not there.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pedalflow.champion import read_pointer
from pedalflow.release import MODEL_CARD
from pedalflow.workspace import Workspace
from tests.samples.free_ports import OF_A_LOOP, free_block
from tests.samples.project_copy import ROOT, Project, copy_project, environment

SERVING = ROOT / ".venv" / "serving" / "bin" / "python"
WRITTEN = ROOT / "tests" / "samples" / "office_power"
COPIED = ("canonical.py", "export.py", "schema.py", "request_schema.py", "hyperparameters.py")
TIMEOUT_S = 300

pytestmark = pytest.mark.skipif(not SERVING.exists(), reason="needs the runtime serving: make setup")


@dataclass(frozen=True)
class Office:
    """The project with the other use case, and a workspace in which its first span was trained."""

    project: Project
    workspace: Workspace
    said: str


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    project = copy_project(tmp_path_factory.mktemp("office") / "project")
    shutil.copytree(WRITTEN, project.root / "office_power", ignore=shutil.ignore_patterns("__pycache__"))
    for name in COPIED:
        text = (ROOT / "bikeshare" / name).read_text(encoding="utf-8")
        renamed = text.replace("bikeshare", "office_power")
        (project.root / "office_power" / name).write_text(renamed, encoding="utf-8")
    shutil.rmtree(project.root / "bikeshare")
    shutil.copytree(ROOT / "serving", project.root / "serving", ignore=shutil.ignore_patterns("__pycache__"))
    workspace = Workspace(project.root.parent / "workspace")
    workspace.root.mkdir()
    shutil.copy(WRITTEN / "params.yaml", workspace.params)
    place = ("--workspace", str(workspace.root))
    prepared = project.run("pipelines.arrivals.command", *place, "prepare", "--until-span", "1")
    assert prepared.code == 0, prepared.stderr
    trained = project.train(workspace)
    assert trained.code == 0, trained.stderr
    return Office(project, workspace, trained.stdout)


def serving(office: Office, module: str, *arguments: str) -> list[str]:
    return [str(SERVING), "-m", module, "--workspace", str(office.workspace.root), *arguments]


def row(**changes: Any) -> dict[str, Any]:
    return {
        "day": "2020-01-07", "hour": 10, "weekday": 1, "open": 1, "outside": 2.0, "sun": 150.0, **changes
    }  # fmt: skip


def asked(address: str, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(
        f"{address}/api/v1.0/predictions",
        json.dumps({"jsonData": values}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_its_model_passes_the_gates_and_is_registered_and_promoted(office: Office) -> None:
    assert "was promoted" in office.said and "all" in office.said
    pointer = read_pointer(office.workspace.champion)
    card = (pointer.folder / MODEL_CARD).read_text(encoding="utf-8")
    assert (
        card.startswith("# office_power: model card")
        and "planning the next days of the same building" in card
    )


def test_nothing_of_it_speaks_of_bikes(office: Office) -> None:
    folder = read_pointer(office.workspace.champion).folder
    texts = [*folder.rglob("*.json"), *folder.rglob("*.md"), *folder.rglob("*.pbtxt")]
    assert len(texts) > 3
    for file in texts:
        assert "rental" not in file.read_text(encoding="utf-8"), file


def test_a_month_arrives_and_a_wrong_one_is_refused(office: Office, tmp_path: Path) -> None:
    place = ("--workspace", str(office.workspace.root))
    cut = "import sys, office_power.archive as a; sys.stdout.buffer.write(a.cut_span(None, 2))"
    command = [*office.project.command("pipelines")[:1], "-c", cut]
    month = subprocess.run(command, cwd=office.project.root, capture_output=True, check=True).stdout
    good, bad = tmp_path / "january.csv", tmp_path / "wrong.csv"
    good.write_bytes(month)
    bad.write_bytes(month.replace(b"2020-01-07,10,1,", b"2020-01-07,10,5,"))
    refused = office.project.run("pipelines.arrivals.command", *place, "arrive", str(bad))
    assert refused.code == 3 and "weekday_of_day" in refused.stdout + refused.stderr
    assert office.project.run("pipelines.arrivals.command", *place, "arrive", str(good)).code == 0


def test_a_file_is_predicted_by_the_served_models_own_code(office: Office, tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    pd.DataFrame([row(hour=hour) for hour in (8, 12, 16)]).to_csv(source, index=False)
    given = ("--input", str(source), "--output", str(target))
    subprocess.run(
        serving(office, "serving.predict_command", *given),
        cwd=office.project.root, env=environment(), capture_output=True, check=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert pd.read_csv(target)["prediction"].between(60, 150).all()


def test_the_release_is_served_and_judges_what_it_is_asked(office: Office) -> None:
    command = serving(office, "serving.serve_command", "--json", "--port", str(free_block(OF_A_LOOP)))
    with subprocess.Popen(
        command, cwd=office.project.root, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stdout is not None
            address = json.loads(process.stdout.readline())["addresses"]["rest"]
            open_, closed, hot, wrong = (
                asked(address, row(**changes))
                for changes in ({}, {"hour": 2, "open": 0, "sun": 0.0}, {"outside": 45.0}, {"hour": 25})
            )
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    assert (open_[0], closed[0], hot[0], wrong[0]) == (200, 200, 200, 400)
    assert open_[1]["jsonData"]["count"] > 1.5 * closed[1]["jsonData"]["count"] > 0
    assert [answer[1]["meta"]["tags"]["outlier"] for answer in (open_, closed, hot)] == [
        [False],
        [False],
        [True],
    ]
    assert wrong[1]["status"]["reason"] == "RANGE" and "'hour'" in wrong[1]["status"]["info"]


def test_it_compiles_for_kubeflow(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "office.yaml"
    place = ("--workspace", str(office.workspace.root), "--output", str(file))
    done = office.project.run("pipelines.kubeflow.compile_command", *place)
    assert done.code == 0, done.stderr
    assert "office_power.training.run_fn" in file.read_text(encoding="utf-8")
