"""`pedalflow serve` with real processes: answers, restarts, refusals and clean ends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import urllib3
from google.protobuf.json_format import MessageToDict, ParseDict
from seldon_core.proto import prediction_pb2, prediction_pb2_grpc

from pedalflow.command import exits
from pedalflow.release import ONNX_MODEL, Release
from serving.pairs import read_pairs
from serving.segments import read_segments
from serving.served import load_served
from tests.integration_serving import servers
from tests.integration_serving.conftest import point_to
from tests.integration_serving.served import Serve, ended, free_block, new_workspace, serve
from tests.samples.process_groups import group_members
from tests.samples.small_release import expected_predictions, sample_columns, sample_rows

PREDICTIONS = "/api/v1.0/predictions"
ROWS = sample_rows(2)
HOT = {**ROWS[1], "temp": 0.99, "hum": 0.0}
ALONE = ("--without", "events", "--without", "explainer", "--without", "outliers")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Serve]:
    """A graph with outlier detector and explainer, whose predictor keeps its own log."""
    workspace = new_workspace(tmp_path_factory.mktemp("served"), release)
    with serve(workspace, "--without", "events") as running:
        yield running


def test_an_answer_says_release_request_and_outlier_flags(served: Serve, release: Release) -> None:
    answer = served.post(PREDICTIONS, {"jsonData": [ROWS[0], HOT]}, Seldon_Puid="request-1")
    meta = answer.json["meta"]
    assert (answer.code, meta["puid"]) == (200, "request-1")
    assert (meta["tags"]["release"], meta["tags"]["outlier"]) == (release.name, [False, True])
    assert meta["tags"]["outlier_reasons"][1]
    expected = expected_predictions(sample_columns())[0]
    assert answer.json["jsonData"][0]["count"] == pytest.approx(expected, rel=1e-4)


def test_the_ready_line_has_every_address_and_they_answer(served: Serve, release: Release) -> None:
    assert (served.ready["ready"], served.ready["release"]) == (True, release.name)
    assert [part["name"] for part in served.ready["parts"]] == [
        "executor",
        "predictor",
        "outliers",
        "explainer",
    ]
    with grpc.insecure_channel(served.ready["addresses"]["grpc"]) as channel:
        message = ParseDict({"jsonData": ROWS[0]}, prediction_pb2.SeldonMessage())
        answer = MessageToDict(prediction_pb2_grpc.SeldonStub(channel).Predict(message, timeout=20))
    assert answer["meta"]["tags"]["release"] == release.name


def test_a_bad_request_is_the_predictors_400(served: Serve) -> None:
    answer = served.post(PREDICTIONS, {"jsonData": {**ROWS[0], "temp": "hot"}})
    status = answer.json["status"]
    assert (answer.code, status["reason"]) == (400, "TYPE")
    assert "field 'temp'" in status["info"]


@pytest.mark.parametrize("body", [b"nonsense", b"", b"[1]", b'{"meta": 3}', b"\xff\xfe", b"[" * 5000])
def test_what_is_no_message_is_a_400_that_says_what_to_send(served: Serve, body: bytes) -> None:
    answer = served.post(PREDICTIONS, body)
    assert answer.code == 400
    assert answer.json["status"]["reason"] in ("JSON", "FORM")


def test_an_explanation_adds_up_to_the_prediction(served: Serve) -> None:
    [row] = served.post("/api/v1.0/explanations", {"jsonData": ROWS[0]}).json["jsonData"]["rows"]
    predicted = served.post(PREDICTIONS, {"jsonData": ROWS[0]}).json["jsonData"]["count"]
    total = row["base"] + sum(part["contribution"] for part in row["contributions"])
    assert total == pytest.approx(predicted, rel=1e-4)


def test_without_event_services_the_predictor_keeps_requests_and_feedback_itself(served: Serve) -> None:
    puid = served.post(PREDICTIONS, {"jsonData": ROWS}).json["meta"]["puid"]
    body = {"response": {"meta": {"puid": puid}}, "truth": {"data": {"ndarray": [[12], [30]]}}}
    assert served.post("/api/v1.0/feedback", body).code == 200
    log = served.workspace.serving / "requests"
    lines = [line for line in read_segments(log) if line["id"] == puid]
    assert [line["kind"] for line in lines] == ["exchange", "feedback"]
    assert lines[1]["labels"] == [12.0, 30.0]


def test_a_part_that_is_killed_is_started_again(served: Serve) -> None:
    before = served.pid("predictor")
    os.kill(before, signal.SIGKILL)
    servers.wait_for(lambda: "predictor starts again" in served.said())
    servers.wait_for(lambda: served.post(PREDICTIONS, {"jsonData": ROWS[0]}).code == 200)
    servers.wait_for(lambda: not group_members(before))
    assert "predictor ended with exit code -9; it starts again in 0.5 s" in served.said()


def test_a_second_serve_in_the_same_workspace_is_refused(served: Serve) -> None:
    second = ended(served.workspace, free_block())
    assert second.returncode == exits.SERVING_FAILED.code
    assert "another `pedalflow serve` runs" in second.stderr


def test_a_taken_port_is_named_and_nothing_is_started(tmp_path: Path, release: Release) -> None:
    workspace, port = new_workspace(tmp_path, release), free_block()
    with socket.create_server((servers.HOST, port + 2)):
        refused = ended(workspace, port, "--without", "events")
    assert refused.returncode == exits.SERVING_FAILED.code
    assert f"port {port + 2} (for the predictor)" in refused.stderr
    assert "--port N" in refused.stderr
    assert not (workspace.serving / "logs").exists()


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("::1", "only IPv4 addresses and names are supported"),
        ("192.0.2.1", "cannot listen on 192.0.2.1: "),
        ("no.such.host.invalid", "cannot listen on no.such.host.invalid: "),
    ],
)
def test_a_host_that_is_not_of_this_machine_is_named_and_nothing_is_started(
    tmp_path: Path, release: Release, host: str, said: str
) -> None:
    workspace = new_workspace(tmp_path, release)
    refused = ended(workspace, free_block(), "--host", host)
    assert refused.returncode == exits.SERVING_FAILED.code
    assert said in refused.stderr and "give an address of this machine" in refused.stderr
    assert not (workspace.serving / "logs").exists()


def test_what_is_no_release_is_said_without_its_content(tmp_path: Path) -> None:
    workspace, garbage = new_workspace(tmp_path / "workspace", None), tmp_path / "garbage"
    garbage.write_bytes(b"\xff\xfesecret")
    for place, said in ((garbage, "is no pointer to a release"), (tmp_path, "it has no manifest.json")):
        refused = ended(workspace, free_block(), "--release", str(place))
        assert refused.returncode == exits.RUN_FAILED.code
        assert said in refused.stderr
        assert "secret" not in refused.stderr and "away" not in refused.stderr


def test_a_broken_release_is_named_and_nothing_is_started(tmp_path: Path, release: Release) -> None:
    broken = shutil.copytree(release.folder, tmp_path / release.name)
    (broken / ONNX_MODEL).write_bytes(b"no model")
    workspace = new_workspace(tmp_path / "workspace", None)
    refused = ended(workspace, free_block(), "--release", str(broken))
    assert refused.returncode == exits.RUN_FAILED.code
    assert f"{ONNX_MODEL} changed" in refused.stderr
    assert not (workspace.serving / "logs").exists()


def test_a_workspace_without_a_champion_says_how_to_get_one(tmp_path: Path) -> None:
    refused = ended(new_workspace(tmp_path, None), free_block())
    assert refused.returncode == exits.RUN_FAILED.code
    assert "pedalflow train" in refused.stderr


def test_with_event_services_requests_answers_and_labels_are_collected(
    tmp_path: Path, release: Release
) -> None:
    with serve(new_workspace(tmp_path, release), "--without", "explainer") as running:
        puid = running.post(PREDICTIONS, {"jsonData": ROWS}).json["meta"]["puid"]
        body = {"response": {"meta": {"puid": puid}}, "truth": {"data": {"ndarray": [[12], [30]]}}}
        assert running.post("/api/v1.0/feedback", body).code == 200
        collected = running.workspace.serving / "collected"
        servers.wait_for(lambda: len([line for line in read_segments(collected) if line["id"] == puid]) == 3)
        lines = {line["kind"]: line for line in read_segments(collected)}
    assert lines["request"]["columns"]["hr"] == [row["hr"] for row in ROWS]
    assert (lines["response"]["release"], lines["response"]["outliers"]) == (release.name, [False, False])
    assert lines["feedback"]["labels"] == [12.0, 30.0]
    own = running.workspace.serving / "requests"
    assert {line["kind"] for line in read_segments(own) if line["id"] == puid} == {"exchange", "feedback"}

    used = load_served(release.folder)
    pairs = read_pairs([collected, own], used.schema, used.detectors)
    assert (pairs.labels.tolist(), dict(pairs.incomplete)) == ([12.0, 30.0], {})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_and_is_no_failure(
    tmp_path: Path, release: Release, number: signal.Signals
) -> None:
    with serve(new_workspace(tmp_path, release), *ALONE) as running:
        assert running.processes()
        running.process.send_signal(number)
        assert running.process.wait(90) == 0
        assert not running.processes()
    log = (running.workspace.serving / "logs" / "predictor.log").read_text(encoding="utf-8")
    assert "Traceback" not in log


def test_kill_9_of_the_command_leaves_no_process_and_no_lock(tmp_path: Path, release: Release) -> None:
    workspace = new_workspace(tmp_path, release)
    with serve(workspace, "--without", "events", "--without", "explainer") as running:
        running.process.kill()
        running.process.wait()
        servers.wait_for(lambda: not running.processes())
    again = ended(workspace, running.port, *ALONE, "--seconds", "0.1")
    assert again.returncode == 0, again.stderr


def test_a_release_that_is_promoted_under_load_serves_without_a_failed_request(
    tmp_path: Path, release: Release, doubled: Release
) -> None:
    workspace = new_workspace(tmp_path, release)
    seen: Counter[tuple[int, str]] = Counter()
    over = threading.Event()

    def ask(address: str) -> None:
        with urllib3.PoolManager(retries=False) as pool:
            while not over.is_set():
                answer = pool.request("POST", address, json={"jsonData": ROWS})
                seen[answer.status, answer.json()["meta"]["tags"]["release"]] += 1

    with serve(workspace, "--without", "events", "--without", "explainer") as running:
        address = running.ready["addresses"]["rest"] + PREDICTIONS
        clients = [threading.Thread(target=ask, args=(address,)) for _ in range(4)]
        for client in clients:
            client.start()
        for champion in (doubled, release):
            point_to(workspace.champion, champion)
            count = seen[200, champion.name]
            servers.wait_for(lambda: seen[200, champion.name] > count + 50)  # noqa: B023
        over.set()
        for client in clients:
            client.join()
    assert {status for status, _ in seen} == {200}
    assert {name for _, name in seen} == {release.name, doubled.name}
