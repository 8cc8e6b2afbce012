"""The stand-in for Seldon's executor, as a WSGI application in front of small recording servers."""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client, TestResponse

from serving.event_logger import EventLogger, Origin, Outcome
from serving.executor_stand_in import (
    ExecutorMetrics,
    ExecutorSettings,
    ExecutorStandIn,
    Graph,
    Parts,
    settings_from,
)
from serving.traffic import goes_to_canary, write_percent
from tests.samples.recording_server import Received, recording_server

REQUEST = b'{"data": {"names": ["hr"], "ndarray": [[8.5]]}, "odd key": "kept"}'
JUDGED = b'{"data": {"names": ["hr"], "ndarray": [[8.5]]},"meta":{"tags":{"outlier":[false]}}}\n'
PREDICTED = b'{"data": {"ndarray": [[123.25]]}}'
TRIED = b'{"data": {"ndarray": [[100.0]]}}'
REFUSED = (
    b'{"status": {"status": "FAILURE", "code": 400, "reason": "missing_field", "info": "row 0 has no temp"}}'
)
SERVER = "seldon_api_executor_server_requests_seconds"
CLIENT = "seldon_api_executor_client_requests_seconds"
PREDICTIONS = "/api/v1.0/predictions"
Call = Callable[..., TestResponse]


class Surroundings:
    """A predictor, an outlier detector, an explainer and an event service, all recording."""

    def __init__(self, stack: ExitStack) -> None:
        self.predicted = (200, PREDICTED)
        self.judged = (200, JUDGED)
        self.predictor = stack.enter_context(recording_server(lambda _: self.predicted))
        self.outliers = stack.enter_context(recording_server(lambda _: self.judged))
        self.tried = (200, TRIED)
        self.canary = stack.enter_context(recording_server(lambda _: self.tried))
        self.explainer = stack.enter_context(recording_server(lambda _: (200, b'{"explained": true}')))
        self.events = stack.enter_context(recording_server())
        self._stack = stack

    def settings(self, **changes: object) -> ExecutorSettings:
        """Of a stand-in among them."""
        settings = ExecutorSettings(
            predictor=self.predictor.address,
            outliers=self.outliers.address,
            explainer=self.explainer.address,
            timeout_s=5.0,
            predictor_version="v7",
        )
        return dataclasses.replace(settings, **changes)  # type: ignore[arg-type]

    def client(self, *, events: bool = False, **changes: object) -> Client:
        """Calls the stand-in without a server."""
        settings = self.settings(**changes)
        metrics = ExecutorMetrics(settings)
        log = self._logger(metrics.event) if events else None
        return Client(ExecutorStandIn(settings, metrics, Graph(settings, Parts(settings, metrics), log)))

    def _logger(self, count: Callable[[Outcome], None]) -> EventLogger:
        origin = Origin("http://127.0.0.1:9000/", "pedalflow", "local", "main", "predictor")
        log = EventLogger(
            self.events.address, origin, count, places=100, patience_s=2.0, retry_s=5.0, timeout_s=5.0
        )
        log.start()
        self._stack.callback(log.stop, 5.0)
        return log


@pytest.fixture
def around() -> Iterator[Surroundings]:
    with ExitStack() as stack:
        yield Surroundings(stack)


def post(client: Client, path: str, body: bytes = REQUEST, **headers: str) -> TestResponse:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, data=body, content_type="application/json", headers=names)


@pytest.mark.parametrize("path", [PREDICTIONS, "/predict", "/api/v0.1/predictions"])
def test_a_request_goes_through_the_outlier_detector_to_the_predictor_byte_for_byte(
    around: Surroundings, path: str
) -> None:
    response = post(around.client(), path)
    assert (response.status_code, response.data) == (200, PREDICTED)
    [judged], [predicted] = around.outliers.received, around.predictor.received
    assert (judged.path, judged.body) == ("/transform-input", REQUEST)
    assert (predicted.path, predicted.body) == ("/predict", JUDGED)


def test_without_an_outlier_detector_the_request_itself_reaches_the_predictor(around: Surroundings) -> None:
    post(around.client(outliers=""), PREDICTIONS)
    assert [got.body for got in around.predictor.received] == [REQUEST]
    assert not around.outliers.received


