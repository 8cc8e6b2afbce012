"""The predictor in Seldon's real wrapper: REST, V2, gRPC, metrics, refusals, and how it starts and ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from google.protobuf.json_format import ParseDict
from seldon_core.proto import prediction_pb2 as pb
from seldon_core.proto.prediction_pb2_grpc import ModelStub

from pedalflow.release import Release
from serving.segments import read_segments
from tests.integration_serving import servers
from tests.integration_serving.servers import Server
from tests.samples.small_release import sample_rows

ROWS = sample_rows(3, start=30)
NAMES = list(ROWS[0])
LOG = "log"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("predictor")


@pytest.fixture(scope="module")
def server(place: Path, release: Release) -> Iterator[Server]:
    parameters = {
        "release": str(release.folder),
        "request_log": str(place / LOG),
        "private_fields": "windspeed",
        "max_rows": 50,
        "max_bytes": 20_000,
    }
    with servers.wrapper(place, parameters) as running:
        yield running


def ndarray(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": {"names": NAMES, "ndarray": [list(row.values()) for row in rows]}}


def predicted(body: dict[str, Any]) -> list[float]:
    return [row[0] for row in body["data"]["ndarray"]]


def test_a_reply_has_predictions_release_id_and_outliers(server: Server, release: Release) -> None:
    reply = server.post("/predict", ndarray(ROWS) | {"meta": {"puid": "my-id", "tags": {"mine": 1}}})

    assert reply.code == 200
    assert reply.json["meta"]["puid"] == "my-id"
    assert reply.json["meta"]["tags"] == {"mine": 1, "release": release.name, "outlier": [False] * 3}
    assert reply.json["data"]["names"] == ["count"]
    assert len(predicted(reply.json)) == 3


def test_every_form_gets_the_same_predictions(server: Server) -> None:
    expected = predicted(server.post("/predict", ndarray(ROWS)).json)
    days = [{**row, "dteday": 14976 if row["dteday"] == "2011-01-02" else 14977} for row in ROWS]
    flat = [value for row in days for value in row.values()]

    as_objects = server.post("/api/v1.0/predictions", {"jsonData": ROWS}).json["jsonData"]
    tensor = {"data": {"names": NAMES, "tensor": {"shape": [3, 11], "values": flat}}}
    as_tensor = server.post("/predict", tensor).json["data"]["tensor"]
    v2 = {"id": "x", "inputs": [{"name": "rows", "shape": [3, 11], "datatype": "FP64", "data": flat}]}
    as_v2 = server.post("/v2/models/pedalflow/infer", v2).json

    assert {row["dteday"] for row in ROWS} == {"2011-01-02"}
    assert [row["count"] for row in as_objects] == expected
    assert (as_tensor["shape"], as_tensor["values"]) == ([3, 1], expected)
    assert (as_v2["id"], as_v2["outputs"][0]["data"]) == ("x", expected)


def test_rows_may_come_as_a_form_or_in_the_address(server: Server) -> None:
    content = json.dumps({"jsonData": ROWS[0]})
    boundary = (
        f'--B\r\nContent-Disposition: form-data; name="jsonData"\r\n\r\n{json.dumps(ROWS[0])}\r\n--B--\r\n'
    )

    in_form = server.post("/predict", boundary.encode(), {"Content-Type": "multipart/form-data; boundary=B"})
    in_address = server.get(f"/predict?json={quote(content)}")

    assert (
        in_form.json["jsonData"]
        == in_address.json["jsonData"]
        == server.post("/predict", content.encode()).json["jsonData"]
    )


@pytest.mark.parametrize("form", ["ndarray", "tensor", "jsonData", "binData"])
def test_grpc_answers_in_the_form_of_the_request(server: Server, release: Release, form: str) -> None:
    expected = predicted(server.post("/predict", ndarray(ROWS)).json)
    with grpc.insecure_channel(f"{servers.HOST}:{server.grpc}") as channel:
        reply = ModelStub(channel).Predict(_message(form), timeout=20)

    if form == "binData":
        content = json.loads(reply.binData)
        assert predicted(content) == expected
        assert content["meta"]["tags"]["release"] == release.name
        return
    values = {
        "ndarray": lambda: [row.list_value.values[0].number_value for row in reply.data.ndarray.values],
        "tensor": lambda: list(reply.data.tensor.values),
        "jsonData": lambda: [
            row.struct_value.fields["count"].number_value for row in reply.jsonData.list_value.values
        ],
    }
    assert values[form]() == expected
    assert reply.meta.tags["release"].string_value == release.name
    assert reply.meta.puid


def _message(form: str) -> pb.SeldonMessage:
    if form == "binData":
        return pb.SeldonMessage(binData=json.dumps(ndarray(ROWS)).encode())
    if form == "tensor":
        flat = [value for row in ROWS for value in (14976, *list(row.values())[1:])]
        return ParseDict(
            {"data": {"names": NAMES, "tensor": {"shape": [3, 11], "values": flat}}}, pb.SeldonMessage()
        )
    return ParseDict({"jsonData": ROWS} if form == "jsonData" else ndarray(ROWS), pb.SeldonMessage())


def test_a_bad_request_is_told_row_field_value_and_rule(server: Server) -> None:
    before = server.metric("pedalflow_bad_requests_total", rule="RANGE")

    reply = server.post("/predict", {"jsonData": [ROWS[0], {**ROWS[1], "hr": 24}]})

    assert reply.code == 400
    assert reply.json["status"] == {
        "status": "FAILURE",
        "code": 400,
        "reason": "RANGE",
        "info": "row 1, field 'hr': 24 is out of range; send a whole number from 0 to 23",
    }
    assert server.metric("pedalflow_bad_requests_total", rule="RANGE") == before + 1


def test_a_bad_request_over_grpc_is_told_the_same(server: Server) -> None:
    message = _message("jsonData")
    message.jsonData.list_value.values[1].struct_value.fields["hr"].number_value = 24
    with grpc.insecure_channel(f"{servers.HOST}:{server.grpc}") as channel:
        status = ModelStub(channel).Predict(message, timeout=20).status

    assert (status.status, status.code, status.reason) == (pb.Status.FAILURE, 400, "RANGE")
    assert status.info.startswith("row 1, field 'hr': 24.0 is out of range")


@pytest.mark.parametrize(
    ("path", "body", "code", "reason"),
    [
        ("/predict", b"", 400, "JSON"),
        ("/predict", b"{", 400, "JSON"),
        ("/predict", {"jsonData": ROWS * 17}, 400, "TOO_MANY_ROWS"),
        ("/predict", b" " * 20_001, 413, "REQUEST_ENTITY_TOO_LARGE"),
        ("/transform-input", {}, 404, "NOT_FOUND"),
        ("/health/ping", {}, 405, "METHOD_NOT_ALLOWED"),
        ("/send-feedback", b"{", 400, "FORM"),
        ("/send-feedback", [1], 400, "FORM"),
        ("/send-feedback", {"truth": {"data": {"ndarray": [[1]]}}}, 400, "ID"),
        ("/send-feedback", {"reward": "much"}, 400, "FORM"),
    ],
)
def test_what_cannot_be_answered_keeps_its_code(
    server: Server, path: str, body: object, code: int, reason: str
) -> None:
    reply = server.post(path, body)

    assert (reply.code, reply.json["status"]["reason"]) == (code, reason)


def test_an_unknown_address_is_not_found(server: Server) -> None:
    assert server.get("/nowhere").code == 404


def test_v2_says_what_it_serves_and_refuses_in_its_own_form(server: Server, release: Release) -> None:
    model = server.get("/v2/models/pedalflow").json
    refused = server.post("/v2/models/pedalflow/infer", {"inputs": []})

    assert (model["versions"], model["inputs"][0]["shape"]) == ([release.name], [-1, 11])
    assert server.get("/v2/health/ready").json == {"ready": True}
    assert server.get("/v2/models/other").code == 404
    assert (refused.code, list(refused.json)) == (400, ["error"])


def test_requests_and_feedback_are_logged_without_private_fields(
    server: Server, release: Release, place: Path
) -> None:
    reply = server.post("/predict", ndarray(ROWS), {"Seldon-Puid": "logged"})
    feedback = {"response": {"meta": {"puid": "logged"}}, "truth": {"data": {"ndarray": [[1], [2.5], [0]]}}}
    assert server.post("/api/v1.0/feedback", feedback).code == 200

    exchange, labels = [line for line in read_segments(place / LOG) if line["id"] == "logged"]
    assert (exchange["kind"], exchange["release"]) == ("exchange", release.name)
    assert exchange["predictions"] == predicted(reply.json)
    assert exchange["columns"]["dteday"] == ["2011-01-02"] * 3
    assert "windspeed" not in exchange["columns"]
    assert (labels["kind"], labels["labels"]) == ("feedback", [1.0, 2.5, 0.0])


def test_metrics_of_all_processes_come_with_seldons_own(server: Server, release: Release) -> None:
    before = server.metric("pedalflow_rows_total")
    server.post("/predict", ndarray(ROWS))
    with grpc.insecure_channel(f"{servers.HOST}:{server.grpc}") as channel:
        ModelStub(channel).Predict(_message("tensor"), timeout=20)

    assert server.metric("pedalflow_rows_total") == before + 6
    assert server.metric("pedalflow_requests_total", interface="grpc", code="200") > 0
    assert server.metric("pedalflow_release_info", release=release.name) == 2  # one REST worker, one of gRPC


def test_a_killed_worker_loses_no_answered_request(tmp_path: Path, release: Release) -> None:
    parameters = {"release": str(release.folder), "request_log": str(tmp_path / LOG), "sync_every_s": 60.0}
    with servers.wrapper(tmp_path, parameters, options=["--grpc-workers", "0"]) as server:
        before = server.processes()
        answered = [server.post("/predict", ndarray(ROWS[:1])).json["meta"]["puid"] for _ in range(50)]
        (segment,) = (tmp_path / LOG).glob("*.open")
        worker = int(segment.name.split("-")[2])
        os.kill(worker, signal.SIGKILL)
        servers.wait_for(lambda: worker not in server.processes() and len(server.processes()) >= len(before))
        servers.wait_for(lambda: servers.healthy(server.http, "/v2/health/ready"))

        assert answered == [line["id"] for line in read_segments(tmp_path / LOG)][:50]
        assert not segment.exists()  # the worker that took its place has closed it
        assert server.metric("pedalflow_release_info") == 1


def test_sigterm_leaves_no_process_and_no_folder_of_metrics(tmp_path: Path, release: Release) -> None:
    with servers.wrapper(tmp_path, {"release": str(release.folder)}) as server:
        assert len(server.processes()) > 3
        (folder,) = {path.parent for pid in server.processes() for path in _mapped(pid, "pedalflow-metrics-")}
        assert folder.is_dir()
        server.process.terminate()
        server.process.wait(servers.END_S)

        servers.wait_for(lambda: not server.processes())
        assert not folder.exists()


def test_killing_the_parent_ends_its_children(tmp_path: Path, release: Release) -> None:
    with servers.wrapper(tmp_path, {"release": str(release.folder)}) as server:
        server.process.kill()
        servers.wait_for(lambda: not server.processes())


def _mapped(pid: int, part: str) -> list[Path]:
    """The files that a process has mapped into its memory and whose path has a part."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return [Path(line.split()[-1]) for line in lines if part in line]


