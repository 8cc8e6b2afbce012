"""The local launcher with real processes: what is started once, what survives, what is found again and what is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pedalflow.workspace import Workspace
from tests.samples.pedalflow_stand_in import COMMAND, calls
from triggers.errors import LaunchLater, LaunchStopped
from triggers.launchers.launcher import (
    DATA_REFUSED,
    PROMOTED,
    REFUSED,
    ROLLED_BACK,
    UNCHANGED,
    Launched,
    Order,
    Seen,
    State,
)
from triggers.launchers.launcher_settings import LocalSettings
from triggers.launchers.local import LocalLauncher
from triggers.launchers.run_folder import is_locked
from triggers.policy import Action

ROOT = Path(__file__).resolve().parents[2]
CHALLENGER = {
    "run_id": "span-02-abc",
    "outcome": "challenger",
    "release_id": "r-new",
    "until_span": 2,
    "candidate": {"rmse": 52.3},
    "champion": {"rmse": 80.0},
}
PROMOTION = {
    "outcome": "promoted",
    "reason": "the canary was better",
    "canary": {"rmse": 50.0},
    "champion": {"rmse": 70.0},
}
GOOD: dict[str, Any] = {"train": [{"json": CHALLENGER}], "rollout": [{"json": PROMOTION}]}


class Here:
    """A workspace, what its commands answer, and launchers that end with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.launchers: list[LocalLauncher] = []
        self.answers(GOOD)

    def answers(self, answers: dict[str, Any]) -> None:
        (self.folder / "answers.json").write_text(json.dumps(answers))

    def launcher(self, **settings: Any) -> LocalLauncher:
        made = LocalLauncher(
            Workspace(self.folder),
            LocalSettings(**{"command": COMMAND, "busy_retry_s": 0.01, "stop_s": 10, **settings}),
        )
        self.launchers.append(made)
        return made

    def go(self) -> None:
        (self.folder / "go").touch()

    def run_folder(self, key: str = "q-1") -> Path:
        return self.folder / "state" / "triggers" / "runs" / key

    def asked(self, step: str) -> list[list[str]]:
        """The options of each call of a subcommand."""
        made = (call["arguments"] for call in calls(self.folder) if call["step"] == step)
        return [arguments[arguments.index(step) + 1 :] for arguments in made]


def end_orphan(pid: int, workspace: Path) -> None:
    """Kill a command that outlived its run, as it does where a test fails."""
    with suppress(FileNotFoundError, ProcessLookupError):
        if str(workspace).encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    made = Here(tmp_path)
    yield made
    for launcher in made.launchers:
        launcher.close()
    for call in calls(tmp_path):
        end_orphan(call["pid"], tmp_path)


def order(key: str = "q-1", *objects: str) -> Order:
    return Order(key, Action.TAKE_IN if objects else Action.RETRAIN, "pedalflow", ("because",), objects)


