"""The predictor, without a server around it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from prometheus_client import generate_latest
from seldon_core import seldon_methods, wrapper
from seldon_core.proto.prediction_pb2 import Feedback, SeldonMessage

from pedalflow.errors import PedalflowError, SettingsError
from pedalflow.release import Release
from serving.errors import LogFailed, ModelFailed, ServingError, StartFailed
from serving.predictor import Predictor
from serving.scoring.errors import BadRequest
from serving.segments import read_segments
from tests.samples.small_release import expected_predictions, sample_columns, sample_rows, small_release

ROWS = sample_rows(3)
ODD = {**ROWS[0], "hum": 0.0, "temp": 1.0, "atemp": 0.0}
FAR = {**ROWS[0], "dteday": "2050-12-31"}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("release"), growth=0.007)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def predictor(release: Release, log: Path) -> Iterator[Predictor]:
    yield from running(release, log)


def running(release: Release, log: Path, **settings: Any) -> Iterator[Predictor]:
    made = Predictor(release=str(release.folder), request_log=str(log), poll_s=60.0, **settings)
    made.load()
    yield made
    made._live.stop()
    if made._log is not None:
        made._log.close()


def ask(predictor: Predictor, rows: object, **meta: Any) -> dict[str, Any]:
    body = json.dumps({"jsonData": rows, "meta": meta}).encode()
    return json.loads(predictor.predict_raw(body))  # type: ignore[arg-type]


def metrics(predictor: Predictor) -> str:
    return generate_latest(predictor._telemetry.registry).decode()


@pytest.fixture(autouse=True)
def passthrough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrapper, "PAYLOAD_PASSTHROUGH", True)


def test_the_reply_and_the_log_line_say_the_same(predictor: Predictor, release: Release, log: Path) -> None:
    reply = ask(predictor, [*ROWS, ODD], puid="mine")
    (line,) = read_segments(log)

    tags = reply["meta"]["tags"]
    assert (tags["release"], tags["outlier"]) == (release.name, [False, False, False, True])
    assert tags["outlier_reasons"][:3] == [[], [], []]
    assert tags["outlier_reasons"][3]
    assert line["predictions"] == [row["count"] for row in reply["jsonData"]]
    assert (line["kind"], line["id"], line["release"]) == ("exchange", "mine", release.name)
    assert line["columns"] == {name: [row[name] for row in (*ROWS, ODD)] for name in ROWS[0]}
    assert line["outliers"] == tags["outlier"]
    assert line["time"].endswith("+00:00")


def test_one_row_is_answered_and_logged_as_many_are(predictor: Predictor, log: Path) -> None:
    together = ask(predictor, [ODD, ROWS[1]])
    alone = ask(predictor, [ODD])
    many, one = read_segments(log)

    assert alone["jsonData"][0] == together["jsonData"][0]
    assert alone["meta"]["tags"]["outlier_reasons"] == together["meta"]["tags"]["outlier_reasons"][:1]
    assert one["columns"] == {name: values[:1] for name, values in many["columns"].items()}


def test_predictions_are_those_of_the_model(predictor: Predictor) -> None:
    first = {name: values[:3] for name, values in sample_columns().items()}

    assert [row["count"] for row in ask(predictor, ROWS)["jsonData"]] == pytest.approx(
        expected_predictions(first), rel=1e-3
    )


def test_a_request_without_an_id_gets_a_new_one(predictor: Predictor) -> None:
    first, second = (ask(predictor, ROWS)["meta"]["puid"] for _ in range(2))

    assert first != second
    assert len(first) == 32


def test_the_id_of_the_executors_header_is_the_one_that_labels_join_by(predictor: Predictor) -> None:
    app = flask.Flask("test")
    with app.test_request_context(headers={"Seldon-Puid": "from-executor"}):
        assert ask(predictor, ROWS)["meta"]["puid"] == "from-executor"
        assert ask(predictor, ROWS, puid="own")["meta"]["puid"] == "from-executor"
    assert ask(predictor, ROWS, puid="own")["meta"]["puid"] == "own"
    with (
        app.test_request_context(headers={"Seldon-Puid": "a b"}),
        pytest.raises(BadRequest, match="request id"),
    ):
        ask(predictor, ROWS)


def test_parsed_json_is_answered_with_content_where_the_wrapper_encodes(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(predictor.predict_raw({"jsonData": ROWS}), bytes)  # a form: the wrapper takes bytes
    monkeypatch.setattr(wrapper, "PAYLOAD_PASSTHROUGH", False)
    assert isinstance(predictor.predict_raw({"jsonData": ROWS}), dict)


@pytest.fixture
def behind_a_detector(release: Release, log: Path) -> Iterator[Predictor]:
    """A predictor that believes the outlier detector before it, in a REST request."""
    with flask.Flask("test").test_request_context():
        yield from running(release, log, outliers="upstream")


def test_flags_of_an_upstream_transformer_are_kept(behind_a_detector: Predictor, log: Path) -> None:
    tags = {"outlier": [True, False, False], "outlier_reasons": [["theirs"], [], []], "other": 1}
    reply = ask(behind_a_detector, ROWS, tags=tags)

    assert reply["meta"]["tags"] == {**tags, "release": behind_a_detector.served.release.name}
    assert next(read_segments(log))["outliers"] == tags["outlier"]
    assert 'pedalflow_outliers_total{reason="other"} 1.0' in metrics(behind_a_detector)


@pytest.mark.parametrize("mode", ["inline", "off", "upstream"])
def test_a_callers_own_flags_count_for_nothing(release: Release, log: Path, mode: str) -> None:
    for predictor in running(release, log, outliers=mode):
        tags = {"outlier": [False], "outlier_reasons": [["mine"]], "release": "mine"}
        given = ask(predictor, [ODD], tags=tags)["meta"]["tags"]
        assert given["release"] == predictor.served.release.name
        assert given.get("outlier") == (None if mode == "off" else [True])


def test_tags_that_cannot_come_back_are_refused_before_anything_is_logged(
    predictor: Predictor, log: Path
) -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    with pytest.raises(BadRequest, match="nest them less"):
        ask(predictor, ROWS, tags={"x": deep})
    assert list(read_segments(log)) == []


@pytest.mark.parametrize(
    "tags",
    [
        {"outlier": True},
        {"outlier": [True]},
        {"outlier": [0, 1, 0]},
        {"outlier": [True] * 3, "outlier_reasons": "x"},
        {"outlier": [True] * 3, "outlier_reasons": [1, 2, 3]},
        {"outlier": [True] * 3, "outlier_reasons": [[1], [], []]},
    ],
)
def test_flags_that_do_not_fit_the_rows_are_refused(
    behind_a_detector: Predictor, tags: dict[str, Any]
) -> None:
    with pytest.raises(BadRequest, match="outlier must be a list of 3 booleans"):
        ask(behind_a_detector, ROWS, tags=tags)


@pytest.mark.parametrize(("mode", "flagged"), [("off", False), ("upstream", True), ("inline", True)])
def test_who_flags_outliers_is_a_setting(release: Release, log: Path, mode: str, flagged: bool) -> None:
    for predictor in running(release, log, outliers=mode):
        assert ("outlier" in ask(predictor, [ODD])["meta"]["tags"]) == flagged


def test_a_prediction_that_is_no_number_is_our_error_and_never_json(predictor: Predictor, log: Path) -> None:
    with pytest.raises(ModelFailed, match="predicts inf for row 1"):
        ask(predictor, [ROWS[0], FAR])

    assert list(read_segments(log)) == []
    assert 'pedalflow_requests_total{code="500",interface="rest"} 1.0' in metrics(predictor)


def test_a_type_error_of_ours_is_not_run_twice_by_the_wrapper(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def broken(columns: object) -> None:
        calls.append(columns)
        raise TypeError("ours")

    monkeypatch.setattr(predictor.served.model, "predict", broken)
    body = json.dumps({"jsonData": ROWS}).encode()
    with pytest.raises(TypeError, match="ours"):
        seldon_methods.predict(predictor, body, seldon_metrics=None)

    assert len(calls) == 1


def test_bad_requests_are_counted_by_rule(predictor: Predictor) -> None:
    for _ in range(2):
        with pytest.raises(BadRequest):
            ask(predictor, [{**ROWS[0], "hr": 24}])
    with pytest.raises(BadRequest):
        predictor.infer(b"{}")

    text = metrics(predictor)
    assert 'pedalflow_bad_requests_total{rule="RANGE"} 2.0' in text
    assert 'pedalflow_requests_total{code="400",interface="v2"} 1.0' in text
    assert 'pedalflow_request_seconds_count{interface="rest"} 2.0' in text


def test_private_fields_are_not_logged(release: Release, log: Path) -> None:
    for predictor in running(release, log, private_fields="hum, temp"):
        ask(predictor, ROWS)

    assert set(next(read_segments(log))["columns"]) == set(ROWS[0]) - {"hum", "temp"}


@pytest.mark.parametrize("mode", ["warn", "refuse"])
def test_a_log_that_cannot_be_written_is_counted_and_said_once(
    release: Release, log: Path, mode: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    for predictor in running(release, log, log_failure=mode):
        monkeypatch.setattr(predictor._log, "append", full)
        with caplog.at_level(logging.WARNING, "pedalflow.serving"):
            for _ in range(2):
                if mode == "refuse":
                    with pytest.raises(LogFailed, match="disk full"):
                        ask(predictor, ROWS)
                else:
                    ask(predictor, ROWS)
        monkeypatch.undo()
        assert "pedalflow_log_failures_total 2.0" in metrics(predictor)
        assert caplog.text.count("answered without it") == (1 if mode == "warn" else 0)


def test_without_a_log_nothing_is_written(release: Release, tmp_path: Path) -> None:
    made = Predictor(release=str(release.folder))
    made.load()

    assert ask(made, ROWS)["jsonData"]
    assert list(tmp_path.iterdir()) == []
    made._live.stop()


def feedback(truth: dict[str, Any], **more: Any) -> Feedback:
    content = {"response": {"meta": {"puid": "mine"}}, "truth": truth, **more}
    return ParseDict(content, Feedback())


@pytest.mark.parametrize(
    "truth",
    [
        {"data": {"ndarray": [[1], [2.5]]}},
        {"data": {"ndarray": [1, 2.5]}},
        {"data": {"tensor": {"shape": [2, 1], "values": [1, 2.5]}}},
        {"jsonData": [1, 2.5]},
    ],
)
def test_labels_of_feedback_are_logged_under_the_requests_id(
    predictor: Predictor, log: Path, truth: dict[str, Any]
) -> None:
    reply = predictor.send_feedback_raw(feedback(truth))
    (line,) = read_segments(log)

    assert reply.meta.puid == "mine"
    assert (line["kind"], line["id"], line["labels"]) == ("feedback", "mine", [1.0, 2.5])
    assert "pedalflow_feedback_total 1.0" in metrics(predictor)


BAD_FEEDBACK = [
    ({}, {}, "LABELS", "there is no truth"),
    ({"strData": "3"}, {}, "LABELS", "there is no truth"),
    ({"data": {"ndarray": []}}, {}, "LABELS", "the truth is empty"),
    ({"data": {"ndarray": [[-1]]}}, {}, "LABELS", "row 0: the label -1.0"),
    ({"data": {"ndarray": [[1], ["x"]]}}, {}, "LABELS", "row 1: the label 'x'"),
    ({"data": {"ndarray": [[1, 2]]}}, {}, "LABELS", "row 0"),
    ({"data": {"ndarray": [[True]]}}, {}, "LABELS", "row 0"),
    ({"data": {"tensor": {"shape": [1], "values": ["Infinity"]}}}, {}, "LABELS", "row 0: the label inf"),
    ({"jsonData": {"count": 1}}, {}, "LABELS", "the truth is"),
    ({"data": {"ndarray": [[1]]}}, {"response": {"meta": {"puid": "a b"}}}, "ID", "cannot be used"),
    ({"data": {"ndarray": [[1]]}}, {"response": {}}, "ID", "response.meta.puid is missing"),
    (
        {"data": {"ndarray": [[1]]}},
        {"response": {"meta": {"puid": "a"}, "data": {"ndarray": [[1], [2]]}}},
        "LABELS",
        "the response has 2 rows, but the truth has 1",
    ),
    ({"data": {"ndarray": [[1]]}}, {"request": {"jsonData": ROWS}}, "LABELS", "the request has 3 rows"),
]


@pytest.mark.parametrize(("truth", "more", "rule", "message"), BAD_FEEDBACK)
def test_feedback_that_cannot_be_used_is_refused(
    predictor: Predictor, log: Path, truth: dict[str, Any], more: dict[str, Any], rule: str, message: str
) -> None:
    status = predictor.send_feedback_raw(feedback(truth, **more)).status
    with flask.Flask("test").test_request_context(), pytest.raises(BadRequest) as caught:
        predictor.send_feedback_raw(feedback(truth, **more))

    assert (status.code, status.reason, caught.value.rule) == (400, rule, rule)
    assert message in status.info
    assert list(read_segments(log)) == []


@pytest.mark.parametrize("rows", [[ODD], [ODD, ROWS[0]]])
def test_outliers_are_told_over_grpc_as_over_rest(predictor: Predictor, rows: list[dict[str, Any]]) -> None:
    message = ParseDict({"jsonData": rows}, SeldonMessage())
    tags = MessageToDict(predictor.predict_raw(message).meta)["tags"]  # type: ignore[union-attr]

    assert tags == ask(predictor, rows)["meta"]["tags"]


def test_over_grpc_an_error_of_ours_is_a_message_too(predictor: Predictor) -> None:
    status = predictor.predict_raw(ParseDict({"jsonData": FAR}, SeldonMessage())).status  # type: ignore[union-attr]

    assert (status.code, status.reason) == (500, "MODEL_FAILED")


def test_an_attribute_error_in_load_is_not_passed_over(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Predictor(release=str(release.folder))
    monkeypatch.setattr("serving.wrapped.LiveRelease", lambda *_: None)

    with pytest.raises(ServingError, match="the predictor cannot start: AttributeError"):
        made.load()


def test_before_load_nothing_is_answered(release: Release) -> None:
    with pytest.raises(StartFailed, match="no release is loaded yet"):
        Predictor(release=str(release.folder)).health_status_raw()


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({}, SettingsError),
        ({"release": "/nowhere"}, PedalflowError),
        ({"outliers": "never"}, SettingsError),
        ({"private_fields": "name"}, SettingsError),
    ],
)
def test_what_cannot_serve_is_said_before_anything_starts(
    release: Release, settings: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Predictor(**({"release": str(release.folder)} | settings if settings else {}))


def test_metadata_is_valid_for_seldon(predictor: Predictor) -> None:
    from seldon_core.metadata import validate_model_metadata

    assert validate_model_metadata(predictor.init_metadata())["name"] == "pedalflow"
    assert predictor.health_status_raw() == {"jsonData": {"release": predictor.served.release.name}}