@pytest.mark.parametrize(
    ("parameters", "sentence", "code"),
    [
        ({}, "setting release is missing", 2),
        ({"release": "/nowhere"}, "/nowhere does not exist, so no release serves yet", 7),
        (
            {"release": "{release}", "max_rows": "many"},
            "setting max_rows is 'many', but must be of type INT",
            2,
        ),
        ({"release": "{release}", "colour": "red"}, "unknown setting colour", 2),
        ({"release": "{release}", "private_fields": "name"}, "private_fields names name, but rows have", 2),
    ],
)
def test_what_cannot_serve_ends_with_one_sentence(
    tmp_path: Path, release: Release, parameters: dict[str, object], sentence: str, code: int
) -> None:
    filled = {
        name: str(release.folder) if value == "{release}" else value for name, value in parameters.items()
    }
    command = servers.wrapper_command(servers.PREDICTOR, servers.free_ports(3), filled)
    done = subprocess.run(command, cwd=servers.ROOT, capture_output=True, text=True, timeout=60)

    assert done.returncode == code
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_seldons_own_command_serves_it_too(tmp_path: Path, release: Release) -> None:
    ports = servers.free_ports(3)
    command = servers.wrapper_command(servers.PREDICTOR, ports, {"release": str(release.folder)})
    seldons = [command[0], "-m", "seldon_core.microservice", command[3], *command[6:]]
    with servers.process(seldons, tmp_path) as (started, output):
        servers.wait_for(lambda: started.poll() is not None or servers.healthy(ports[0], "/health/ping"))
        assert started.poll() is None, output.read_text()
        server = Server(started, ports[0], ports[1], ports[2], output)

        assert predicted(server.post("/predict", ndarray(ROWS)).json)
        assert server.post("/predict", {"jsonData": {}}).json["status"]["reason"] == "MISSING_FIELD"