def wait_until(happened: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if found := happened():
            return found
        time.sleep(0.01)
    raise AssertionError(f"it never happened that {what}")


def over(launcher: LocalLauncher, key: str = "q-1") -> Seen:
    return wait_until(lambda: (s := launcher.look(key)).state is not State.ACTIVE and s, f"{key} was over")


def begun(here: Here, step: str = "train", times: int = 1) -> None:
    wait_until(lambda: len(here.asked(step)) >= times, f"{step} was called {times} times")


def end_group(pid: int) -> None:
    """Kill the process group of a run that no launcher of the test has as a child."""
    os.killpg(os.getpgid(pid), signal.SIGKILL)


def test_what_is_blessed_is_rolled_out_and_the_result_says_everything(here: Here) -> None:
    launcher = here.launcher(rollout_options=("--canary-rows", "48"))
    assert launcher.submit(order()) == Launched("q-1")
    assert over(launcher) == Seen(
        State.SUCCEEDED,
        outcome=PROMOTED,
        release="r-new",
        note="the canary was better",
        facts={
            "run_id": "span-02-abc",
            "until_span": 2,
            "candidate_rmse": 52.3,
            "champion_rmse": 80.0,
            "live_canary_rmse": 50.0,
            "live_champion_rmse": 70.0,
        },
    )
    assert here.asked("train") == [["--no-promote"]]
    assert here.asked("rollout") == [["r-new", "--canary-rows", "48"]]


@pytest.mark.parametrize(
    ("answers", "state", "outcome", "note"),
    [
        (
            {"train": [{"json": {"outcome": "unchanged", "release_id": "r-old"}}]},
            State.SUCCEEDED,
            UNCHANGED,
            "there was nothing new to train on",
        ),
        (
            {
                "train": [
                    {"exit": 4, "json": {"outcome": "refused", "release_id": "r-x"}, "say": "r-x was refused"}
                ]
            },
            State.SUCCEEDED,
            REFUSED,
            "r-x was refused",
        ),
        ({"train": [{"exit": 3, "say": "temp is 92"}]}, State.SUCCEEDED, DATA_REFUSED, "temp is 92"),
        (
            {"train": [{"exit": 6, "say": "anomalies in hum"}]},
            State.SUCCEEDED,
            DATA_REFUSED,
            "anomalies in hum",
        ),
        ({"train": [{"exit": 5, "say": "no environment"}]}, State.FAILED, "", "no environment"),
        ({"train": [{"exit": 7, "say": "MLflow is away"}]}, State.FAILED, "", "MLflow is away"),
        (
            {"train": [{"exit": -9}]},
            State.FAILED,
            "",
            "the training was killed by signal 9; was there too little memory?",
        ),
        (
            {**GOOD, "rollout": [{"json": {"outcome": "rolled back", "reason": "the canary was worse"}}]},
            State.SUCCEEDED,
            ROLLED_BACK,
            "the canary was worse",
        ),
        (
            {**GOOD, "rollout": [{"exit": 8, "say": "no server answers"}]},
            State.FAILED,
            "",
            "no server answers",
        ),
    ],
)
def test_every_end_of_the_commands_is_told(
    here: Here, answers: dict[str, Any], state: State, outcome: str, note: str
) -> None:
    here.answers(answers)
    launcher = here.launcher()
    launcher.submit(order())
    seen = over(launcher)
    assert (seen.state, seen.outcome, seen.note) == (state, outcome, note)


def test_uploaded_files_are_taken_in_from_the_buckets_folder(here: Here) -> None:
    bucket = here.folder / "bucket"
    (bucket / "2012-01").mkdir(parents=True)
    for name in ("hours.csv", "more.csv", "_SUCCESS"):
        (bucket / "2012-01" / name).touch()
    launcher = here.launcher(buckets={"bike-hours": bucket})
    launcher.submit(order("q-1", "s3://bike-hours/2012-01/_SUCCESS", "gs://bike-hours/2012-01/hours.csv"))
    assert over(launcher).outcome == PROMOTED
    hours, more = (str(bucket / "2012-01" / name) for name in ("hours.csv", "more.csv"))
    assert here.asked("train") == [["--no-promote", "--take-in", hours, "--take-in", more]]


def test_an_upload_that_cannot_be_used_does_not_cost_the_other_reasons_their_run(here: Here) -> None:
    bucket = here.folder / "bucket"
    bucket.mkdir()
    (bucket / "hours.csv").touch()
    launcher = here.launcher(buckets={"bike-hours": bucket})
    launcher.submit(order("q-1", "s3://unknown/2012-01/", "s3://bike-hours/hours.csv"))
    seen = over(launcher)
    assert (seen.state, seen.outcome) == (State.SUCCEEDED, PROMOTED)
    assert seen.note.startswith(
        "the canary was better; not taken in: s3://unknown/2012-01/ lies in the bucket"
    )
    assert "setting `buckets`" in str(seen.facts["refused_files"])
    assert here.asked("train") == [["--no-promote", "--take-in", str(bucket / "hours.csv")]]


def test_an_upload_that_cannot_be_used_and_is_all_there_was_is_refused_data(here: Here) -> None:
    here.answers({"train": [{"json": {"outcome": "unchanged", "release_id": "r-old"}}]})
    launcher = here.launcher()
    launcher.submit(order("q-1", "s3://bike-hours/2012-01/"))
    seen = over(launcher)
    assert (seen.state, seen.outcome) == (State.SUCCEEDED, DATA_REFUSED)
    assert "setting `buckets`" in seen.note
    assert here.asked("train") == [["--no-promote"]]


def test_the_same_key_twice_is_one_run_at_work_and_after(here: Here) -> None:
    here.answers({**GOOD, "train": [{"json": CHALLENGER, "until": "go"}]})
    launcher, another = here.launcher(), here.launcher()
    launcher.submit(order())
    assert another.submit(order()) == another.find("q-1") == Launched("q-1")
    here.go()
    over(launcher)
    wait_until(lambda: not is_locked(here.run_folder() / "lock"), "its process had ended")
    assert launcher.submit(order()) == launcher.find("q-1") == Launched("q-1")
    assert not is_locked(here.run_folder() / "lock")  # no process was started
    assert len(here.asked("train")) == 1


def test_many_submits_at_the_same_moment_start_one_run(here: Here) -> None:
    here.answers({**GOOD, "train": [{"json": CHALLENGER, "until": "go"}]})
    launchers = [here.launcher() for _ in range(8)]
    threads = [threading.Thread(target=launcher.submit, args=[order()]) for launcher in launchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    here.go()
    over(launchers[0])
    assert len(here.asked("train")) == 1


def test_a_run_is_found_from_the_moment_it_was_submitted(here: Here) -> None:
    launcher, restarted = here.launcher(), here.launcher()
    assert launcher.find("q-1") is None
    launcher.submit(order())  # its process is still starting its interpreter
    assert restarted.find("q-1") == Launched("q-1")
    assert over(restarted).outcome == PROMOTED


def test_what_a_run_does_now_can_be_seen(here: Here) -> None:
    here.answers({**GOOD, "rollout": [{"json": PROMOTION, "until": "go"}]})
    launcher = here.launcher()
    launcher.submit(order())
    wait_until(lambda: launcher.look("q-1") == Seen(State.ACTIVE, step="rolls out r-new"), "it rolled out")
    here.go()
    assert over(launcher).outcome == PROMOTED


SERVICE = """
import sys
from pathlib import Path
from pedalflow.workspace import Workspace
from tests.samples.pedalflow_stand_in import COMMAND
from triggers.launchers.launcher import Order
from triggers.launchers.launcher_settings import LocalSettings
from triggers.launchers.local import LocalLauncher
from triggers.policy import Action
launcher = LocalLauncher(Workspace(Path(sys.argv[1])), LocalSettings(command=COMMAND))
launcher.submit(Order("q-1", Action.RETRAIN, "pedalflow", ("because",)))
print("submitted", flush=True)
sys.stdin.read()
"""


def test_a_run_outlives_kill_9_of_the_service_and_is_found_again(here: Here) -> None:
    here.answers({**GOOD, "train": [{"json": CHALLENGER, "until": "go"}]})
    service = subprocess.Popen(
        [sys.executable, "-c", SERVICE, str(here.folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert service.stdout is not None
    assert service.stdout.readline() == b"submitted\n"
    os.killpg(service.pid, signal.SIGKILL)
    service.communicate()

    restarted = here.launcher()
    assert restarted.find("q-1") == Launched("q-1")
    assert restarted.look("q-1").state is State.ACTIVE
    restarted.submit(order())
    here.go()
    assert over(restarted).outcome == PROMOTED
    assert len(here.asked("train")) == 1


def test_a_killed_run_is_interrupted_and_may_be_started_again(here: Here) -> None:
    here.answers({**GOOD, "train": [{"json": CHALLENGER, "until": "go"}]})
    launcher = here.launcher()
    launcher.submit(order())
    begun(here)
    end_group(calls(here.folder)[0]["pid"])
    assert over(launcher).state is State.INTERRUPTED
    assert launcher.find("q-1") is None
    here.go()
    launcher.submit(order())
    assert over(launcher).outcome == PROMOTED


def test_a_training_that_was_over_is_not_repeated_after_an_interruption(here: Here) -> None:
    here.answers({**GOOD, "rollout": [{"json": PROMOTION, "until": "go"}]})
    launcher = here.launcher()
    launcher.submit(order())
    begun(here, "rollout")
    end_group(calls(here.folder)[-1]["pid"])
    assert over(launcher).state is State.INTERRUPTED
    here.go()
    launcher.submit(order())
    assert over(launcher).outcome == PROMOTED
    assert (len(here.asked("train")), len(here.asked("rollout"))) == (1, 2)


def test_what_was_rolled_back_before_is_not_rolled_out_again_after_an_interruption(here: Here) -> None:
    again = {
        "json": {**CHALLENGER, "outcome": "unchanged"}
    }  # so `train` says that nothing is to come of r-new
    here.answers({**GOOD, "train": [{"until": "never"}, again]})
    launcher = here.launcher()
    launcher.submit(order())
    begun(here)
    end_group(calls(here.folder)[0]["pid"])
    over(launcher)
    launcher.submit(order())
    assert over(launcher).outcome == UNCHANGED
    assert here.asked("rollout") == []


@pytest.mark.parametrize(
    ("step", "answers", "outcome"),
    [
        ("train", {**GOOD, "train": [{"json": CHALLENGER, "until": "go"}]}, PROMOTED),
        (
            "rollout",
            {**GOOD, "rollout": [{"json": {**PROMOTION, "outcome": "rolled back"}, "until": "go"}]},
            ROLLED_BACK,
        ),
    ],
)
def test_a_command_that_outlives_its_run_is_the_run_and_its_answer_counts(
    here: Here, step: str, answers: dict[str, Any], outcome: str
) -> None:
    here.answers(answers)
    launcher = here.launcher()
    launcher.submit(order())
    begun(here, step)
    orphan = calls(here.folder)[-1]["pid"]
    own = os.getpgid(orphan)
    assert own == int((here.run_folder() / "lock").read_text())
    os.kill(own, signal.SIGKILL)  # the run's own process alone
    wait_until(lambda: launcher.find("q-1") and gone(own), "the run's own process had ended")
    assert launcher.look("q-1").state is State.ACTIVE
    launcher.submit(order())
    here.go()
    wait_until(lambda: gone(orphan), "the orphan had ended")
    assert over(launcher).state is State.INTERRUPTED
    launcher.submit(order())
    assert over(launcher).outcome == outcome
    assert (len(here.asked("train")), len(here.asked("rollout"))) == (1, 1)


def test_a_command_that_outlives_its_run_has_no_longer_than_the_run(here: Here) -> None:
    here.answers({"train": [{"until": "never", "deaf": True}]})
    patient = here.launcher()
    patient.submit(order())
    begun(here)
    orphan = calls(here.folder)[0]["pid"]
    os.kill(os.getpgid(orphan), signal.SIGKILL)
    wait_until(lambda: patient.find("q-1") and gone(os.getpgid(orphan)), "the run's own process had ended")
    assert patient.look("q-1").state is State.ACTIVE
    seen = here.launcher(timeout_s=0.001, stop_s=0.001).look("q-1")
    assert (seen.state, seen.note) == (State.FAILED, "it took longer than 0.001 s and was stopped")
    wait_until(lambda: gone(orphan), "the orphan was stopped")


def test_what_a_command_leaves_behind_does_not_hold_the_run(here: Here) -> None:
    here.answers({"train": [{"json": {"outcome": "unchanged"}, "leaves": True}]})
    launcher = here.launcher()
    launcher.submit(order())
    assert over(launcher).outcome == UNCHANGED
    wait_until(lambda: not is_locked(here.run_folder() / "lock"), "the lock was let go")
    left = int((here.folder / "left").read_text())
    assert not gone(left)
    os.kill(left, signal.SIGKILL)


def test_a_run_that_dies_before_it_begins_names_the_last_line_of_its_log(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here.folder / "fcntl.py").write_text("raise ImportError('no fcntl here')\n")
    launcher = here.launcher()
    monkeypatch.setenv("PYTHONPATH", str(here.folder))
    launcher.submit(order())
    seen = over(launcher)
    assert seen.state is State.INTERRUPTED
    assert seen.note.endswith(f"{here.run_folder() / 'log'} ends with: ImportError: no fcntl here")


def test_the_folders_of_runs_that_were_over_long_ago_are_removed(here: Here) -> None:
    here.answers({**GOOD, "train": [{"json": CHALLENGER, "until": "go"}]})
    launcher = here.launcher(keep_days=30)
    launcher.submit(order("q-at-work"))
    begun(here)
    runs = here.run_folder().parent
    for name, days in {"q-old": 31, "q-interrupted": 31, "q-young": 29, "q-at-work": 31}.items():
        (runs / name).mkdir(exist_ok=True)
        (runs / name / "lock").touch()
        if name in ("q-old", "q-young"):
            (runs / name / "result.json").write_text("{}")
        for file in (runs / name).iterdir():
            os.utime(file, (time.time() - days * 86400,) * 2)
    launcher.submit(order("q-new"))
    assert {path.name for path in runs.iterdir()} == {"q-young", "q-at-work", "q-new"}
    here.go()
    for key in ("q-at-work", "q-new"):
        over(launcher, key)


def test_a_workspace_that_is_busy_is_waited_for(here: Here) -> None:
    busy = {"exit": 7, "say": "another training is at work in W; wait for it, or use another --workspace"}
    here.answers({**GOOD, "train": [busy, busy, {"json": CHALLENGER}]})
    launcher = here.launcher()
    launcher.submit(order())
    assert over(launcher).outcome == PROMOTED
    assert len(here.asked("train")) == 3


def test_a_workspace_that_stays_busy_fails_the_run(here: Here) -> None:
    here.answers({"train": [{"exit": 7, "say": "another training is at work in W"}]})
    launcher = here.launcher(busy_wait_s=0.01)
    launcher.submit(order())
    seen = over(launcher)
    assert (seen.state, seen.note) == (State.FAILED, "another training is at work in W")


@pytest.mark.parametrize("deaf", [False, True])
def test_a_run_that_takes_too_long_has_failed_and_leaves_no_process(here: Here, deaf: bool) -> None:
    here.answers({"train": [{"until": "never", "deaf": deaf}]})
    launcher = here.launcher(timeout_s=1.5, stop_s=0.2)
    launcher.submit(order())
    seen = over(launcher)
    assert (seen.state, seen.note) == (State.FAILED, "it took longer than 1.5 s and was stopped")
    wait_until(
        lambda: all(gone(call["pid"]) for call in calls(here.folder)), "the training's process was gone"
    )


@pytest.mark.parametrize("deaf", [False, True])
def test_closing_stops_the_run_and_it_counts_as_interrupted(here: Here, deaf: bool) -> None:
    here.answers({"train": [{"until": "never", "deaf": deaf}]})
    launcher = here.launcher(stop_s=1.0 if deaf else 30.0)
    launcher.submit(order())
    begun(here)
    launcher.close()
    wait_until(lambda: gone(calls(here.folder)[0]["pid"]), "the training's process was gone")
    restarted = here.launcher()
    assert restarted.look("q-1").state is State.INTERRUPTED
    assert restarted.find("q-1") is None


def test_a_command_that_somebody_stops_interrupts_the_run(here: Here) -> None:
    here.answers({"train": [{"until": "never"}]})
    launcher = here.launcher()
    launcher.submit(order())
    begun(here)
    os.kill(calls(here.folder)[0]["pid"], signal.SIGTERM)
    assert over(launcher).state is State.INTERRUPTED


def gone(pid: int) -> bool:
    """Whether the process has ended; one that only waits for its parent to notice has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def test_no_zombie_is_left(here: Here) -> None:
    launcher = here.launcher()
    launcher.submit(order())
    over(launcher)

    def children() -> str:
        launcher.find("q-1")
        return Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().strip()

    wait_until(lambda: not children(), "the process was reaped")


def test_the_secrets_of_the_service_do_not_reach_the_training(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEDALFLOW_TRIGGERS_PERSON_TOKEN", "secret")
    launcher = here.launcher()
    launcher.submit(order())
    over(launcher)
    assert [call["private"] for call in calls(here.folder)] == [[], []]


def test_an_unforeseen_error_ends_the_run_and_its_log_has_more(here: Here) -> None:
    launcher = here.launcher(command=("/no/such/command",))
    launcher.submit(order())
    seen = over(launcher)
    assert seen.state is State.FAILED
    assert "FileNotFoundError" in seen.note
    assert "Traceback" in (here.run_folder() / "log").read_text()


@pytest.mark.parametrize("key", ["../q", "q/1", "", ".q", "q" * 101])
def test_a_key_that_names_no_folder_stops(here: Here, key: str) -> None:
    with pytest.raises(LaunchStopped, match="cannot name"):
        here.launcher().submit(order(key))


def test_a_folder_that_cannot_be_made_is_tried_again(here: Here) -> None:
    (here.folder / "state").touch()
    launcher = here.launcher()
    assert launcher.find("q-1") is None
    with pytest.raises(LaunchLater, match="cannot be started"):
        launcher.submit(order())


def test_a_run_that_nobody_knows_is_interrupted(here: Here) -> None:
    assert here.launcher().look("q-9").state is State.INTERRUPTED
