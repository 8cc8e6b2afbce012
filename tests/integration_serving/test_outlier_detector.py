"""The outlier detector and the explainer in the real wrapper: whatever is sent, the answer is no 5xx and says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from pedalflow.release import Release
from tests.integration_serving import servers
from tests.integration_serving.servers import Server
from tests.samples.small_release import sample_rows

DETECTOR = "serving.outlier_detector.OutlierDetector"
EXPLAINER = "serving.explainer.Explainer"
ONE_PROCESS = ("--grpc-workers", "0", "--threads", "4")
ROW = sample_rows(1)[0]
GOOD = json.dumps({"jsonData": ROW}).encode()
MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="binData"; filename="f"\r\n\r\n\x00\xff\r\n--x--\r\n'
)
ODD: dict[str, tuple[bytes, dict[str, str]]] = {
    "nothing": (b"", {}),
    "no json": (b"{", {}),
    "a number": (b"7", {}),
    "null": (b"null", {}),
    "a list": (b"[]", {}),
    "no utf-8": (b"\xff\xfe\x00", {}),
    "deep": (b"[" * 20_000, {}),
    "a huge number": (b'{"jsonData": {"hr": 1' + b"0" * 400 + b"}}", {}),
    "not a number": (b'{"jsonData": {"hr": NaN}}', {}),
    "meta is text": (b'{"meta": "x", "jsonData": {}}', {}),
    "tags are a list": (b'{"meta": {"tags": []}, "jsonData": []}', {}),
    "metrics of the caller": (b'{"meta": {"metrics": [{"key": 1}]}, "jsonData": {}}', {}),
    "another type": (GOOD, {"Content-Type": "text/plain"}),
    "a form": (b"json=%7B", {"Content-Type": "application/x-www-form-urlencoded"}),
    "a file": (MULTIPART, {"Content-Type": "multipart/form-data; boundary=x"}),
    "zipped": (GOOD, {"Content-Encoding": "gzip"}),
    "a request id that is none": (GOOD, {"Seldon-Puid": "a b/c" * 99}),
}


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Server]:
    options = ("--service-type", "TRANSFORMER", *ONE_PROCESS)
    parameters = {"release": str(release.folder), "publish_s": 0.0}
    with servers.wrapper(tmp_path_factory.mktemp("detector"), parameters, DETECTOR, options) as server:
        yield server


@pytest.fixture(scope="module")
def explainer(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Server]:
    parameters = {"release": str(release.folder), "time_limit_s": 20.0}
    with servers.wrapper(tmp_path_factory.mktemp("explainer"), parameters, EXPLAINER, ONE_PROCESS) as server:
        yield server


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_request_is_no_failure_of_the_outlier_detector(detector: Server, odd: str) -> None:
    body, headers = ODD[odd]
    answer = detector.post("/transform-input", body, headers)
    assert answer.code < 500, answer.body
    if answer.code >= 400:
        assert answer.json["status"]["info"]


@pytest.mark.parametrize("path", ["/predict", "/api/v1.0/explain"])
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_request_is_no_failure_of_the_explainer(explainer: Server, odd: str, path: str) -> None:
    body, headers = ODD[odd]
    answer = explainer.post(path, body, headers)
    assert answer.code < 500, answer.body
    if answer.code >= 400:
        assert answer.json["status"]["info"]


def test_both_kinds_of_metrics_are_on_the_metrics_port(detector: Server) -> None:
    assert detector.post("/transform-input", GOOD).code == 200
    assert detector.metric("pedalflow_outlier_rows_total") >= 1
    servers.wait_for(lambda: detector.metric("seldon_metric_outlier_rows_total") >= 1)
    assert detector.metric("pedalflow_release_info") == 1


def test_the_explainer_answers_on_both_paths_alike(explainer: Server) -> None:
    answers = [
        explainer.post(path, GOOD).json["jsonData"]["rows"] for path in ("/predict", "/api/v1.0/explain")
    ]
    assert answers[0] == answers[1]
    assert explainer.metric("pedalflow_explained_rows_total") >= 2


def test_the_wrong_route_for_a_role_is_no_failure(detector: Server, explainer: Server) -> None:
    for server in (detector, explainer):
        assert server.post("/transform-output", GOOD).code < 500
        assert server.post("/aggregate", b"{}").code < 500
        assert server.post("/api/v1.0/feedback", b"{}").code < 500
    assert detector.post("/predict", GOOD).code < 500
    assert explainer.post("/transform-input", GOOD).code < 500
