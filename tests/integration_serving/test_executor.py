"""The stand-in for Seldon's executor as a process, in front of the real classes in the real wrapper."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pedalflow.release import Release
from tests.integration_serving import servers
from tests.samples.recording_server import RecordingServer, recording_server
from tests.samples.small_release import sample_rows

TRANSFORMER = ("--service-type", "TRANSFORMER", "--grpc-workers", "0", "--threads", "4", "--keepalive", "75")
DETECTOR = "serving.outlier_detector.OutlierDetector"
PREDICTIONS = "/api/v1.0/predictions"
ROWS = sample_rows(2)


@dataclass(frozen=True)
class Running:
    """A stand-in that answers on `port`."""

    port: int

    def post(self, path: str, body: object, **headers: str) -> servers.Answer:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        content = json.dumps(body).encode()
        return servers.request(
            self.port, "POST", path, content, {"Content-Type": "application/json", **names}
        )


@contextmanager
def stand_in(place: Path, **settings: str) -> Iterator[Running]:
    [port] = servers.free_ports(1)
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    command = [sys.executable, "-m", "serving.executor_stand_in", f"--port={port}", *options]
    with servers.process(command, place) as (process, output):
        servers.wait_for(lambda: process.poll() is not None or servers.healthy(port, "/live"))
        assert process.poll() is None, output.read_text(encoding="utf-8")
        yield Running(port)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "place"


def test_the_payload_reaches_the_predictor_unchanged_behind_the_real_outlier_detector(
    place: Path, release: Release
) -> None:
    message = {
        "data": {"names": list(ROWS[0]), "ndarray": [list(row.values()) for row in ROWS]},
        "odd": {"z": 1e-17, "a": [0.1, 123456789012345678, None, "é"]},
        "meta": {"puid": "request-1", "tags": {"mine": "kept"}},
    }
    with (
        recording_server() as predictor,
        servers.wrapper(place, {"release": str(release.folder)}, DETECTOR, TRANSFORMER) as detector,
        stand_in(place, predictor=predictor.address, outliers=f"http://127.0.0.1:{detector.http}") as running,
    ):
        assert running.post(PREDICTIONS, message).code == 200
    [received] = predictor.received
    got = json.loads(received.body)
    got["meta"].pop("metrics", None)  # Seldon's wrapper takes its metrics from here, and leaves them
    assert got.pop("meta") == {"puid": "request-1", "tags": {"mine": "kept", "outlier": [False, False]}}
    del message["meta"]
    assert json.dumps(got) == json.dumps(message)


def test_events_of_a_whole_graph_arrive_with_seldons_headers(place: Path, release: Release) -> None:
    with ExitStack() as stack:
        events: RecordingServer = stack.enter_context(recording_server())
        parameters = {"release": str(release.folder)}
        detector = stack.enter_context(servers.wrapper(place, parameters, DETECTOR, TRANSFORMER))
        predictor = stack.enter_context(servers.wrapper(place, parameters))
        running = stack.enter_context(
            stand_in(
                place,
                predictor=f"http://127.0.0.1:{predictor.http}",
                outliers=f"http://127.0.0.1:{detector.http}",
                events=f"{events.address}/",
                log_senders="1",
            )
        )
        answer = running.post(PREDICTIONS, {"jsonData": ROWS}, Seldon_Puid="request-2")
        feedback = {"response": {"meta": {"puid": "request-2"}}, "truth": {"data": {"ndarray": [[1], [2]]}}}
        assert running.post("/api/v1.0/feedback", feedback, Seldon_Puid="request-2").code == 200
        received = events.wait_for(3)
        assert predictor.metric("pedalflow_feedback_total") == 1
    assert [event.headers["Ce-Type"] for event in received] == [
        "io.seldon.serving.inference.request",
        "io.seldon.serving.inference.response",
        "io.seldon.serving.feedback",
    ]
    request, response, labels = (json.loads(event.body) for event in received)
    assert request == {"jsonData": ROWS, "meta": request["meta"]}
    assert request["meta"]["tags"]["outlier"] == [False, False]
    assert response == answer.json
    assert labels == feedback
    for event in received:
        assert (event.headers["Ce-Requestid"], event.headers["Ce-Specversion"]) == ("request-2", "1.0")
        assert event.headers["Ce-Inferenceservicename"] == "pedalflow"


def test_events_that_are_queued_are_sent_before_it_ends(place: Path) -> None:
    with recording_server() as events, recording_server() as predictor:
        with stand_in(place, predictor=predictor.address, events=events.address) as running:
            for _ in range(20):
                running.post(PREDICTIONS, {})
        assert len(events.received) == 40


def test_a_wrong_setting_ends_it_at_once_with_a_sentence(place: Path) -> None:
    command = [sys.executable, "-m", "serving.executor_stand_in", "--threads=0"]
    with servers.process(command, place) as (process, output):
        assert process.wait(60) == 2
    assert "setting threads is 0, but must be at least 1" in output.read_text(encoding="utf-8")


def test_an_outlier_is_refused_where_the_detector_blocks(place: Path, release: Release) -> None:
    parameters = {"release": str(release.folder), "block": True}
    hot = {**ROWS[1], "temp": 0.99, "hum": 0.0}
    with (
        recording_server() as predictor,
        servers.wrapper(place, parameters, DETECTOR, TRANSFORMER) as detector,
        stand_in(place, predictor=predictor.address, outliers=f"http://127.0.0.1:{detector.http}") as running,
    ):
        refused = running.post(PREDICTIONS, {"jsonData": [ROWS[0], hot]})
        assert running.post(PREDICTIONS, {"jsonData": ROWS}).code == 200
    assert (refused.code, refused.json["status"]["reason"]) == (400, "OUTLIER")
    assert "row 1" in refused.json["status"]["info"]
    assert len(predictor.received) == 1
