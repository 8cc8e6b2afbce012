"""What the triggers know, as `pedalflow status` shows it."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

import pytest

from pedalflow.command.outermost import outermost
from pedalflow.lock import exclusive
from pedalflow.workspace import Workspace
from tests.samples.triggers_engine import event
from tests.samples.triggers_story import NOT_ENOUGH, RECEIVED, SECOND, Names, write_story
from triggers import status_command
from triggers.events import Kind
from triggers.policy import Action, Decision, Outcome
from triggers.private_files import SERVING_LOCK
from triggers.status import Status, address_of_service, as_json, as_text, read_status
from triggers.store import changes
from triggers.store.store import Store


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def names(workspace: Workspace) -> Names:
    return write_story(workspace)


@pytest.fixture
def status(workspace: Workspace, names: Names) -> Status:
    with closing(Store(f"sqlite:///{workspace.triggers_database}", read_only=True)) as store:
        return read_status(store, workspace, SECOND, RECEIVED + 7380)


def say_running(workspace: Workspace) -> None:
    content = {"address": "http://127.0.0.1:9100", "pid": os.getpid()}
    (workspace.triggers / "service.json").write_text(json.dumps(content), encoding="utf-8")


def test_the_champion_has_its_age_and_its_rolling_error(status: Status) -> None:
    content = as_json(status)
    champion = content["champion"]
    assert (champion["release"], content["champion_age_s"]) == (SECOND, 7200.0)
    assert (champion["rmse"], champion["wape"], champion["rows"]) == (52.25, 0.144, 163)
    assert f"Serves:     {SECOND}, for 2 h; RMSE 52.2, WAPE 14 % over the last 163 labelled rows" in as_text(
        status
    )


def test_a_champion_that_no_run_promoted_serves_since_its_pointer_was_written(
    workspace: Workspace, names: Names
) -> None:
    os.utime(workspace.champion, (RECEIVED, RECEIVED))
    with closing(Store(f"sqlite:///{workspace.triggers_database}", read_only=True)) as store:
        found = read_status(store, workspace, "r-by-hand", RECEIVED + 60)
    assert as_json(found)["champion_age_s"] == 60.0
    assert "no labels yet that say how well" in as_text(found)


def test_what_waits_says_until_when_and_why(status: Status, names: Names) -> None:
    (waits,) = as_json(status)["waiting"]
    assert (waits["id"], waits["due"]) == (names.waiting, "2012-01-10T00:01:00.000Z")
    text = as_text(status)
    assert (
        f"Waits:      run {names.waiting}, until 2012-01-10 00:01 at least: a batch of data was uploaded"
        in text
    )
    assert "A batch of data was uploaded to s3://bike-hours/2012-02/; 1 commit brought other versions" in text


def test_the_last_events_have_their_decision_and_the_last_runs_their_outcome(
    status: Status, names: Names
) -> None:
    content = as_json(status)
    assert [event["id"] for event in content["events"]] == [
        names.undecided,
        names.commit,
        names.upload,
        names.clearing,
        names.lonely,
    ]
    assert content["events"][-1]["reason"] == NOT_ENOUGH
    assert [(run["id"], run["outcome"], run["release"]) for run in content["runs"]] == [
        (names.run, "promoted", SECOND)
    ]
    assert NOT_ENOUGH in as_text(status) and "✓ promoted" in as_text(status)


def test_an_event_that_is_not_decided_is_counted(status: Status) -> None:
    assert as_json(status)["undecided_events"] == 1
    assert "Undecided:  1" in as_text(status)


def test_a_pause_says_who_paused_it_and_how_it_goes_on(workspace: Workspace, status: Status) -> None:
    assert as_json(status)["paused"] is None and "Paused" not in as_text(status)
    with closing(Store(f"sqlite:///{workspace.triggers_database}")) as store:
        (accepted,) = store.accept([event(Kind.PAUSE, who="ada", reason="the cluster is upgraded")])
        number = store.events(1)[0].number
        with store.turn() as connection:
            decision = Decision(Action.RECORD, Outcome.RECORDED, RECEIVED, "because")
            changes.event_decided(connection, number, decision, RECEIVED, None)
        found = read_status(store, workspace, SECOND, RECEIVED + 60)
    assert as_json(found)["paused"] == {
        "event": accepted.id,
        "who": "ada",
        "reason": "the cluster is upgraded",
        "since": "2026-01-01T00:00:00.000Z",
    }
    said = "Paused:     by ada since 2026-01-01 00:00: the cluster is upgraded (no run starts before `pedalflow triggers resume"
    assert said in as_text(found)


def test_the_service_is_named_while_it_runs_and_only_then(workspace: Workspace, names: Names) -> None:
    assert address_of_service(workspace) == ""
    with exclusive(workspace.triggers / SERVING_LOCK, "busy"):
        assert address_of_service(workspace) == ""
        say_running(workspace)
        assert address_of_service(workspace) == "http://127.0.0.1:9100"
    assert address_of_service(workspace) == ""  # it was killed, and somebody else has its process id


@pytest.mark.parametrize(("flags", "said"), [([], "no event has come yet"), (["--json"], "null")])
def test_a_workspace_without_events_is_said_in_one_line_and_gets_no_database(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    assert outermost(status_command.main, ["--workspace", str(workspace.root), *flags]) == 0
    out = capsys.readouterr().out
    assert said in out and out.count("\n") == 1
    assert not workspace.triggers.exists()


def test_the_command_prints_text_and_json(
    workspace: Workspace, names: Names, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outermost(status_command.main, ["--workspace", str(workspace.root)]) == 0
    assert f"Serves:     {SECOND}" in capsys.readouterr().out
    assert outermost(status_command.main, ["--workspace", str(workspace.root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["waiting"][0]["id"] == names.waiting
