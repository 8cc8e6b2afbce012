"""What is changed in Seldon's wrapper, and what starting it changes."""

from __future__ import annotations

import argparse
import subprocess
import sys
from email.utils import formatdate
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import wsgi
from seldon_core import gunicorn_utils, metrics, microservice, seldon_methods, wrapper
from seldon_core.proto.prediction_pb2 import Metric, SeldonMessage

from serving import microservice as ours

OWN = argparse.Namespace(host="127.0.0.1")


@pytest.fixture(autouse=True)
def seldon_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put everything back that the changes touch."""
    monkeypatch.setattr(
        gunicorn_utils.StandaloneApplication, "load_config", gunicorn_utils.StandaloneApplication.load_config
    )
    monkeypatch.setattr(microservice, "_run_grpc_server", microservice._run_grpc_server)
    monkeypatch.setattr(seldon_methods, "handle_raw_custom_metrics", seldon_methods.handle_raw_custom_metrics)
    monkeypatch.setattr(metrics.SeldonMetrics, "generate_metrics", metrics.SeldonMetrics.generate_metrics)
    monkeypatch.setattr(wrapper, "CORS", wrapper.CORS)
    monkeypatch.setattr(wrapper, "get_request", wrapper.get_request)
    monkeypatch.setattr(util, "http_date", util.http_date)
    monkeypatch.setattr(wsgi, "WSGIErrorsWrapper", wsgi.WSGIErrorsWrapper)


class Recorder:
    """Stands for SeldonMetrics."""

    def __init__(self) -> None:
        self.updates: list[Any] = []

    def update(self, custom: Any, method: str) -> None:
        self.updates.append(custom)


def test_every_change_says_why() -> None:
    assert all(change.__doc__ for change in ours.CHANGES)


def test_all_servers_bind_to_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    bound: list[str] = []
    monkeypatch.setattr(microservice, "_run_grpc_server", lambda *arguments: bound.append(arguments[-1]))
    ours.use_host(OWN)
    application = gunicorn_utils.StandaloneApplication(None, {"bind": "0.0.0.0:9000"})
    microservice._run_grpc_server(None, None, None, {}, "0.0.0.0:5000")

    assert application.cfg.bind == ["127.0.0.1:9000"]
    assert bound == ["127.0.0.1:5000"]


def test_no_proxy_changes_scheme_or_path() -> None:
    ours.trust_no_proxy(OWN)
    settings = gunicorn_utils.StandaloneApplication(None, {"bind": "0.0.0.0:9000"}).cfg

    assert settings.secure_scheme_headers == {}
    assert settings.forwarder_headers == []


def test_a_date_is_gunicorns_and_is_composed_once_a_second() -> None:
    ours.write_dates_once_a_second(OWN)

    assert util.http_date(1234567890.25) == formatdate(1234567890, usegmt=True)
    assert util.http_date(1234567890.75) is util.http_date(1234567890.25)
    assert util.http_date(1234567891.25) == formatdate(1234567891, usegmt=True)


def test_all_requests_have_the_same_stream_for_errors() -> None:
    ours.keep_the_error_stream(OWN)
    settings = Config()

    first, second = wsgi.base_environ(settings), wsgi.base_environ(settings)

    assert first is not second
    assert first["wsgi.errors"] is second["wsgi.errors"]


@pytest.mark.parametrize(
    ("length", "body"),
    [("4", b"four"), ("9", b"four and "), ("10", b""), ("", b""), ("-1", b""), ("0" * 9 + "4", b"")],
)
def test_a_body_is_read_where_its_length_is_known_and_not_too_long(length: str, body: bytes) -> None:
    environ = {"CONTENT_LENGTH": length, "wsgi.input": BytesIO(b"four and more")}

    assert ours.read_body(environ, most_bytes=9) == body


def test_a_body_without_a_length_is_left_to_gunicorn_and_flask() -> None:
    assert ours.read_body({"wsgi.input": BytesIO(b"chunks")}, most_bytes=9) == b""


@pytest.mark.parametrize(
    ("message", "is_proto", "updates"),
    [
        (b"{}", False, 0),
        ({}, False, 0),
        ({"meta": {"metrics": []}}, False, 0),
        ({"meta": {"metrics": [{"key": "k", "type": "COUNTER", "value": 1}]}}, False, 1),
        (SeldonMessage(), True, 0),
        (SeldonMessage(meta={"metrics": [Metric(key="k", value=1)]}), True, 1),
    ],
)
def test_only_empty_custom_metrics_are_skipped(message: Any, is_proto: bool, updates: int) -> None:
    ours.skip_empty_metrics(OWN)
    recorder = Recorder()
    seldon_methods.handle_raw_custom_metrics(message, recorder, is_proto, "predict")

    assert len(recorder.updates) == updates


def test_our_metrics_follow_seldons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics.SeldonMetrics, "generate_metrics", lambda self: ("seldon 1\n", "text/plain"))
    monkeypatch.setattr("serving.telemetry.all_processes", lambda: b"ours 2\n")
    ours.add_our_metrics(OWN)

    assert metrics.SeldonMetrics.generate_metrics(None) == ("seldon 1\nours 2\n", "text/plain")


@pytest.mark.parametrize(
    ("option", "variable", "port"), [(["--http-port", "9001"], "", 9001), ([], "9002", 9002)]
)
def test_who_waits_is_counted_at_the_servers_own_port(
    option: list[str], variable: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a server that is told its port as Seldon's operator or as a command line tells it
    asked: list[int] = []
    monkeypatch.setattr(sys, "argv", ["seldon-core-microservice", "x.Y", *option])
    if variable:
        monkeypatch.setenv("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", variable)
    monkeypatch.setattr(metrics.SeldonMetrics, "generate_metrics", lambda self: ("seldon 1\n", "text/plain"))
    monkeypatch.setattr("serving.waiting.waiting_requests", lambda port: asked.append(port) or 3)
    # when
    ours.count_who_waits(OWN)
    text, _ = metrics.SeldonMetrics.generate_metrics(None)
    # then
    assert (asked, text.startswith("seldon 1\n"), text.splitlines()[-1]) == (
        [port],
        True,
        "pedalflow_waiting_requests 3",
    )


def test_no_cors_headers_are_sent() -> None:
    ours.leave_out_cors(OWN)
    app = wrapper.get_rest_microservice(object(), None)

    assert not any("Access-Control" in name for name, _ in app.test_client().get("/health/ping").headers)


def test_the_host_is_ours_and_all_other_options_are_seldons() -> None:
    own, seldons = ours._parse(["x.Y", "--host", "127.0.0.1", "--http-port", "1"])

    assert (own.host, seldons) == ("127.0.0.1", ["x.Y", "--http-port", "1"])
    assert ours._parse(["x.Y"])[0].host == "0.0.0.0"


def test_a_parameter_that_seldon_cannot_read_ends_with_one_sentence() -> None:
    parameters = '[{"name": "max_rows", "type": "INT", "value": "many"}]'
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "serving.microservice",
            "serving.predictor.Predictor",
            "--parameters",
            parameters,
        ],
        cwd=Path(ours.__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 2
    assert done.stderr == "serving: Bad model parameter: max_rows with value many can't be parsed as a INT\n"
