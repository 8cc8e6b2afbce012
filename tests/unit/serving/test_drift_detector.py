"""Data drift from events: windows of one release, every full one judged once, whatever is sent twice or restarted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detectors.drift import judge_window
from detectors.stored import read_detectors
from pedalflow.champion import Pointer, write_pointer
from pedalflow.release import DETECTORS, Release
from serving.event_service import Taken
from serving.events import DRIFT, OUTLIER
from tests.samples import event_messages as messages
from tests.samples.event_service import NOW, sending
from tests.samples.small_release import sample_columns, sample_rows, small_release

WINDOW = 168


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("other"), scale=2.0)


def test_a_full_window_becomes_one_event_though_nothing_drifted(tmp_path: Path, release: Release) -> None:
    with sending(tmp_path, release.folder) as here:
        for number, row in enumerate(sample_rows(WINDOW - 1)):
            here.send_request(f"r{number}", [row])
        assert here.emitted(DRIFT) == []
        assert here.metric("pedalflow_drift_window_rows") == WINDOW - 1
        here.send_request("last", sample_rows(1, WINDOW - 1))
        (event,) = here.emitted(DRIFT)
        assert here.metric('pedalflow_drift_windows_total{drift="false"}') == 1
        assert here.metric('pedalflow_drift_windows_total{drift="true"}') == 0
        assert here.metric("pedalflow_drift_windows_agreeing") == 0
        assert here.metric("pedalflow_drift_window_rows") == 0
    assert event["data"]["is_drift"] == 0
    assert event["data"]["window"] == {"rows": WINDOW, "first": "2011-01-01", "last": "2011-01-08"}


def test_how_many_of_the_last_three_windows_drift_is_known_after_a_restart_too(
    tmp_path: Path, release: Release
) -> None:
    stuck = [{**row, "hum": 0.5} for row in sample_rows(2 * WINDOW)]
    with sending(tmp_path, release.folder) as here:
        here.send_request("stuck", stuck)
        assert here.metric("pedalflow_drift_windows_agreeing") == 2
    with sending(tmp_path, release.folder) as again:
        again.send_request("sound", sample_rows(2 * WINDOW))
        assert again.metric("pedalflow_drift_windows_agreeing") == 1
        assert again.metric('pedalflow_drift_windows_total{drift="true"}') == 0


def test_who_does_not_receive_does_not_count_the_failures_of_a_receiver(
    tmp_path: Path, release: Release
) -> None:
    with sending(tmp_path, release.folder, receivers=("drift", "concept")) as here:
        assert here.metric('pedalflow_event_receiver_failed_total{receiver="drift"}') == 0
        with pytest.raises(AssertionError, match="no metric"):
            here.metric('pedalflow_event_receiver_failed_total{receiver="collector"}')


def test_the_verdict_is_that_of_the_detectors(tmp_path: Path, release: Release) -> None:
    reference = read_detectors(release.folder / DETECTORS).drift
    window = {name: values[:WINDOW] for name, values in sample_columns().items()}
    judgement = judge_window(reference, window)
    with sending(tmp_path, release.folder) as here:
        here.send_request("all", sample_rows(WINDOW))
        data = here.emitted(DRIFT)[0]["data"]
    assert data["score"] == judgement.score
    assert [feature["score"] for feature in data["features"]] == [
        feature.score for feature in judgement.features
    ]


VENDOR = {  # seldon-core's alibi-detect server with alibi-detect 0.11.4: KSDrift on two features
    "data": {"is_drift": 0, "distance": [0.14, 0.08], "p_val": [0.66, 0.99], "threshold": 0.025},
    "meta": {
        "name": "KSDrift",
        "online": False,
        "data_type": None,
        "version": "0.11.4",
        "detector_type": "drift",
    },
}


def test_the_event_has_all_that_the_vendors_has_in_the_same_types(tmp_path: Path, release: Release) -> None:
    with sending(tmp_path, release.folder) as here:
        here.send_request("all", sample_rows(WINDOW))
        ours = here.emitted(DRIFT)[0]
        headers = here.service.events()[0]["headers"]
    for part, fields in VENDOR.items():
        for name, value in fields.items():
            assert type(ours[part][name]) in (type(value), float), (part, name)
    assert len(ours["data"]["distance"]) == len(ours["data"]["feature_names"]) == 4
    assert headers["Ce-Requestid"] == "all" and headers["Ce-Inferenceservicename"] == "pedalflow"


def fahrenheit(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Temperatures of another unit, as far as the request schema takes them."""
    return [
        {**row, "temp": min(1.0, row["temp"] * 1.8 + 0.3), "atemp": min(1.0, row["atemp"] * 1.8 + 0.3)}
        for row in rows
    ]


def test_another_unit_drifts_and_names_the_feature(tmp_path: Path, release: Release) -> None:
    with sending(tmp_path, release.folder) as here:
        here.send_request("all", fahrenheit(sample_rows(WINDOW, 2000)))
        data = here.emitted(DRIFT)[0]["data"]
        assert here.metric("pedalflow_drift_window_score") == data["score"]
    assert data["is_drift"] == 1
    assert data["score"] > data["threshold"] == 1.0
    assert any("temp" in reason for reason in data["reasons"])


