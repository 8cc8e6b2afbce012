"""A service that somebody pauses and resumes: what it takes meanwhile, what it says, and when it starts what has waited."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

import pytest

from pedalflow.command import exits
from tests.integration_triggers.door import (
    ANSWERS,
    PROMOTED,
    TRAINED,
    Door,
    command,
    make_workspace,
    serving,
    wait_for,
)
from tests.samples.pedalflow_stand_in import calls

REASON = "the cluster is being upgraded"


def wish(door: Door, wish: str, **more: str) -> str:
    """Wish by a request of one's own; returns the id of the event."""
    said = {"wish": wish, "reason": REASON, "who": "ada", "id": f"{wish}-{next(door.names)}", **more}
    return str(door.post("person", said).raise_for_status().json()["events"][0]["id"])


def status(workspace: Path) -> str:
    """What `pedalflow status` says of the triggers."""
    return command(workspace, module="triggers.status_command").stdout


def metric(door: Door) -> str:
    (line,) = [
        line
        for line in door.client.get("/metrics").text.splitlines()
        if line.startswith("pedalflow_triggers_paused ")
    ]
    return line.split()[1]


def test_what_is_asked_for_during_a_pause_waits_and_starts_after_it(door: Door) -> None:
    # given
    wish(door, "pause")
    # when somebody asks for a run
    run = door.decided(door.wish())["run"]
    # then it waits, and says for whom, also when the service looks at it again
    waits = wait_for(lambda: (seen := door.get(f"/api/runs/{run}"))["note"].startswith("paused") and seen)
    paused = door.get("/api/status")["paused"]
    since = f"{paused['since'][:10]} {paused['since'][11:19]} UTC"
    assert (waits["phase"], waits["note"]) == ("waiting", f"paused by ada since {since}: {REASON}")
    assert (
        f'<strong>Paused</strong> by ada since <time datetime="{paused["since"]}">'
        in door.client.get("/").text
    )
    assert metric(door) == "1.0" and calls(door.workspace) == []
    # when somebody resumes, and nothing else comes
    wish(door, "resume")
    # then it starts
    door.quiet()
    assert [(seen["id"], seen["outcome"]) for seen in door.runs()] == [(run, "promoted")]
    assert door.get("/api/status")["paused"] is None and metric(door) == "0.0"


def test_a_run_at_work_goes_on_to_its_end_and_a_pause_outlives_the_service(workspace: Path) -> None:
    # given a run at work, and another that waits for it
    waits: dict[str, Any] = {**ANSWERS, "train": [{"json": TRAINED, "until": "go"}, {"json": TRAINED}]}
    (workspace / "answers.json").write_text(json.dumps({**waits, "rollout": [{"json": PROMOTED}]}))
    with serving(workspace) as door:
        first = door.decided(door.wish("first"))["run"]
        wait_for(lambda: door.get(f"/api/runs/{first}")["phase"] == "running")
        second = door.decided(door.wish("second"))["run"]
        # when it is paused, and the first ends
        wish(door, "pause")
        (workspace / "go").touch()
        wait_for(lambda: door.get(f"/api/runs/{first}")["outcome"] == "promoted")
        # then the second goes on waiting
        assert door.get(f"/api/runs/{second}")["phase"] == "waiting"
    # also in a service that is started anew
    with serving(workspace) as door:
        third = door.decided(wish(door, "retrain"))
        assert (third["run"], third["outcome"]) == (second, "joins a run that waits")
        assert "paused by ada since" in third["reason"]
        assert [seen["phase"] for seen in door.runs()] == ["waiting", "succeeded"]
        wish(door, "resume")
        door.quiet()
        assert [seen["outcome"] for seen in door.runs()] == ["promoted", "promoted"]


def test_in_a_replay_it_is_paused_since_a_moment_of_the_data(workspace: Path) -> None:
    with serving(workspace, clock="data") as door:
        door.decided(wish(door, "pause", data_time="2012-12-18T00:00:00Z"))
        reason = door.decided(door.wish())["reason"]
    assert reason == f"somebody asked for it; paused by ada since 2012-12-18 00:00:00 UTC: {REASON}"


def test_the_commands_pause_and_resume_and_tell_what_is_decided(door: Door, tmp_path: Path) -> None:
    # when
    paused = command(door.workspace, "--json", "pause", "--reason", REASON)
    # then
    assert paused.returncode == 0, paused.stderr
    event = json.loads(paused.stdout)["event"]
    assert (event["kind"], event["reason"]) == ("pause", "no run starts until somebody resumes")
    assert f"Paused:     by {getpass.getuser()} since " in status(door.workspace)
    # when it is asked for a run meanwhile
    fired = command(door.workspace, "fire", "--reason", "a test")
    # then it is said why that waits
    assert f"paused by {getpass.getuser()} since" in fired.stdout and REASON in fired.stdout
    # when somebody resumes from elsewhere
    (tmp_path / "token").write_text(door.token("person"))
    there = ("--address", door.address, "--token-file", str(tmp_path / "token"))
    elsewhere = make_workspace(tmp_path / "elsewhere")
    resumed = command(elsewhere, "resume", "--reason", "it is upgraded", *there)
    # then
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout.endswith(": recorded only: what waits is judged again and may start\n")
    door.quiet()
    assert [seen["outcome"] for seen in door.runs()] == ["promoted"]
    assert "Paused" not in status(door.workspace)


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_a_pause_and_its_end_need_a_reason(workspace: Path, action: str) -> None:
    done = command(workspace, action)
    assert done.returncode == exits.USAGE.code and "--reason" in done.stderr


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_without_a_service_nothing_is_paused_and_it_is_said_how_to_start_one(
    workspace: Path, action: str
) -> None:
    done = command(workspace, action, "--reason", REASON)
    assert done.returncode == exits.SERVING_FAILED.code and "pedalflow triggers serve" in done.stderr
