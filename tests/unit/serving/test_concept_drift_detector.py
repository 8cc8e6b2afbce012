"""Concept drift from events: labels meet predictions in any order, days close once, releases stay apart."""

from __future__ import annotations

import itertools
import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import orjson
import pytest

from pedalflow.champion import Pointer, write_pointer
from pedalflow.release import Release
from serving.concept_drift_detector import VERDICT, Errors, _errors, rolling_errors
from serving.events import CONCEPT_DRIFT, EventRefused
from serving.state import Connection, keep_verdict
from tests.samples import event_messages as messages
from tests.samples.event_service import Sending, sending
from tests.samples.small_release import expected_predictions, sample_columns, sample_rows, small_release

START = 24 * 200


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("other"), scale=2.0)


def hours(first: int, count: int) -> tuple[list[dict[str, object]], np.ndarray, np.ndarray]:
    columns = {name: values[first : first + count] for name, values in sample_columns().items()}
    return sample_rows(count, first), expected_predictions(columns), columns["count"]


def send_hours(
    here: Sending, release: str, first: int, count: int, factor: float = 1.0, tag: str = "h"
) -> None:
    rows, predictions, labels = hours(first, count)
    for number in range(count):
        name = f"{tag}{first + number}"
        here.send_request(name, [rows[number]])
        here.send(messages.response(name, release, [float(predictions[number])]))
        here.send(messages.feedback(name, [float(round(labels[number] * factor))]))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_request_response_and_label_may_come_in_any_order(
    tmp_path: Path, release: Release, order: tuple[int, ...]
) -> None:
    rows, predictions, labels = hours(START, 1)
    parts = (
        messages.request("a", rows),
        messages.response("a", release.name, [float(predictions[0])]),
        messages.feedback("a", [float(labels[0])]),
    )
    with sending(tmp_path, release.folder) as here:
        for place in order:
            here.send(parts[place])
        (open_days,) = here.service.drift()["concept"]["releases"].values()
        assert list(open_days["open_days"].values()) == [1]
        assert here.metric("pedalflow_pending_predictions") == 0
        before = order.index(2) < order.index(1)
        assert here.metric("pedalflow_labels_unmatched_total") == (1 if before else 0)


def test_a_label_for_an_unknown_request_waits_for_its_prediction_through_a_restart(
    tmp_path: Path, release: Release
) -> None:
    rows, predictions, labels = hours(START, 1)
    with sending(tmp_path, release.folder) as here:
        here.send(messages.feedback("a", [float(labels[0])]))
        assert here.metric("pedalflow_pending_predictions") == 1
    with sending(tmp_path, release.folder) as here:
        here.send_request("a", rows)
        here.send(messages.response("a", release.name, [float(predictions[0])]))
        assert here.metric("pedalflow_pending_predictions") == 0
        assert here.metric('pedalflow_event_state_rows{table="labelled"}') == 1


def test_a_day_closes_with_a_label_of_a_later_day_and_becomes_an_event(
    tmp_path: Path, release: Release
) -> None:
    first = next(n for n in range(START, START + 48) if sample_rows(1, n)[0]["hr"] == 0)
    with sending(tmp_path, release.folder) as here:
        send_hours(here, release.name, first, 24)
        assert here.emitted(CONCEPT_DRIFT) == []
        send_hours(here, release.name, first + 24, 1)
        (event,) = here.emitted(CONCEPT_DRIFT)
        shown = here.metric("pedalflow_rolling_rmse"), here.metric("pedalflow_concept_score")
    rows, predictions, labels = hours(first, 24)
    data = event["data"]
    assert (data["day"], data["rows"], data["release"]) == (rows[0]["dteday"], 24, release.name)
    assert data["rmse"] == pytest.approx(math.sqrt(np.mean((predictions - labels) ** 2)))
    assert data["wape"] == pytest.approx(np.abs(predictions - labels).sum() / labels.sum())
    assert data["day_mean"] == pytest.approx(np.mean(np.log1p(labels) - np.log1p(predictions)))
    assert data["rolling"]["rmse"] == data["rmse"] == shown[0]
    assert data["score"] == shown[1]
    assert data["is_drift"] in (0, 1) and event["meta"]["detector_type"] == "drift"


def test_a_day_with_too_few_labels_stays_open(tmp_path: Path, release: Release) -> None:
    first = next(n for n in range(START, START + 48) if sample_rows(1, n)[0]["hr"] == 0)
    with sending(tmp_path, release.folder, fewest_rows=12) as here:
        send_hours(here, release.name, first, 11)
        send_hours(here, release.name, first + 24, 5)
        assert here.emitted(CONCEPT_DRIFT) == []
        send_hours(here, release.name, first + 11, 1)
        assert [event["data"]["rows"] for event in here.emitted(CONCEPT_DRIFT)] == [12]
        send_hours(here, release.name, first + 12, 3)
        assert here.metric('pedalflow_labels_unused_total{why="late"}') == 3
        assert len(here.emitted(CONCEPT_DRIFT)) == 1


