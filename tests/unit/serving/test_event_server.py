"""The routes of the event services, and their command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from pedalflow.errors import SettingsError
from pedalflow.release import Release
from serving.concept_drift_detector import ConceptDriftDetector
from serving.event_metrics import METRICS
from serving.event_server import make_app, read_arguments
from serving.event_service import EventService, EventSettings, Taken
from serving.events import CloudEvent
from serving.settings import describe_settings
from serving.state import Connection, StateFailed, fact, set_fact
from tests.samples import event_messages as messages
from tests.samples.event_service import sending
from tests.samples.small_release import sample_rows, small_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("release"))


@pytest.fixture
def service(tmp_path: Path, release: Release) -> Iterator[EventService]:
    with sending(tmp_path, release.folder, body_mb=0.01) as here:
        yield here.service


@pytest.fixture
def client(service: EventService) -> FlaskClient:
    return make_app(service).test_client()


def test_an_event_is_acknowledged_without_a_body(client: FlaskClient) -> None:
    sent = messages.request("a", sample_rows(1))
    for outcome in ("taken", "duplicate"):
        answer = client.post("/", data=sent.body, headers=dict(sent.headers))
        assert (answer.status_code, answer.data, answer.headers["Pedalflow-Outcome"]) == (202, b"", outcome)


def test_a_type_of_others_is_acknowledged_and_counted(client: FlaskClient) -> None:
    sent = messages.message("com.example.other", "a", b"anything")
    answer = client.post("/", data=sent.body, headers=dict(sent.headers))
    assert (answer.status_code, answer.headers["Pedalflow-Outcome"]) == (202, "ignored")
    assert (
        b'pedalflow_events_received_total{outcome="ignored",type="other"} 1.0' in client.get("/metrics").data
    )


@pytest.mark.parametrize(
    ("content", "headers", "code", "reason"),
    [
        (b"{}", {"Content-Type": "application/json"}, 400, "ATTRIBUTES"),
        (b"{", dict(messages.request("a", [{"hr": 1}]).headers), 400, "JSON"),
        (b"x" * 20_000, dict(messages.request("a", [{"hr": 1}]).headers), 413, "REQUEST_ENTITY_TOO_LARGE"),
    ],
)
def test_a_refusal_says_why_in_a_sentence(
    client: FlaskClient, content: bytes, headers: dict[str, str], code: int, reason: str
) -> None:
    answer = client.post("/", data=content, headers=headers)
    status = json.loads(answer.data)["status"]
    assert (answer.status_code, status["code"], status["reason"]) == (code, code, reason)
    assert len(status["info"]) > 20


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (StateFailed("the disk is full; send it again"), 503, "STATE_FAILED"),
        (ZeroDivisionError(), 500, "UNEXPECTED"),
    ],
)
def test_what_cannot_be_remembered_is_not_acknowledged(
    client: FlaskClient,
    service: EventService,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: int,
    reason: str,
) -> None:
    def fail(_: CloudEvent) -> None:
        raise error

    monkeypatch.setattr(service, "_take", fail)
    sent = messages.request("a", sample_rows(1))
    answer = client.post("/", data=sent.body, headers=dict(sent.headers))
    assert (answer.status_code, json.loads(answer.data)["status"]["reason"]) == (code, reason)
    assert (
        b'pedalflow_events_received_total{outcome="failed",type="request"} 1.0' in client.get("/metrics").data
    )


def test_the_pages_answer_before_anything_was_judged(client: FlaskClient, release: Release) -> None:
    assert client.get("/healthz").json == {"status": "alive"}
    assert client.get("/readyz").json == {"release": release.name}
    assert client.get("/events").json == []
    shown = client.get("/drift").json
    assert shown["windows"] == [] and shown["concept"] == {"releases": {}, "days": []}
    assert client.get("/nothing").status_code == 404


def test_a_service_that_stopped_is_not_ready(client: FlaskClient, service: EventService) -> None:
    service.state.close()
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 500


def test_every_metric_of_the_table_is_exposed(client: FlaskClient) -> None:
    text = client.get("/metrics").data.decode()
    for metric in METRICS:
        assert f"# HELP {metric.name} " in text or f"# HELP {metric.name.removesuffix('_total')} " in text


def test_the_command_line_is_strict(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--state", "/tmp/s", "--release", "/tmp/r"]
    settings = read_arguments(
        [*given, "--receivers", "drift,concept", "--private-fields", "hum, temp", "--port", "9"]
    )
    assert settings.receivers == ("drift", "concept")
    assert (settings.private_fields, settings.port, settings.state) == (("hum", "temp"), 9, Path("/tmp/s"))
    for wrong in (["--receivers", "drift,magic"], ["--receivers", ","], ["--rel", "x"], ["--port", "many"]):
        with pytest.raises(SystemExit) as ended:
            read_arguments([*given, *wrong])
        assert ended.value.code == 2
    with pytest.raises(SystemExit):
        read_arguments([])
    capsys.readouterr()
    with pytest.raises(SettingsError, match="statistic"):
        read_arguments([*given, "--statistic", "guess"])


def test_help_teaches_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_arguments(["--help"])
    text = capsys.readouterr().out
    for option in (
        "--state",
        "--release",
        "--receivers",
        "--broker",
        "--statistic",
        "--private-fields",
        "--keep-days",
    ):
        assert option in text


def test_the_documentation_names_every_metric_and_every_setting() -> None:
    text = (Path(__file__).parents[3] / "docs" / "events.md").read_text(encoding="utf-8")
    for metric in METRICS:
        assert f"| `{metric.name}` |" in text and metric.help in text, metric.name
    for described in describe_settings(EventSettings):
        assert f"| `--{described.name.replace('_', '-')}` | {described.default} |" in text, described.name


def test_a_receiver_that_fails_undoes_its_own_part_alone(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: ConceptDriftDetector, connection: Connection, *__: object) -> None:
        set_fact(connection, "half", "done")
        raise TypeError("a null where a number should be")

    monkeypatch.setattr(ConceptDriftDetector, "take", fails)
    with sending(tmp_path, release.folder) as here:
        assert here.send_request("a", sample_rows(1)) is Taken.TAKEN
        assert here.metric('pedalflow_event_receiver_failed_total{receiver="concept"}') == 1
        assert here.metric('pedalflow_collected_rows_total{kind="request"}') == 1
        assert here.metric("pedalflow_drift_window_rows") == 1
        assert here.service.state.read(lambda connection: fact(connection, "half", "")) == ""


def test_another_request_or_other_labels_by_a_known_id_are_collected_as_a_conflict(
    tmp_path: Path, release: Release
) -> None:
    with sending(tmp_path, release.folder) as here:
        sent = [
            here.send(messages.request("a", sample_rows(1))),
            here.send(messages.request("a", sample_rows(1), "other-logger")),
            here.send(messages.request("a", sample_rows(1, 5), "other-content")),
            here.send(messages.request("a", sample_rows(1, 5), "other-content")),
            here.send(messages.feedback("a", [1.0])),
            here.send(messages.feedback("a", [2.0], "corrected")),
            here.send(messages.feedback("ab", [2.0])),
        ]
        assert [taken.value for taken in sent] == [
            *("taken", "duplicate", "conflict", "duplicate", "taken", "conflict", "taken")
        ]
        assert here.metric('pedalflow_events_received_total{outcome="conflict",type="feedback"}') == 1
        assert here.metric('pedalflow_collected_rows_total{kind="feedback"}') == 3
        assert here.metric("pedalflow_labels_total") == 2


def test_private_fields_that_no_row_has_are_refused_at_the_start(tmp_path: Path, release: Release) -> None:
    with (
        pytest.raises(SettingsError, match="humm"),
        sending(tmp_path, release.folder, private_fields=("humm",)),
    ):
        pass
