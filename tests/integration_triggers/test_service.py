"""The service as a process: how it starts without any settings, how it ends, what a person asks of it, and what it survives."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from pedalflow.command import exits
from pedalflow.workspace import Workspace
from tests.integration_triggers.door import (
    ANSWERS,
    PROMOTED,
    TRAINED,
    Door,
    command,
    end,
    make_workspace,
    serving,
    wait_for,
)
from triggers.store.store import Store

WAITS = {"train": [{"json": TRAINED, "until": "go"}], "rollout": [{"json": PROMOTED}]}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A service for tests that leave nothing at work."""
    with serving(make_workspace(tmp_path_factory.mktemp("shared"))) as opened:
        yield opened


def answers(workspace: Path, **given: Any) -> None:
    (workspace / "answers.json").write_text(json.dumps({**ANSWERS, **given}))


# Starting and ending.


def test_without_any_settings_it_makes_private_tokens_and_says_where_everything_is(shared: Door) -> None:
    sources = shared.ready["sources"]
    assert {name for name, source in sources.items() if source["open"]} == set(sources) - {"pubsub"}
    for name, source in sources.items():
        assert source["address"] == f"{shared.address}/events/{name}"
        if source["open"]:
            file = Path(source["token_file"])
            assert file.parent == shared.workspace / "state" / "triggers" / "secrets"
            assert file.stat().st_mode & 0o077 == 0
    said = json.loads((shared.workspace / "state" / "triggers" / "service.json").read_text())
    assert (said["address"], said["pid"]) == (shared.address, shared.process.pid)
    assert said["token_files"]["cloudevents"] == sources["cloudevents"]["token_file"]
    assert shared.get("/readyz") == {"ready": True}


def test_the_next_start_keeps_the_tokens(workspace: Path) -> None:
    with serving(workspace) as first:
        token = first.token("person")
    with serving(workspace) as second:
        assert second.token("person") == token


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_when_it_is_told_to(workspace: Path, sign: signal.Signals) -> None:
    with serving(workspace) as door:
        door.wish()
        door.process.send_signal(sign)
        assert door.process.wait(timeout=90) == 0
        assert not (workspace / "state" / "triggers" / "service.json").exists()
        with pytest.raises(httpx.TransportError):
            door.client.get("/healthz")


def test_told_to_end_under_load_it_ends_and_has_kept_what_it_acknowledged(workspace: Path) -> None:
    with serving(workspace) as door, ThreadPoolExecutor(8) as senders:
        host, port = door.address.removeprefix("http://").split(":")
        silent = [socket.create_connection((host, int(port)), timeout=20) for _ in range(20)]
        half = f"POST /events/person HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {door.token('person')}\r\nContent-Length: 9\r\n\r\n{{"
        for connection in silent[10:]:
            connection.sendall(half.encode())
        kept = [senders.submit(until_it_ends, door, number) for number in range(8)]
        wait_for(lambda: len(door.get("/api/events?limit=50")["events"]) == 50)
        door.process.terminate()
        assert door.process.wait(timeout=90) == 0
        acknowledged = {id for found in kept for id in found.result(timeout=90)}
        said = [told(connection) for connection in silent]
        assert said[:10] == [b""] * 10 and all(answer.startswith(b"HTTP/1.1 503") for answer in said[10:])
        with pytest.raises(ProcessLookupError):
            os.killpg(door.process.pid, 0)
        assert "Traceback" not in door.log.read_text()
    assert not (workspace / "state" / "triggers" / "service.json").exists()
    with closing(Store(f"sqlite:///{Workspace(workspace).triggers_database}", read_only=True)) as store:
        found = [store.event(id) for id in acknowledged]
    assert len(found) >= 50 and None not in found


def told(connection: socket.socket) -> bytes:
    """Everything that comes until the other side hangs up."""
    with connection, connection.makefile("rb") as answers:
        return answers.read()


