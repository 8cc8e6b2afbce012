"""The compiled pipeline, rehearsed as Kubeflow runs it, makes the release that the local runner makes."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from pedalflow.release import open_release
from pipelines.kubeflow.compilation import UNPUBLISHED
from tests.integration.conftest import Trained
from tests.integration.kubeflow.conftest import Rehearse
from tests.samples.project_copy import environment

EXIT_HANDLER = "RunCompletion"


def states(said: Any) -> dict[str, str]:
    return {task["name"]: task["state"] for task in said["tasks"]}


def test_a_first_run_makes_the_release_of_the_local_runner_byte_for_byte(
    rehearse: Rehearse, first: Trained
) -> None:
    done = rehearse("--until-span", "1")
    assert done.code == 0, done.stderr
    said = json.loads(done.stdout)
    local = open_release(first.release)
    assert (said["release"], said["checksum"]) == (local.name, local.checksum)
    assert set(states(said).values()) == {"SUCCEEDED"}
    assert len(said["tasks"]) == 18
    pushed = rehearse.workspace.state / "rehearsal" / "releases" / local.name
    assert open_release(pushed).checksum == local.checksum
    assert _recorded_images(rehearse) == [UNPUBLISHED], "in the registry, and so not in the release's bytes"
    left = {path.name for path in rehearse.workspace.state.iterdir()}
    assert left == {"rehearsal", "rehearsal.lock"}, "it must not touch what the workspace has"
    assert _processes_of(rehearse) == []


def test_a_later_run_is_compared_with_the_champion_that_is_imported(
    rehearse: Rehearse, first: Trained
) -> None:
    shutil.copytree(first.release, rehearse.workspace.releases / first.release.name)
    done = rehearse("--until-span", "2", "--champion", first.release.name, "--param", "model_epochs=2")
    assert done.code == 0, done.stderr
    said = json.loads(done.stdout)
    (verdict,) = (rehearse.workspace.state / "rehearsal" / "store").rglob("verdict.json")
    judged = json.loads(verdict.read_text(encoding="utf-8"))
    assert judged["evaluation"]["champion"]["rows"] == judged["evaluation"]["candidate"]["rows"] > 0
    (release,) = (rehearse.workspace.state / "rehearsal" / "releases").iterdir()
    facts: Any = open_release(release, said["release"]).facts
    assert facts["parameters"]["model"]["epochs"] == 2
    assert [span["number"] for span in facts["spans"]] == [1, 2]


def test_a_task_that_fails_stops_the_run_but_not_the_exit_handler(rehearse: Rehearse) -> None:
    done = rehearse("--until-span", "1", "--param", f"code={'e' * 64}")
    assert done.code == 7
    found = states(json.loads(done.stdout))
    assert found["RunPlan"] == "FAILED"
    assert found["Trainer"] == "SKIPPED"
    assert found[EXIT_HANDLER] == "SUCCEEDED"
    assert "the task RunPlan failed in attempt 1 with exit code 7" in done.stderr
    assert "the image holds code with the fingerprint" in done.stderr
    assert not (rehearse.workspace.state / "rehearsal" / "releases").exists()


def test_a_run_that_says_another_image_than_its_tasks_run_in_trains_nothing(rehearse: Rehearse) -> None:
    done = rehearse("--until-span", "1", "--param", f"image_digest=sha256:{'2' * 64}")
    assert done.code == 7
    found = states(json.loads(done.stdout))
    assert (found["RunPlan"], found["SpanExampleGen"], found[EXIT_HANDLER]) == (
        "FAILED",
        "SKIPPED",
        "SUCCEEDED",
    )
    assert "start the version that was compiled with the other image" in done.stderr


def test_spans_that_are_not_in_the_store_are_named_and_nothing_is_trained(rehearse: Rehearse) -> None:
    span = {
        "number": 1,
        "rows": 1,
        "first": "2011-01-01",
        "last": "2011-12-31",
        "md5": "0" * 32,
        "file": "span-01.csv",
    }
    given = ["--param", f"spans={json.dumps([span])}", "--param", "first_evaluation_day=2011-12-18"]
    done = rehearse(*given)
    assert done.code == 7
    said = json.loads(done.stdout)
    (failed,) = [task for task in said["tasks"] if task["state"] == "FAILED"]
    assert (failed["name"], failed["attempts"], failed["code"]) == ("SpanExampleGen", 2, 3)
    assert (
        "the input folder is missing: nothing was brought from minio://mlpipeline/pedalflow/spans"
        in done.stderr
    )


def test_ctrl_c_stops_the_task_that_is_at_work_and_leaves_no_process(rehearse: Rehearse) -> None:
    with subprocess.Popen(
        rehearse.words("--until-span", "1"),
        cwd=rehearse.project.root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("Transform …"):
                process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert _processes_of(rehearse) == []


def _recorded_images(rehearse: Rehearse) -> list[str]:
    """The images of the model versions in the rehearsal's own registry."""
    (database,) = (rehearse.workspace.state / "rehearsal").glob("*.sqlite")
    with closing(sqlite3.connect(database)) as registry:
        found = registry.execute("select value from model_version_tags where key = 'pedalflow.image'")
        return [value for (value,) in found]


def _processes_of(rehearse: Rehearse) -> list[str]:
    """Processes that still run in the copied project."""
    listed = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    workers = [line.split()[0] for line in listed.splitlines() if "rehearsal.worker" in line]
    return [pid for pid in workers if _folder(pid) == rehearse.project.root]


def _folder(pid: str) -> Path | None:
    try:
        return (Path("/proc") / pid / "cwd").readlink()
    except OSError:
        return None