def test_every_part_gets_the_callers_request_id_and_so_does_the_caller(around: Surroundings) -> None:
    response = post(around.client(), PREDICTIONS, Seldon_Puid="abc-1", X_Tenant="north")
    assert response.headers["Seldon-Puid"] == "abc-1"
    for server in (around.outliers, around.predictor):
        assert server.received[0].headers["Seldon-Puid"] == "abc-1"
        assert server.received[0].headers["X-Tenant"] == "north"


def test_a_request_without_an_id_gets_one_that_all_parts_share(around: Surroundings) -> None:
    client = around.client()
    first, second = post(client, PREDICTIONS), post(client, PREDICTIONS)
    assert first.headers["Seldon-Puid"] != second.headers["Seldon-Puid"]
    seen = [got.headers["Seldon-Puid"] for got in around.predictor.received]
    assert seen == [first.headers["Seldon-Puid"], second.headers["Seldon-Puid"]]


def test_what_the_predictor_refuses_comes_back_with_its_status_and_words(around: Surroundings) -> None:
    around.predicted = (400, REFUSED)
    response = post(around.client(), PREDICTIONS)
    assert (response.status_code, response.data) == (400, REFUSED)


def test_what_the_outlier_detector_refuses_never_reaches_the_predictor(around: Surroundings) -> None:
    around.judged = (400, REFUSED)
    response = post(around.client(), PREDICTIONS)
    assert (response.status_code, response.data) == (400, REFUSED)
    assert not around.predictor.received


def test_a_part_that_is_down_costs_a_503_that_names_it(around: Surroundings) -> None:
    response = post(around.client(predictor="http://127.0.0.1:9"), PREDICTIONS)
    status = response.get_json()["status"]
    assert (response.status_code, status["code"], status["reason"]) == (503, 503, "PART_DOWN")
    assert "predictor" in status["info"]


def test_a_part_that_is_slow_costs_a_503_that_says_so(around: Surroundings) -> None:
    release = threading.Event()

    def slow(_: Received) -> tuple[int, bytes]:
        release.wait(20)
        return 200, PREDICTED

    with recording_server(slow) as server:
        response = post(around.client(predictor=server.address, timeout_s=2.0), PREDICTIONS)
        release.set()
    assert response.status_code == 503
    assert "within 2 s" in response.get_json()["status"]["info"]


def test_a_body_over_the_limit_is_a_413_and_goes_nowhere(around: Surroundings) -> None:
    response = post(around.client(body_limit_bytes=100), PREDICTIONS, b"x" * 101)
    assert response.status_code == 413
    assert "100 bytes" in response.get_json()["status"]["info"]
    assert not around.outliers.received


@pytest.mark.parametrize(("path", "method", "code"), [("/nowhere", "POST", 404), (PREDICTIONS, "GET", 405)])
def test_a_wrong_path_or_method_is_answered_in_seldons_form(
    around: Surroundings, path: str, method: str, code: int
) -> None:
    response = around.client().open(path, method=method)
    assert (response.status_code, response.get_json()["status"]["code"]) == (code, code)


def test_feedback_goes_to_the_predictor_alone(around: Surroundings) -> None:
    response = post(around.client(), "/api/v1.0/feedback", b'{"truth": {}}')
    assert response.status_code == 200
    [got] = around.predictor.received
    assert (got.path, got.body) == ("/send-feedback", b'{"truth": {}}')
    assert not around.outliers.received


def test_explanations_come_from_the_explainer(around: Surroundings) -> None:
    response = post(around.client(), "/api/v1.0/explanations")
    assert response.get_json() == {"explained": True}
    assert around.explainer.received[0].path == "/api/v1.0/explain"


def test_without_an_explainer_an_explanation_is_a_404(around: Surroundings) -> None:
    response = post(around.client(explainer=""), "/api/v1.0/explanations")
    assert response.get_json()["status"]["reason"] == "NO_EXPLAINER"


def test_it_is_live_alone_and_ready_with_its_parts(around: Surroundings) -> None:
    client = around.client()
    assert [client.get(path).status_code for path in ("/live", "/ready")] == [200, 200]
    lonely = around.client(predictor="http://127.0.0.1:9")
    assert [lonely.get(path).status_code for path in ("/live", "/ready")] == [200, 503]
    assert "the predictor at http://127.0.0.1:9" in lonely.get("/ready").text