def until_it_ends(door: Door, sender: int) -> list[str]:
    """Deliver events that lead to nothing, one after the other; the ids of those that were acknowledged."""
    kept: list[str] = []
    with httpx.Client(base_url=door.address, timeout=20) as client, suppress(httpx.TransportError):
        for number in count():
            names = {"specversion": "1.0", "id": f"s{sender}-{number}", "source": "test", "type": "test.load"}
            headers = {
                **door.headers("cloudevents", b""),
                **{f"Ce-{name}": value for name, value in names.items()},
            }
            answer = client.post("/events/cloudevents", json={}, headers=headers)
            if answer.status_code != 202:
                break
            kept.append(answer.headers["Pedalflow-Events"])
    return kept


def test_it_may_open_as_many_files_as_it_is_allowed(shared: Door) -> None:
    limits = Path(f"/proc/{shared.process.pid}/limits").read_text()
    (soft, hard), *_ = re.findall(r"Max open files +(\S+) +(\S+)", limits)
    assert soft == hard


def test_who_comes_through_a_proxy_on_this_machine_is_not_from_this_machine(shared: Door) -> None:
    assert shared.client.get("/api/status").status_code == 200
    through = shared.client.get("/api/status", headers={"X-Forwarded-For": "127.0.0.1"})
    assert through.status_code == 403 and through.json()["error"]["rule"] == "LOOPBACK_ONLY"