def test_labels_that_grow_are_a_drift_and_the_error_rolls_over_seven_days(
    tmp_path: Path, release: Release
) -> None:
    with sending(tmp_path, release.folder) as here:
        send_hours(here, release.name, START, 24 * 16, factor=20.0)
        days = [event["data"] for event in here.emitted(CONCEPT_DRIFT)]
    assert days[-1]["is_drift"] == 1 and days[-1]["shift"] > 0 and days[-1]["reasons"]
    assert days[0]["is_drift"] == 0
    last = days[-7:]
    assert days[-1]["rolling"]["rows"] == sum(day["rows"] for day in last)
    assert days[-1]["rolling"]["rmse"] == pytest.approx(
        math.sqrt(sum(day["errors"]["squared"] for day in last) / sum(day["rows"] for day in last))
    )


def test_a_restart_changes_no_verdict(tmp_path: Path, release: Release) -> None:
    with sending(tmp_path / "one", release.folder) as here:
        send_hours(here, release.name, START, 24 * 6, factor=2.0)
        whole = here.emitted(CONCEPT_DRIFT)
    for part in range(6):
        with sending(tmp_path / "two", release.folder) as here:
            send_hours(here, release.name, START + 24 * part, 24, factor=2.0)
            parts = here.emitted(CONCEPT_DRIFT)
    assert parts == whole


def test_predictions_of_two_releases_are_judged_apart(
    tmp_path: Path, release: Release, other: Release
) -> None:
    pointer = tmp_path / "champion.json"
    write_pointer(pointer, Pointer(release.name, release.checksum, release.folder))
    with sending(tmp_path / "state", pointer) as here:
        send_hours(here, release.name, START, 48)
        write_pointer(pointer, Pointer(other.name, other.checksum, other.folder))
        here.service.live.look()
        send_hours(here, other.name, START, 48, tag="new")
        send_hours(here, release.name, START + 48, 24)
        send_hours(here, "r-elsewhere", START + 72, 2)
        days = here.service.drift()["concept"]["days"]
        assert here.metric('pedalflow_labels_unused_total{why="release"}') == 2
    by_release = {
        name: [day["day"] for day in days if day["release"] == name] for name in (release.name, other.name)
    }
    assert by_release[other.name] and set(by_release[other.name]) <= set(by_release[release.name])
    assert len(days) == sum(map(len, by_release.values()))


def test_labels_that_do_not_fit_their_request_are_counted_and_left_out(
    tmp_path: Path, release: Release
) -> None:
    rows, predictions, _ = hours(START, 2)
    with sending(tmp_path, release.folder) as here:
        here.send_request("a", rows)
        here.send(messages.response("a", release.name, predictions.tolist()))
        here.send(messages.feedback("a", [1.0, 2.0, 3.0]))
        assert here.metric('pedalflow_labels_unused_total{why="unfit"}') == 3
        assert here.metric('pedalflow_event_state_rows{table="labelled"}') == 0


def first_midnight() -> int:
    return next(n for n in range(START, START + 48) if sample_rows(1, n)[0]["hr"] == 0)


def test_a_label_beyond_all_sense_is_refused_and_disturbs_nothing(tmp_path: Path, release: Release) -> None:
    first = first_midnight()
    with sending(tmp_path, release.folder) as here:
        send_hours(here, release.name, first, 23)
        for label in (1e200, 1.1e9, -1.0):
            with pytest.raises(EventRefused, match="no number from 0 to 1e"):
                here.send(messages.feedback("bad", [label]))
        send_hours(here, release.name, first + 23, 2)
        assert math.isfinite(here.metric("pedalflow_rolling_rmse"))


def test_errors_of_what_was_poisoned_stay_finite() -> None:
    labels = np.array([1e200, 3.0, math.inf, 4.0])
    errors = _errors(labels, np.array([1.0, math.nan, 2.0, 1e250]))
    assert errors.rows == 2
    assert all(map(math.isfinite, (errors.squared, errors.absolute, errors.labels, errors.rmse, errors.wape)))
    nothing = _errors(labels[:1], np.array([math.nan]))
    assert (nothing.rows, nothing.rmse, nothing.wape) == (0, 0.0, 0.0)


def test_a_state_that_holds_a_poisoned_day_heals(tmp_path: Path, release: Release) -> None:
    first = first_midnight()
    with sending(tmp_path, release.folder) as here:
        send_hours(here, release.name, first, 25)
        day = here.emitted(CONCEPT_DRIFT)[0]["data"]
        poisoned = {**day, "rmse": None, "rolling": {"rows": 24, "rmse": None, "wape": None}}
        poisoned["errors"] = {**day["errors"], "squared": None}

        def poison(connection: Connection) -> Errors:
            connection.execute("DELETE FROM judged WHERE kind = ?", (VERDICT,))
            keep_verdict(connection, VERDICT, release.name, orjson.dumps(poisoned), 400)
            return rolling_errors(connection, release.name, Errors(1, 4.0, 2.0, 3.0))

        assert here.service.state.change(poison) == Errors(1, 4.0, 2.0, 3.0)
        assert here.metric("pedalflow_concept_score") == day["score"]
        send_hours(here, release.name, first + 25, 24)
        assert here.emitted(CONCEPT_DRIFT)[-1]["data"]["rolling"]["rows"] == 24
        assert here.metric("pedalflow_rolling_rmse") > 0


