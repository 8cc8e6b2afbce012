"""Flows 2, 3, 4, 5 and 8 as they happen one after the other: code is released, an upload is taken in, data changes, drift and the calendar
ask for runs. Every command of the workflows runs, in fresh checkouts; `tests/samples/workflow_world.py` says what is replaced.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from bikeshare.archive import ARCHIVE, cut_span
from tests.integration.workflows.conftest import Flows
from tests.samples.kfp_api_process import Thing
from tests.samples.outside_programs import TOKEN, calls
from tests.samples.workflow_runner import Ran
from tests.samples.workflow_world import IMAGES, SMALLER

KEY = "q-814e9357ca30"
WHY = "a batch of data was uploaded; `$(id)` is nothing but text"


def spans(run: Thing) -> list[int]:
    return [span["number"] for span in json.loads(run["runtime_config"]["parameters"]["spans"])]


def parameters(run: Thing) -> Thing:
    found: Thing = run["runtime_config"]["parameters"]
    return found


def pointers(flows: Flows) -> list[str]:
    words = ["git", "ls-tree", "--name-only", "main", "data/spans/"]
    done = subprocess.run(words, cwd=flows.world.origin, check=True, capture_output=True, text=True)
    return [Path(name).name for name in done.stdout.split()]


@pytest.fixture(scope="module")
def released(flows: Flows) -> list[Ran]:
    """Flow 2."""
    return flows.run("release-code.yml")


@pytest.fixture(scope="module")
def built(flows: Flows, released: list[Ran]) -> list[Ran]:
    """Flow 2 once more, by Google Cloud Build, of the same commit."""
    smaller = {
        'make images PUSH="$_IMAGES"': SMALLER['make images PUSH="$IMAGES"'].replace("$IMAGES", "$_IMAGES")
    }
    return flows.build("cloudbuild.yaml", {"_IMAGES": IMAGES}, smaller)


def upload(flows: Flows, name: str, span: int) -> None:
    """Put a month into the bucket of uploads."""
    file = flows.world.buckets / "uploads" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(cut_span(ARCHIVE, span))


@pytest.fixture(scope="module")
def taken_in(flows: Flows, built: list[Ran]) -> list[Ran]:
    """Flow 4, for an upload that is marked as complete."""
    upload(flows, "2012-01/hours.csv", 2)
    payload = {"key": KEY, "reasons": WHY, "commit": "", "objects": ["gs://uploads/2012-01/*.csv"]}
    return flows.run("take-in.yml", payload)


def test_code_reaches_production_in_the_very_file_and_images_that_staging_ran(
    flows: Flows, released: list[Ran]
) -> None:
    staging, production = flows.staging.tell(), flows.production.tell()
    (on_staging,), (in_production,) = staging["versions"], production["versions"]
    assert on_staging["pipeline_spec"] == in_production["pipeline_spec"]
    assert on_staging["display_name"] == in_production["display_name"]
    images = json.loads((flows.world.artifacts / "release" / "images.json").read_text())
    assert images["pipelines"].startswith(f"{IMAGES}/pedalflow-pipelines@sha256:")
    assert images["pipelines"] in json.dumps(in_production["pipeline_spec"])
    assert [len(found["runs"]) for found in (staging, production)] == [1, 1]


def test_the_compiled_file_was_rehearsed_before_anything_was_deployed(released: list[Ran]) -> None:
    steps = [ran.step for ran in released]
    assert steps.index("rehearse") < steps.index("deploy") < steps.index("run")
    (rehearsal,) = [ran for ran in released if ran.step == "rehearse"]
    assert "r-" in rehearsal.said


def test_cloud_build_makes_of_the_same_commit_the_same_version(flows: Flows, built: list[Ran]) -> None:
    (deployed,) = [ran for ran in built if ran.step == "deploy"]
    assert "is there already" in deployed.said
    held = flows.staging.tell()
    assert len(held["versions"]) == 1
    assert [run["display_name"] for run in held["runs"]][-1] == "pedalflow-code-build-4711"


def test_an_upload_becomes_a_span_a_commit_and_a_run_under_the_key_of_the_service(
    flows: Flows, taken_in: list[Ran]
) -> None:
    assert "span-02.csv.dvc" in pointers(flows)
    run = flows.runs()[-1]
    assert run["display_name"] == f"pedalflow-{KEY}"
    assert spans(run) == [1, 2]
    assert parameters(run)["reason"] == WHY
    assert (flows.world.buckets / "bucket" / "spans" / "span-02.csv").is_file()


def test_nothing_is_built_for_data(taken_in: list[Ran]) -> None:
    commands = " ".join(ran.command for ran in taken_in)
    assert "images" not in commands and "compile" not in commands and "pedalflow deploy" not in commands


def test_the_retraining_service_is_told_the_newest_window(flows: Flows, taken_in: list[Ran]) -> None:
    applied = yaml.safe_load((flows.world.outside / "applied.yaml").read_text())
    assert (applied["kind"], applied["metadata"]["name"]) == ("ConfigMap", "pedalflow-window")
    arguments = json.loads(applied["data"]["arguments.json"])
    assert [span["number"] for span in json.loads(arguments["spans"])] == [1, 2]


def test_a_commit_of_data_starts_a_run_of_its_own(flows: Flows, taken_in: list[Ran]) -> None:
    before = len(flows.runs())
    flows.run("data.yml")
    runs = flows.runs()
    assert len(runs) == before + 1
    assert runs[-1]["display_name"].startswith("pedalflow-data-") and spans(runs[-1]) == [1, 2]


def test_cloud_build_takes_an_upload_in_too(flows: Flows, taken_in: list[Ran]) -> None:
    upload(flows, "2012-02.csv", 3)
    pushing = 'git push "https://x-access-token:$GITHUB_TOKEN@github.com/$_REPOSITORY" HEAD:main'
    event = {"_BUCKET": "uploads", "_OBJECT": "2012-02.csv"}
    flows.build("cloudbuild-data.yaml", event, {pushing: "git push origin HEAD:main"})
    assert "span-03.csv.dvc" in pointers(flows)
    run = flows.staging.tell()["runs"][-1]
    assert spans(run) == [1, 2, 3] and parameters(run)["reason"] == "2012-02.csv was uploaded"


def test_drift_starts_one_run_for_each_key_however_often_it_is_dispatched(
    flows: Flows, released: list[Ran]
) -> None:
    payload = {"key": "q-d8345575ac66", "reasons": "drift", "commit": "", "objects": []}
    for _ in range(2):
        flows.run("retrain.yml", payload)
    named = [run for run in flows.runs() if run["display_name"] == "pedalflow-q-d8345575ac66"]
    assert len(named) == 1 and parameters(named[0])["reason"] == "drift"


def test_the_calendar_starts_a_run(flows: Flows, released: list[Ran]) -> None:
    flows.run("schedule.yml")
    assert flows.runs()[-1]["display_name"] == "pedalflow-schedule-4711-1"


def test_no_command_prints_a_token_or_a_password(
    flows: Flows, released: list[Ran], taken_in: list[Ran]
) -> None:
    said = " ".join(ran.said for ran in [*released, *taken_in])
    assert TOKEN not in said and "a-password-of-the-test" not in said
    assert ["kubectl", "create", "token"] in [call[:3] for call in calls(flows.world.outside)]