def test_its_histograms_have_the_names_and_labels_of_the_executors(around: Surroundings) -> None:
    client = around.client()
    post(client, PREDICTIONS)
    around.predicted = (400, REFUSED)
    post(client, PREDICTIONS)
    families = {f.name: f for f in text_string_to_metric_families(client.get("/prometheus").text)}
    graph = {"deployment_name": "pedalflow", "predictor_name": "main", "predictor_version": "v7"}
    server = [s for s in families[SERVER].samples if s.name.endswith("_count")]
    assert [(s.labels, s.value) for s in server] == [
        (graph | {"service": "predictions", "method": "post", "code": code}, 1.0) for code in ("200", "400")
    ]
    calls = [s.labels for s in families[CLIENT].samples if s.name.endswith("_count")]
    assert all(labels.items() >= graph.items() for labels in calls)
    assert {(c["model_name"], c["service"], c["code"]) for c in calls} == {
        ("outliers", "/transform-input", "200"),
        ("predictor", "/predict", "200"),
        ("predictor", "/predict", "400"),
    }


def test_the_logger_sends_what_the_predictor_gets_and_says_as_cloudevents(around: Surroundings) -> None:
    post(around.client(events=True), PREDICTIONS, Seldon_Puid="abc-2")
    request, response = around.events.wait_for(2)
    assert (request.body, response.body) == (JUDGED, PREDICTED)
    shared = {
        "Content-Type": "application/json",
        "Ce-Specversion": "1.0",
        "Ce-Source": "http://127.0.0.1:9000/",
        "Ce-Requestid": "abc-2",
        "Ce-Modelid": "predictor",
        "Ce-Inferenceservicename": "pedalflow",
        "Ce-Namespace": "local",
        "Ce-Endpoint": "main",
        "Ce-Protocol": "seldon",
    }
    types = ("io.seldon.serving.inference.request", "io.seldon.serving.inference.response")
    for event, kind in zip((request, response), types, strict=True):
        assert event.headers.items() >= (shared | {"Ce-Type": kind}).items()
    assert request.headers["Ce-Id"] != response.headers["Ce-Id"]


def test_a_refused_request_is_logged_without_a_response(around: Surroundings) -> None:
    around.predicted = (400, REFUSED)
    client = around.client(events=True)
    post(client, PREDICTIONS)
    around.predicted = (200, PREDICTED)
    post(client, PREDICTIONS)
    kinds = [event.headers["Ce-Type"].rsplit(".", 1)[1] for event in around.events.wait_for(3)]
    assert kinds == ["request", "request", "response"]


def test_feedback_is_logged_as_it_came(around: Surroundings) -> None:
    post(around.client(events=True), "/api/v1.0/feedback", b'{"truth": {}}', Seldon_Puid="abc-3")
    [event] = around.events.wait_for(1)
    assert event.headers["Ce-Type"] == "io.seldon.serving.feedback"
    assert (event.headers["Ce-Requestid"], event.json) == ("abc-3", {"truth": {}})


def test_a_connection_that_closes_before_it_is_used_again_costs_no_request(around: Surroundings) -> None:
    first, second = threading.Event(), threading.Event()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

    def serve(listener: socket.socket) -> None:
        for done, close_unread in ((first, True), (second, False)):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                if not close_unread:
                    connection.sendall(answer)
            done.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        response = post(around.client(predictor=address), PREDICTIONS)
        thread.join(10)
    assert first.is_set()
    assert (response.status_code, response.get_json()) == (200, {})


def test_every_setting_is_an_option_of_the_command_line() -> None:
    settings = settings_from(["--port", "22001", "--timeout-s", "1.5", "--events", "http://127.0.0.1:22031/"])
    assert (settings.port, settings.timeout_s, settings.events) == (22001, 1.5, "http://127.0.0.1:22031/")
    assert json.loads(json.dumps(dataclasses.asdict(settings)))["threads"] == 16