def test_a_release_that_was_replaced_before_its_first_label_is_judged_all_the_same(
    tmp_path: Path, release: Release, other: Release
) -> None:
    pointer = tmp_path / "champion.json"
    write_pointer(pointer, Pointer(release.name, release.checksum, release.folder))
    rows, predictions, labels = hours(START, 1)
    with sending(tmp_path / "state", pointer) as here:
        here.send_request("a", rows)
        here.send(messages.response("a", release.name, [float(predictions[0])]))
        write_pointer(pointer, Pointer(other.name, other.checksum, other.folder))
        here.service.live.look()
        here.send(messages.feedback("a", [float(labels[0])]))
        assert here.service.drift()["concept"]["releases"][release.name]["open_days"]


def test_a_row_with_a_date_far_ahead_closes_no_day(tmp_path: Path, release: Release) -> None:
    first = first_midnight()
    with sending(tmp_path, release.folder) as here:
        send_hours(here, release.name, first, 13)
        (row,) = sample_rows(1, first)
        far = date.fromisoformat(str(row["dteday"])) + timedelta(days=32)
        here.send_request("far", [{**row, "dteday": far.isoformat()}])
        here.send(messages.response("far", release.name, [10.0]))
        here.send(messages.feedback("far", [10.0]))
        assert here.emitted(CONCEPT_DRIFT) == []
        send_hours(here, release.name, first + 13, 12)
        assert [event["data"]["rows"] for event in here.emitted(CONCEPT_DRIFT)] == [24]


def promoted(pointer: Path, release: Release) -> None:
    write_pointer(pointer, Pointer(release.name, release.checksum, release.folder))


def test_a_new_champion_begins_anew_and_late_labels_of_the_old_one_accuse_only_that(
    tmp_path: Path, release: Release, other: Release
) -> None:
    pointer, first = tmp_path / "champion.json", first_midnight()
    promoted(pointer, release)
    with sending(tmp_path / "state", pointer) as here:
        send_hours(here, release.name, first, 24 * 12, factor=20.0)
        assert here.emitted(CONCEPT_DRIFT)[-1]["data"]["is_drift"] == 1
        promoted(pointer, other)
        here.service.live.look()
        seen = len(here.emitted(CONCEPT_DRIFT))
        send_hours(here, release.name, first + 24 * 12, 25, factor=20.0)  # asked before, labelled now
        assert here.metric("pedalflow_concept_score") == 0
        send_hours(here, other.name, first + 24 * 13, 25, factor=2.0, tag="new")
        events = [event["data"] for event in here.emitted(CONCEPT_DRIFT)[seen:]]
    late = [event for event in events if event["release"] == release.name]
    new = [event for event in events if event["release"] == other.name]
    assert late and all(event["is_drift"] == 1 and not event["serves"] for event in late)
    assert [(event["is_drift"], event["serves"]) for event in new] == [(0, True)]
    assert new[0]["rolling"]["rows"] == 24


def test_a_canary_is_not_judged_before_it_serves_and_disturbs_no_verdict_on_the_champion(
    tmp_path: Path, release: Release, other: Release
) -> None:
    first = first_midnight()
    with sending(tmp_path / "alone", release.folder) as here:
        for hour in range(24 * 4):
            if hour % 5:
                send_hours(here, release.name, first + hour, 1)
        alone = here.emitted(CONCEPT_DRIFT)
    with sending(tmp_path / "shared", release.folder) as here:
        for hour in range(24 * 4):
            name = release.name if hour % 5 else other.name
            send_hours(here, name, first + hour, 1, factor=1.0 if hour % 5 else 50.0)
        assert here.emitted(CONCEPT_DRIFT) == alone and len(alone) == 3
        assert here.metric("pedalflow_drift_window_rows") == 24 * 4


def test_after_its_promotion_a_canary_is_judged_by_what_it_answered_from_then_on_and_what_is_labelled_then(
    tmp_path: Path, release: Release, other: Release
) -> None:
    pointer, first = tmp_path / "champion.json", first_midnight()
    promoted(pointer, release)
    with sending(tmp_path / "state", pointer) as here:
        send_hours(here, other.name, first, 5)
        promoted(pointer, other)
        here.service.live.look()
        send_hours(here, other.name, first + 5, 20)
        assert [event["data"]["rows"] for event in here.emitted(CONCEPT_DRIFT)] == [19]
