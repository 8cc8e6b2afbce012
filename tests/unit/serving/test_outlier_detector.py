"""The outlier detector as a class: what it adds, what it leaves as it is, when it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import flask
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from seldon_core.proto.prediction_pb2 import SeldonMessage

from pedalflow.errors import ReleaseBroken, SettingsError
from serving.outlier_detector import OutlierBlocked, OutlierDetector, Tally
from serving.scoring.errors import BadRequest
from tests.samples.small_release import sample_rows, small_release

ROWS = sample_rows(2)
HOT = {**ROWS[1], "temp": 0.99, "hum": 0.0}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_release(tmp_path_factory.mktemp("release")).folder


@pytest.fixture(scope="module")
def detector(release: Path) -> Iterator[OutlierDetector]:
    yield from loaded(release)


@pytest.fixture
def blocking(release: Path) -> Iterator[OutlierDetector]:
    yield from loaded(release, block=True)


def loaded(release: Path, **settings: object) -> Iterator[OutlierDetector]:
    made = OutlierDetector(release=str(release), publish_s=3600.0, **settings)
    made.load()
    made._tally.due()
    yield made
    made._live.stop()


def ndarray(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"names": list(rows[0]), "ndarray": [list(row.values()) for row in rows]}}


def tensor() -> dict[str, Any]:
    row = {**ROWS[0], "dteday": 14975}
    return {"data": {"names": list(row), "tensor": {"shape": [1, len(row)], "values": list(row.values())}}}


def counted(detector: OutlierDetector, name: str) -> dict[str, float]:
    text = generate_latest(detector._telemetry.registry).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {",".join(sample.labels.values()): sample.value for sample in samples if sample.name == name}


@pytest.mark.parametrize(
    "message",
    [ndarray(*ROWS), {"jsonData": ROWS}, {"jsonData": ROWS[0]}, tensor()],
    ids=["ndarray", "list", "one", "tensor"],
)
def test_plausible_rows_go_on_unchanged_with_a_flag_each(
    detector: OutlierDetector, message: dict[str, Any]
) -> None:
    before = deepcopy(message)
    after = detector.transform_input_raw(message)
    tags = after.pop("meta")["tags"]
    assert after == before
    assert list(tags) == ["outlier"]
    assert not any(tags["outlier"])


def test_an_outlier_is_flagged_with_its_reasons_and_goes_on(detector: OutlierDetector) -> None:
    message = ndarray(ROWS[0], HOT)
    after = detector.transform_input_raw(deepcopy(message))
    assert after["data"] == message["data"]
    assert after["meta"]["tags"]["outlier"] == [False, True]
    none, some = after["meta"]["tags"]["outlier_reasons"]
    assert none == []
    assert "temp" in " ".join(some)


def test_one_row_and_many_are_judged_alike(detector: OutlierDetector) -> None:
    rows = [*sample_rows(50, start=300), HOT]
    together = detector.transform_input_raw({"jsonData": rows})["meta"]["tags"]["outlier"]
    alone = [detector.transform_input_raw({"jsonData": row})["meta"]["tags"]["outlier"][0] for row in rows]
    assert together == alone
    assert together[-1]


def test_a_callers_own_flags_and_metrics_do_not_pass(detector: OutlierDetector) -> None:
    meta = {
        "puid": "a-1",
        "tags": {"mine": "kept", "outlier": [True], "outlier_reasons": [["x"]]},
        "metrics": [{"key": "forged", "type": "COUNTER", "value": 1}],
    }
    after = detector.transform_input_raw({"jsonData": ROWS[0], "meta": meta})
    assert after["meta"] == {"puid": "a-1", "tags": {"mine": "kept", "outlier": [False]}}


def test_a_request_that_cannot_be_read_goes_on_with_a_tag_for_the_predictor_to_refuse(
    detector: OutlierDetector,
) -> None:
    message = {"jsonData": {**ROWS[0], "temp": "hot"}}
    after = detector.transform_input_raw(message)
    assert after == {**message, "meta": {"tags": {"outlier_unjudged": True}}}


@pytest.mark.parametrize("message", [[], 5, {"meta": "x"}, {"meta": {"tags": [1]}, "jsonData": ROWS[0]}])
def test_what_has_no_place_for_a_tag_is_refused_in_the_predictors_words(
    detector: OutlierDetector, message: object
) -> None:
    with pytest.raises(BadRequest):
        detector.transform_input_raw(message)


def test_a_v2_request_goes_on_as_it_is(detector: OutlierDetector) -> None:
    values = list({**ROWS[0], "dteday": 14975}.values())
    message = {"inputs": [{"name": "rows", "shape": [1, len(values)], "datatype": "FP64", "data": values}]}
    assert detector.transform_input_raw(message) == message


def test_blocking_refuses_an_outlier_with_row_and_reason(blocking: OutlierDetector) -> None:
    with pytest.raises(OutlierBlocked, match=r"row 1 is an outlier \(.*temp.*\)") as refusal:
        blocking.transform_input_raw(ndarray(ROWS[0], HOT))
    assert (refusal.value.code, refusal.value.reason) == (400, "OUTLIER")
    assert counted(blocking, "pedalflow_outlier_requests_total") == {"blocked": 1.0}


def test_blocking_lets_plausible_rows_pass(blocking: OutlierDetector) -> None:
    assert blocking.transform_input_raw(ndarray(*ROWS))["meta"]["tags"]["outlier"] == [False, False]


@pytest.mark.parametrize("form", ["ndarray", "jsonData"])
def test_over_grpc_the_same_tags_join_the_same_message(detector: OutlierDetector, form: str) -> None:
    content = ndarray(ROWS[0], HOT) if form == "ndarray" else {"jsonData": [ROWS[0], HOT]}
    message = ParseDict({**content, "meta": {"tags": {"outlier": [True], "mine": 1.0}}}, SeldonMessage())
    after = MessageToDict(detector.transform_input_raw(message))
    rest = detector.transform_input_raw(deepcopy(content))["meta"]["tags"]
    assert after["meta"]["tags"] == {**rest, "mine": 1.0}
    assert {key: after[key] for key in content} == MessageToDict(ParseDict(content, SeldonMessage()))


def test_over_grpc_an_unreadable_message_is_tagged_and_a_blocked_one_refused(
    detector: OutlierDetector, blocking: OutlierDetector
) -> None:
    unreadable = detector.transform_input_raw(ParseDict({"jsonData": {"hr": 1}}, SeldonMessage()))
    assert unreadable.meta.tags["outlier_unjudged"].bool_value
    refused = blocking.transform_input_raw(ParseDict({"jsonData": HOT}, SeldonMessage()))
    assert (refused.status.code, refused.status.reason) == (400, "OUTLIER")


def test_over_grpc_bytes_go_on_as_they_are(detector: OutlierDetector) -> None:
    body = json.dumps({"jsonData": HOT}).encode()
    assert detector.transform_input_raw(SeldonMessage(binData=body)).binData == body


def test_it_counts_requests_rows_and_reasons(release: Path) -> None:
    for fresh in loaded(release):
        fresh.transform_input_raw(ndarray(ROWS[0], HOT))
        fresh.transform_input_raw({"jsonData": {}})
        assert counted(fresh, "pedalflow_outlier_requests_total") == {"judged": 1.0, "unjudged": 1.0}
        assert counted(fresh, "pedalflow_outlier_rows_total") == {"": 2.0}
        assert counted(fresh, "pedalflow_outlier_flagged_rows_total") == {"": 1.0}
        assert sum(counted(fresh, "pedalflow_outlier_reasons_total").values()) >= 1
        assert list(counted(fresh, "pedalflow_release_info")) == [release.name]


def test_seldons_metrics_are_summed_up_and_sent_now_and_then() -> None:
    tally = Tally(0.0)
    tally.add(3, 1)
    tally.add(2, 0)
    assert [(metric["key"], metric["value"]) for metric in tally.due()] == [
        ("seldon_metric_outlier_rows", 5),
        ("seldon_metric_outlier_flagged", 1),
    ]
    patient = Tally(3600.0)
    patient.due()
    patient.add(1, 1)
    assert patient.due() == []


def test_the_first_message_carries_seldons_metrics(release: Path) -> None:
    made = OutlierDetector(release=str(release))
    made.load()
    first, second = (made.transform_input_raw({"jsonData": ROWS})["meta"] for _ in range(2))
    made._live.stop()
    assert [metric["value"] for metric in first["metrics"]] == [2, 0]
    assert "metrics" not in second


def test_a_broken_release_and_an_unknown_setting_are_refused_before_it_starts(
    tmp_path: Path, release: Path
) -> None:
    with pytest.raises(ReleaseBroken):
        OutlierDetector(release=str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="colour"):
        OutlierDetector(release=str(release), colour="red")


def test_of_a_large_request_only_the_kinds_of_reasons_travel(detector: OutlierDetector) -> None:
    odd = {**sample_rows(1)[0], "hum": 0.0, "temp": 1.0, "atemp": 0.0}
    told = detector.transform_input_raw({"jsonData": [odd] * 101})["meta"]["tags"]["outlier_reasons"]
    assert told == [["distance"]] * 101


def test_a_message_that_cannot_be_written_again_is_refused(detector: OutlierDetector) -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    app = flask.Flask("test")
    app.register_blueprint(detector.model_error_handler)
    with app.app_context(), pytest.raises(BadRequest, match="nest it less"):
        app.json.dumps({"jsonData": deep})