def test_an_address_that_a_sender_invents_is_not_believed(workspace: Path) -> None:
    with serving(workspace, failures_burst="2", failures_per_s="0.001") as door:
        codes = [
            door.client.post("/events/person", headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code
            for number in range(4)
        ]
    assert codes == [401, 401, 429, 429]


def test_a_wish_is_not_sent_to_whoever_has_the_port_of_a_killed_service(workspace: Path) -> None:
    with serving(workspace) as door:
        said = workspace / "state" / "triggers" / "service.json"
        door.process.kill()
        door.process.wait(timeout=90)
        said.write_text(said.read_text().replace(str(door.process.pid), str(os.getpid())))
    done = command(workspace, "fire", "--reason", "a test")
    assert done.returncode == exits.SERVING_FAILED.code and "no service runs" in done.stderr


def test_a_port_that_is_taken_is_named(workspace: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command(workspace, "serve", "--port", port)
    assert done.returncode == exits.SERVING_FAILED.code
    assert f"port {port}: Address already in use" in done.stderr and "Traceback" not in done.stderr


def test_a_host_that_is_not_this_machine_is_named(workspace: Path) -> None:
    done = command(workspace, "serve", "--host", "203.0.113.1", "--port", "0")
    assert done.returncode == exits.SERVING_FAILED.code and "203.0.113.1" in done.stderr


def test_two_workspaces_that_train_on_their_machines_do_not_share_a_database(workspace: Path) -> None:
    database = f"sqlite:///{workspace}/shared.sqlite"
    with serving(workspace, database=database) as first:
        other = make_workspace(workspace / "other")
        done = command(other, "serve", "--port", "0", DATABASE=database)
        assert first.get("/readyz")
    assert done.returncode == exits.SERVING_FAILED.code and "a database of its own" in done.stderr
    with serving(workspace, database=database) as again:
        assert again.get("/readyz") == {"ready": True}


def test_a_second_service_in_the_workspace_is_refused(shared: Door) -> None:
    done = command(shared.workspace, "serve", "--port", "0")
    assert done.returncode == exits.SERVING_FAILED.code
    assert "another `pedalflow triggers serve` runs" in done.stderr
    assert shared.get("/healthz")


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (("serve",), {"PROT": "1"}, "names no setting"),
        (("serve", "--settings", "nowhere.yaml"), {}, "nowhere.yaml"),
        (("serve",), {"GITHUB_SECRET": "short"}, "fewer than 16"),
        (("serve",), {"DATABASE": "oracle://x"}, ""),
        (("policy",), {"RULES__DRIFT__QUIET_S": "-1"}, "rules.drift.quiet_s"),
        (("serve", "--port", "70000"), {}, "not a port"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_starts(
    workspace: Path, arguments: tuple[str, ...], variables: dict[str, str], said: str
) -> None:
    done = command(workspace, *arguments, **{"PORT": "0", **variables})  # whatever else runs on this machine
    assert done.returncode in (exits.USAGE.code, exits.SERVING_FAILED.code)
    assert said in done.stderr and "Traceback" not in done.stderr


def test_settings_come_from_a_file_and_options_count_before_it(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("port: 1\npipeline: bikes\nreader_token_file: password\n")
    (tmp_path / "password").write_text("a-password-of-20-ch\n")
    given = {"reader_token_file": str(tmp_path / "password")}
    with serving(workspace, "--settings", str(tmp_path / "settings.yaml"), **given) as door:
        assert door.client.get("/api/status").status_code == 401
        assert door.client.get("/api/status", auth=("me", "a-password-of-20-ch")).status_code == 200


def test_seen_from_elsewhere_a_source_without_a_secret_is_closed(workspace: Path) -> None:
    with serving(workspace, "--host", "0.0.0.0") as door:
        assert not any(source["open"] for source in door.ready["sources"].values())
        local = door.address.replace("0.0.0.0", "127.0.0.1")
        answer = httpx.post(f"{local}/events/person", json={"reason": "a", "id": "b"}, timeout=30)
        assert answer.status_code == 403 and answer.json()["error"]["rule"] == "CLOSED"


def test_a_token_is_changed_without_a_restart(door: Door) -> None:
    file = Path(door.ready["sources"]["person"]["token_file"])
    before = door.headers("person", b"")
    draft = file.with_name("draft")
    draft.write_text("another-token-of-24-char\n")
    draft.replace(file)
    assert (
        door.client.post("/events/person", json={"reason": "a", "id": "b"}, headers=before).status_code == 401
    )
    assert door.wish()


# A person's wish.


def test_a_wish_is_told_what_was_decided(shared: Door) -> None:
    done = command(shared.workspace, "--json", "fire", "--reason", "the sensor was calibrated")
    assert done.returncode == 0, done.stderr
    event = json.loads(done.stdout)["event"]
    assert event["outcome"] == "asks for a run" and event["run"]
    assert event["facts"]["reason"] == "the sensor was calibrated"
    shared.quiet()


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({}, 0, "promoted"),
        (
            {"train": [{"exit": 4, "say": "the gate refused it"}]},
            exits.GATE_REFUSED.code,
            "the gate refused it",
        ),
        (
            {"train": [{"exit": 3, "say": "the file is no CSV"}]},
            exits.DATA_REFUSED.code,
            "the file is no CSV",
        ),
        ({"train": [{"exit": 7, "say": "the Trainer failed"}]}, exits.RUN_FAILED.code, "the Trainer failed"),
        (
            {"rollout": [{"json": {**PROMOTED, "outcome": "rolled back", "reason": "it was worse"}}]},
            exits.GATE_REFUSED.code,
            "it was worse",
        ),
    ],
)
def test_who_waits_learns_what_the_run_came_to(
    shared: Door, given: dict[str, Any], code: int, said: str
) -> None:
    answers(shared.workspace, **given)
    done = command(shared.workspace, "fire", "--reason", "a test", "--wait")
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_a_wish_can_be_sent_to_an_address(shared: Door, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(shared.token("person"))
    elsewhere = make_workspace(tmp_path / "elsewhere")
    there = ("--address", shared.address, "--token-file", str(tmp_path / "token"))
    assert command(elsewhere, "fire", "--reason", "a test", *there).returncode == 0
    shared.quiet()
    (tmp_path / "token").write_text("not the token of people")
    done = command(elsewhere, "fire", "--reason", "a test", *there)
    assert done.returncode == exits.USAGE.code and "401" in done.stderr
    assert "not the token of people" not in done.stderr


def test_a_wish_without_a_service_says_how_to_start_one(workspace: Path) -> None:
    done = command(workspace, "fire", "--reason", "a test")
    assert done.returncode == exits.SERVING_FAILED.code and "pedalflow triggers serve" in done.stderr


def test_the_policy_is_printed_with_the_numbers_in_force(workspace: Path) -> None:
    done = command(workspace, "--json", "policy", RULES__DRIFT__QUIET_S="7")
    rules = {rule["kind"]: rule for rule in json.loads(done.stdout)}
    assert (rules["drift"]["quiet_s"], rules["drift"]["votes"]) == (7, {"needed": 2, "of": 3})
    assert "the requests no longer look like the training data" in command(workspace, "policy").stdout


# What it does, and what it survives.


def test_events_that_come_while_a_run_is_at_work_become_one_run_after_it(door: Door) -> None:
    answers(door.workspace, **WAITS)
    first = door.decided(door.wish("first"))["run"]
    later = {door.decided(door.wish(f"wish {number}"))["run"] for number in range(5)}
    assert len(later) == 1 and first not in later
    (door.workspace / "go").touch()
    door.quiet()
    assert [run["outcome"] for run in door.runs()] == ["promoted", "promoted"]


def test_killed_at_work_it_finds_its_run_again_and_starts_no_second(workspace: Path) -> None:
    answers(workspace, **WAITS)
    with serving(workspace) as door:
        run = door.decided(door.wish())["run"]
        wait_for(lambda: door.get(f"/api/runs/{run}")["phase"] == "running")
        door.process.kill()
        door.process.wait(timeout=90)
    (workspace / "go").touch()
    with serving(workspace) as door:
        door.quiet()
        assert [(seen["id"], seen["outcome"], seen["attempts"]) for seen in door.runs()] == [
            (run, "promoted", 1)
        ]


def test_a_schedule_makes_one_event_a_slot_whatever_restarts(workspace: Path) -> None:
    slots = json.dumps([{"name": "monthly", "every_s": 30 * 86400}])
    told = []
    for _ in range(2):
        with serving(workspace, schedule=slots) as door:
            wait_for(lambda: sum(one["deliveries"] for one in scheduled(door)) >= len(told) + 1)
            told.append(scheduled(door))
    assert [[(one["subject"], one["deliveries"]) for one in events] for events in told] == [
        [("monthly", 1)],
        [("monthly", 2)],
    ]


def scheduled(door: Door) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = door.get("/api/events?kind=schedule")["events"]
    return found


def test_a_body_that_comes_in_pieces_without_a_length_is_read_and_bounded(workspace: Path) -> None:
    with serving(workspace, body_bytes="2048") as door:
        wish = json.dumps({"reason": "in pieces", "id": "p1"}).encode()
        headers = door.headers("person", wish)
        pieces = [wish[start : start + 7] for start in range(0, len(wish), 7)]
        assert door.client.post("/events/person", content=iter(pieces), headers=headers).status_code == 202
        long = door.client.post("/events/person", content=(b"x" * 1000 for _ in range(5)), headers=headers)
        assert long.status_code == 413 and long.json()["error"]["rule"] == "TOO_LARGE"


def test_a_body_that_does_not_come_is_given_up(workspace: Path) -> None:
    with serving(workspace, body_s="0.2") as door:
        host, port = door.address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            token = door.headers("person", b"")["Authorization"]
            head = f"POST /events/person HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: 50\r\n\r\n{{"
            connection.sendall(head.encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_no_secret_is_in_its_log(workspace: Path) -> None:
    with serving(workspace, "--log-level", "debug") as door:
        door.wish()
        door.client.post("/events/person", json={}, headers={"Authorization": "Bearer a wrong guess"})
        door.quiet()
        tokens = [door.token(name) for name, source in door.ready["sources"].items() if source["token_file"]]
        end(door.process)
    log = door.log.read_text()
    assert "a wrong guess" not in log and not any(token in log for token in tokens)


def test_the_metrics_tell_what_happened(door: Door) -> None:
    door.wish("first")
    door.quiet()
    promoted = "pedalflow_triggers_event_to_promotion_seconds_count 1.0"
    wait_for(lambda: promoted in door.client.get("/metrics").text)  # counted after it is committed
    text = door.client.get("/metrics").text
    for line in (
        'pedalflow_triggers_events_total{duplicate="false",kind="person",source="person"} 1.0',
        'pedalflow_triggers_decisions_total{action="retrain",kind="person",outcome="starts"} 1.0',
        'pedalflow_triggers_runs_total{outcome="promoted"} 1.0',
        "pedalflow_triggers_runs_at_work 0.0",
        "pedalflow_triggers_database_up 1.0",
    ):
        assert line in text