def test_help_says_that_it_is_a_stand_in(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        settings_from(["--help"])
    assert "stand-in" in capsys.readouterr().out


def test_feedback_that_the_predictor_refuses_is_not_logged(around: Surroundings) -> None:
    around.predicted = (400, REFUSED)
    client = around.client(events=True)
    assert post(client, "/api/v1.0/feedback", b'{"truth": {}}', Seldon_Puid="bad").status_code == 400
    around.predicted = (200, PREDICTED)
    post(client, "/api/v1.0/feedback", b'{"truth": {}}', Seldon_Puid="good")
    assert [event.headers["Ce-Requestid"] for event in around.events.wait_for(1)] == ["good"]


def with_canary(around: Surroundings, folder: Path, percent: float, **changes: object) -> Client:
    """A stand-in whose canary answers so much."""
    write_percent(folder / "traffic.json", percent)
    return around.client(
        canary=str(changes.pop("canary", around.canary.address)),
        traffic=str(folder / "traffic.json"),
        **changes,  # type: ignore[arg-type]
    )


def test_the_canary_answers_its_share_behind_the_outlier_detector(
    around: Surroundings, tmp_path: Path
) -> None:
    client = with_canary(around, tmp_path, 40)
    ids = [f"request-{number}" for number in range(60)]
    answers = {name: post(client, PREDICTIONS, Seldon_Puid=name).data for name in ids}
    assert {name for name, answer in answers.items() if answer == TRIED} == {
        name for name in ids if goes_to_canary(name, 40)
    }
    assert len(around.canary.received) + len(around.predictor.received) == len(ids)
    assert {got.body for got in around.canary.received} == {JUDGED}
    assert len(around.outliers.received) == len(ids)


@pytest.mark.parametrize(("percent", "answer"), [(0, PREDICTED), (100, TRIED)])
def test_none_or_all_of_the_traffic_is_the_canarys(
    around: Surroundings, tmp_path: Path, percent: float, answer: bytes
) -> None:
    client = with_canary(around, tmp_path, percent)
    assert {post(client, PREDICTIONS).data for _ in range(5)} == {answer}


def test_without_a_file_of_traffic_the_canary_answers_nothing(around: Surroundings, tmp_path: Path) -> None:
    for traffic in ("", str(tmp_path / "missing")):
        client = around.client(canary=around.canary.address, traffic=traffic)
        assert post(client, PREDICTIONS).data == PREDICTED


def test_what_a_canary_that_is_down_does_not_answer_the_predictor_does(
    around: Surroundings, tmp_path: Path
) -> None:
    client = with_canary(around, tmp_path, 100, canary="http://127.0.0.1:9", events=True)
    response = post(client, PREDICTIONS)
    assert (response.status_code, response.data) == (200, PREDICTED)
    assert [got.body for got in around.events.wait_for(2)] == [JUDGED, PREDICTED]
    assert calls(client)["canary", "/predict", "503"] == calls(client)["predictor", "/predict", "200"] == 1


def test_what_a_canary_that_hangs_does_not_answer_the_predictor_does(
    around: Surroundings, tmp_path: Path
) -> None:
    release = threading.Event()

    def slow(_: Received) -> tuple[int, bytes]:
        release.wait(20)
        return 200, TRIED

    with recording_server(slow) as server:
        client = with_canary(around, tmp_path, 100, canary=server.address, timeout_s=2.0)
        assert post(client, PREDICTIONS).data == PREDICTED
        release.set()


@pytest.mark.parametrize("status", [400, 500, 503])
def test_what_the_canary_itself_says_reaches_the_caller(
    around: Surroundings, tmp_path: Path, status: int
) -> None:
    around.tried = (status, REFUSED)
    response = post(with_canary(around, tmp_path, 100), PREDICTIONS)
    assert (response.status_code, response.data) == (status, REFUSED)
    assert not around.predictor.received


def test_labels_of_the_canarys_answers_go_to_the_predictor(around: Surroundings, tmp_path: Path) -> None:
    client = with_canary(around, tmp_path, 100)
    assert post(client, "/api/v1.0/feedback", b'{"truth": {}}').status_code == 200
    assert [got.path for got in around.predictor.received] == ["/send-feedback"]
    assert not around.canary.received


def calls(client: Client) -> dict[tuple[str, str, str], float]:
    """How often each part was called, by name, path and code."""
    families = {f.name: f for f in text_string_to_metric_families(client.get("/prometheus").text)}
    return {
        (s.labels["model_name"], s.labels["service"], s.labels["code"]): s.value
        for s in families[CLIENT].samples
        if s.name.endswith("_count")
    }
