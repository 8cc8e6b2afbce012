"""The explainer as a class: sums, order, limits of rows and time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from seldon_core.proto.prediction_pb2 import SeldonMessage

from pedalflow.errors import SettingsError
from serving.errors import StartFailed
from serving.explainer import Explainer, Ready, TooSlow
from serving.scoring.errors import BadRequest
from tests.samples.small_release import expected_predictions, sample_columns, sample_rows, small_release

ROWS = sample_rows(3, start=100)
LIMIT_S = 20.0  # the explainer measures itself, and nothing here shall depend on how busy the machine is at that moment


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_release(tmp_path_factory.mktemp("release")).folder


@pytest.fixture
def explainer(release: Path) -> Iterator[Explainer]:
    made = Explainer(release=str(release), time_limit_s=LIMIT_S)
    made.load()
    yield made
    made._live.stop()


def explained(explainer: Explainer, content: dict[str, Any]) -> dict[str, Any]:
    reply = explainer.predict_raw(content)
    assert isinstance(reply, dict)
    return dict(reply["jsonData"])


def test_base_and_contributions_add_up_to_the_prediction(explainer: Explainer) -> None:
    answer = explained(explainer, {"jsonData": ROWS})
    expected = expected_predictions(sample_columns())[100:103]
    for row, prediction in zip(answer["rows"], expected, strict=True):
        total = row["base"] + sum(part["contribution"] for part in row["contributions"])
        assert row["prediction"] == pytest.approx(prediction, rel=1e-4)
        assert total == pytest.approx(row["prediction"], rel=1e-6)


def test_the_largest_contribution_comes_first_and_every_feature_has_one_with_its_value(
    explainer: Explainer,
) -> None:
    [row] = explained(explainer, {"jsonData": ROWS[0]})["rows"]
    sizes = [abs(part["contribution"]) for part in row["contributions"]]
    assert sizes == sorted(sizes, reverse=True)
    assert {part["feature"]: part["value"] for part in row["contributions"]} == ROWS[0]


def test_the_answer_says_release_request_and_seconds(explainer: Explainer, release: Path) -> None:
    answer = explained(explainer, {"jsonData": ROWS[0], "meta": {"puid": "a-1"}})
    assert (answer["release"], answer["puid"]) == (release.name, "a-1")
    assert answer["seconds"] > 0


def test_only_the_features_that_a_setting_names_are_explained(release: Path) -> None:
    made = Explainer(release=str(release), features="hr, temp", time_limit_s=LIMIT_S)
    made.load()
    [row] = explained(made, {"jsonData": ROWS[0]})["rows"]
    made._live.stop()
    assert {part["feature"] for part in row["contributions"]} == {"hr", "temp"}


def test_more_rows_than_the_setting_are_refused(explainer: Explainer) -> None:
    with pytest.raises(BadRequest, match="send at most 8"):
        explainer.predict_raw({"jsonData": sample_rows(9)})


def test_more_rows_than_fit_into_the_time_are_refused_before_the_work_begins(explainer: Explainer) -> None:
    explainer._ready = Ready(explainer._ready.served, row_s=8.0)
    with pytest.raises(BadRequest, match=r"3 rows are too many .* within 20 s at 8 s a row; send at most 2"):
        explainer.predict_raw({"jsonData": ROWS})
    assert len(explained(explainer, {"jsonData": ROWS[:2]})["rows"]) == 2


def test_where_one_row_takes_too_long_no_request_is_to_blame(explainer: Explainer) -> None:
    explainer._ready = Ready(explainer._ready.served, row_s=30.0)
    with pytest.raises(TooSlow, match=r"one row takes 30 s") as refusal:
        explainer.predict_raw({"jsonData": ROWS[0]})
    assert refusal.value.code == 503


def test_a_request_waits_for_its_turn_no_longer_than_the_limit(release: Path) -> None:
    made = Explainer(release=str(release), time_limit_s=0.1)
    made.load()
    made._ready = Ready(made._ready.served, row_s=0.001)
    with made._turn, pytest.raises(TooSlow, match="other predictions"):
        made.predict_raw({"jsonData": ROWS[0]})
    made._live.stop()


def test_a_request_whose_turn_comes_in_time_is_answered(explainer: Explainer) -> None:
    answers: list[object] = []
    asker = threading.Thread(target=lambda: answers.append(explainer.predict_raw({"jsonData": ROWS[0]})))
    with explainer._turn:
        asker.start()
    asker.join()
    assert len(answers) == 1


def test_over_grpc_the_answer_is_a_message_and_so_is_a_refusal(explainer: Explainer) -> None:
    answer = explainer.predict_raw(ParseDict({"jsonData": ROWS[0]}, SeldonMessage()))
    assert isinstance(answer, SeldonMessage)
    [row] = MessageToDict(answer)["jsonData"]["rows"]
    assert len(row["contributions"]) == len(ROWS[0])
    refused = explainer.predict_raw(ParseDict({"jsonData": {"hr": 1}}, SeldonMessage()))
    assert isinstance(refused, SeldonMessage)
    assert refused.status.code == 400


def test_a_feature_that_rows_do_not_have_is_refused_before_it_starts(release: Path) -> None:
    with pytest.raises(StartFailed, match="colour"):
        Explainer(release=str(release), features="hr,colour")
    with pytest.raises(SettingsError, match="time_limit_s"):
        Explainer(release=str(release), time_limit_s=0.0)
