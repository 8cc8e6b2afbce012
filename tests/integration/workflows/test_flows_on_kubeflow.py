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
from tests.samples.workflow_files import GITHUB, commands_of, read
from tests.samples.workflow_runner import Ran
from tests.samples.workflow_world import EVENTS, IMAGES, SMALLER

KEY = "q-814e9357ca30"
COMMANDS = list(commands_of(read((GITHUB / "cloudbuild-data.yaml").read_text(encoding="utf-8"))))
WHY = "a batch of data was uploaded; `$(id)` is nothing but text"


def spans(run: Thing) -> list[int]:
    return [span["number"] for span in json.loads(run["runtime_config"]["parameters"]["spans"])]


def commits(flows: Flows) -> list[str]:
    done = subprocess.run(
        ["git", "log", "--format=%s", "main"],
        cwd=flows.world.origin,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()


def window(flows: Flows) -> list[int]:
    """The spans in the ConfigMap that was applied last."""
    applied = yaml.safe_load((flows.world.outside / "applied.yaml").read_text())
    assert (applied["kind"], applied["metadata"]["name"]) == ("ConfigMap", "pedalflow-window")
    arguments = json.loads(applied["data"]["arguments.json"])
    return [span["number"] for span in json.loads(arguments["spans"])]


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
    return flows.build("cloudbuild.yaml", {"_IMAGES": IMAGES, "_EVENTS_URL": EVENTS}, smaller)


def upload(flows: Flows, name: str, span: int) -> None:
    """Put a month into the bucket of uploads."""
    file = flows.world.buckets / "uploads" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(cut_span(ARCHIVE, span))


# Two months of the same name in one upload that is marked as complete; the later one is in the folder that sorts before the other.
UPLOADED = {
    "key": KEY,
    "reasons": WHY,
    "commit": "",
    "objects": ["gs://uploads/b-january/*.csv", "gs://uploads/a-february/hours.csv"],
}


@pytest.fixture(scope="module")
def taken_in(flows: Flows, built: list[Ran]) -> list[Ran]:
    """Flow 4."""
    upload(flows, "b-january/hours.csv", 2)
    upload(flows, "a-february/hours.csv", 3)
    return flows.run("take-in.yml", UPLOADED)


@pytest.fixture(scope="module")
def moved_on(flows: Flows, taken_in: list[Ran]) -> None:
    """Somebody merges other code, which is not deployed yet."""
    flows.world.push({"bikeshare/network.py": "\n# one line more\n"})


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
    for found in (staging, production):
        (run,), (version,) = found["runs"], found["versions"]
        assert run["pipeline_version_reference"]["pipeline_version_id"] == version["pipeline_version_id"]
        assert run["service_account"] == "pedalflow-runs"
    assert EVENTS in json.dumps(in_production["pipeline_spec"])  # whom a run tells that it is over


def test_the_compiled_file_was_rehearsed_before_anything_was_deployed(released: list[Ran]) -> None:
    steps = [ran.step for ran in released]
    assert steps.index("rehearse") < steps.index("deploy") < steps.index("run")
    (rehearsal,) = [ran for ran in released if ran.step == "rehearse"]
    assert "r-" in rehearsal.said


def test_cloud_build_makes_of_the_same_commit_the_same_version(flows: Flows, built: list[Ran]) -> None:
    held = flows.staging.tell()
    assert len(held["versions"]) == 1
    assert [run["display_name"] for run in held["runs"]][-1] == "pedalflow-code-build-4711"


def test_cloud_build_promotes_the_very_file_that_it_ran_on_staging(flows: Flows, built: list[Ran]) -> None:
    before = len(flows.runs())
    ran = flows.build("cloudbuild-promote.yaml", {"_KFP_HOST": flows.production.address})
    assert not [one.command for one in ran if "images" in one.command or "compile" in one.command]
    (on_staging,), (in_production,) = flows.staging.tell()["versions"], flows.production.tell()["versions"]
    assert on_staging["pipeline_spec"] == in_production["pipeline_spec"]
    (run,) = flows.runs()[before:]
    assert run["display_name"] == "pedalflow-code-build-4711"
    assert run["pipeline_version_reference"]["pipeline_version_id"] == in_production["pipeline_version_id"]


def test_an_upload_becomes_a_span_a_commit_and_a_run_under_the_key_of_the_service(
    flows: Flows, taken_in: list[Ran]
) -> None:
    assert {"span-02.csv.dvc", "span-03.csv.dvc"} <= set(pointers(flows))
    assert commits(flows)[0] == f"Take in data ({KEY}) [skip ci]"
    run = flows.runs()[-1]
    assert run["display_name"] == f"pedalflow-{KEY}"
    assert spans(run) == [1, 2, 3]
    assert parameters(run)["reason"] == WHY
    assert (flows.world.buckets / "bucket" / "spans" / "span-03.csv").is_file()


def test_an_upload_that_is_dispatched_twice_is_taken_in_once(flows: Flows, taken_in: list[Ran]) -> None:
    before = commits(flows), len(flows.runs())
    flows.run("take-in.yml", UPLOADED)
    assert (commits(flows), len(flows.runs())) == before


def test_nothing_is_built_for_data(taken_in: list[Ran]) -> None:
    commands = " ".join(ran.command for ran in taken_in)
    assert "images" not in commands and "compile" not in commands and "pedalflow deploy" not in commands


def test_the_retraining_service_is_told_the_newest_window(flows: Flows, taken_in: list[Ran]) -> None:
    assert window(flows) == [1, 2, 3]


def test_a_commit_of_data_runs_the_deployed_version_though_main_is_ahead_of_it(
    flows: Flows, moved_on: None
) -> None:
    before = len(flows.runs())
    flows.run("data.yml")
    runs = flows.runs()
    assert len(runs) == before + 1
    assert runs[-1]["display_name"].startswith("pedalflow-data-") and spans(runs[-1]) == [1, 2, 3]
    versions = [run["pipeline_version_reference"]["pipeline_version_id"] for run in runs]
    assert versions[-1] == versions[0]


def test_cloud_build_takes_an_upload_in_too_and_once_however_often_it_is_told(
    flows: Flows, moved_on: None
) -> None:
    upload(flows, "2012-03.csv", 4)
    (pushing,) = [line for line in COMMANDS if "push_pointers" in line]
    here = pushing.replace('--remote "https://github.com/$_REPOSITORY" ', "")
    event = {"_BUCKET": "uploads", "_OBJECT": "2012-03.csv", "_GENERATION": "1700000000000001"}
    for _ in range(2):
        flows.build("cloudbuild-data.yaml", event, {pushing: here})
    assert "span-04.csv.dvc" in pointers(flows)
    (run,) = [run for run in flows.staging.tell()["runs"] if "upload" in run["display_name"]]
    assert spans(run) == [1, 2, 3, 4] and parameters(run)["reason"] == "2012-03.csv was uploaded"
    assert window(flows) == [1, 2, 3, 4]


def test_drift_starts_one_run_for_each_key_however_often_it_is_dispatched(
    flows: Flows, moved_on: None
) -> None:
    payload = {"key": "q-d8345575ac66", "reasons": "drift", "commit": "", "objects": []}
    for attempt in ("1", "1", "2"):  # the last is a run that somebody has run again
        flows.run("retrain.yml", payload, attempt=attempt)
    named = [run for run in flows.runs() if "q-d8345575ac66" in run["display_name"]]
    assert [run["display_name"] for run in named] == [
        "pedalflow-q-d8345575ac66",
        "pedalflow-q-d8345575ac66-2",
    ]
    assert parameters(named[0])["reason"] == "drift"


def test_the_calendar_starts_a_run(flows: Flows, released: list[Ran]) -> None:
    flows.run("schedule.yml")
    assert flows.runs()[-1]["display_name"] == "pedalflow-schedule-4711-1"


def test_no_command_prints_a_token_or_a_password(
    flows: Flows, released: list[Ran], taken_in: list[Ran]
) -> None:
    said = " ".join(ran.said for ran in [*released, *taken_in])
    assert TOKEN not in said and "a-token-of-the-test" not in said and "a-password-of-the-test" not in said
    assert ["kubectl", "create", "token"] in [call[:3] for call in calls(flows.world.outside)]