def test_a_large_request_fills_several_windows_and_the_rest_waits(tmp_path: Path, release: Release) -> None:
    with sending(tmp_path, release.folder) as here:
        here.send_request("small", sample_rows(10))
        here.send_request("large", sample_rows(WINDOW * 2, 10))
        assert [event["data"]["window"]["rows"] for event in here.emitted(DRIFT)] == [WINDOW, WINDOW]
        assert here.service.drift()["waiting_rows"] == 10


def test_half_a_window_survives_a_restart(tmp_path: Path, release: Release) -> None:
    with sending(tmp_path, release.folder) as here:
        here.send_request("first", sample_rows(100))
    with sending(tmp_path, release.folder) as here:
        assert here.service.drift()["waiting_rows"] == 100
        here.send_request("second", sample_rows(68, 100))
        restarted = here.emitted(DRIFT)
    with sending(tmp_path / "other", release.folder) as here:
        here.send_request("all", sample_rows(WINDOW))
        assert here.emitted(DRIFT) == restarted


def test_an_event_that_is_delivered_again_counts_once(tmp_path: Path, release: Release) -> None:
    rows = sample_rows(10)
    with sending(tmp_path, release.folder) as here:
        assert here.send(messages.request("a", rows, "id-1")) is Taken.TAKEN
        assert here.send(messages.request("a", rows, "id-1")) is Taken.DUPLICATE
        assert (
            here.send(messages.request("a", rows, "id-2")) is Taken.DUPLICATE
        )  # another logger in the graph
        assert here.send(messages.request("b", rows, "id-1")) is Taken.DUPLICATE
        assert here.service.drift()["waiting_rows"] == 10
        assert here.metric('pedalflow_events_received_total{outcome="duplicate",type="request"}') == 3
    with sending(tmp_path, release.folder) as here:
        assert here.send(messages.request("a", rows, "id-1")) is Taken.DUPLICATE


def test_a_new_release_drops_the_half_window_of_the_old_one_and_says_so(
    tmp_path: Path, release: Release, other: Release
) -> None:
    pointer = tmp_path / "champion.json"
    write_pointer(pointer, Pointer(release.name, release.checksum, release.folder))
    with sending(tmp_path / "state", pointer) as here:
        here.send_request("old", sample_rows(100))
        write_pointer(pointer, Pointer(other.name, other.checksum, other.folder))
        here.service.live.look()
        here.send_request("new", sample_rows(68, 100))
        shown = here.service.drift()
        assert here.metric("pedalflow_drift_rows_dropped_total") == 100
        assert here.emitted(DRIFT) == []
    assert shown["waiting_rows"] == 68
    assert shown["dropped"] == {"release": release.name, "rows": 100, "instead": other.name}


def test_a_flagged_request_becomes_an_outlier_event_in_the_vendors_layout(
    tmp_path: Path, release: Release
) -> None:
    with sending(tmp_path, release.folder) as here:
        here.send(messages.response("fine", release.name, [1.0, 2.0]))
        here.send(messages.response("odd", release.name, [1.0, 2.0], [False, True]))
        (event,) = here.emitted(OUTLIER)
    assert event["data"]["is_outlier"] == [0, 1]
    assert event["data"]["instance_score"] is None and event["data"]["feature_score"] is None
    assert event["data"]["reasons"] == [[], ["range: hum"]]
    assert event["meta"].keys() >= {"name", "detector_type", "data_type"}


def test_more_outliers_than_a_minute_may_have_are_coalesced_into_the_next_event(
    tmp_path: Path, release: Release
) -> None:
    moments = [NOW]
    with sending(tmp_path, release.folder, clock=lambda: moments[0], outliers_per_minute=2) as here:
        for number in range(5):
            here.send(messages.response(f"r{number}", release.name, [1.0], [True]))
        moments[0] += 60
        here.send(messages.response("later", release.name, [1.0], [True]))
        events = here.emitted(OUTLIER)
        assert here.metric('pedalflow_outlier_events_total{outcome="coalesced"}') == 3
    assert [event["data"]["coalesced"] for event in events] == [0, 0, 3]


def test_the_score_of_the_old_release_is_no_score_of_the_new_one(
    tmp_path: Path, release: Release, other: Release
) -> None:
    pointer = tmp_path / "champion.json"
    write_pointer(pointer, Pointer(release.name, release.checksum, release.folder))
    with sending(tmp_path / "state", pointer) as here:
        here.send_request("all", sample_rows(WINDOW))
        assert here.metric("pedalflow_drift_window_score") > 0
        assert 'feature="hum",test="repeats"' in here.service.metrics().decode()
        write_pointer(pointer, Pointer(other.name, other.checksum, other.folder))
        here.service.live.look()
        assert here.metric("pedalflow_drift_window_score") == 0
        assert 'feature="hum"' not in here.service.metrics().decode()
