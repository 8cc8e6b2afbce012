"""The collector: a line for each event, on the disk before it is acknowledged, without what is private."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pedalflow.release import Release
from serving.collector import FOLDER
from serving.segments import read_segments
from serving.state import StateFailed
from tests.samples import event_messages as messages
from tests.samples.event_service import sending
from tests.samples.small_release import sample_rows, small_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("release"))


def test_each_event_becomes_a_line(tmp_path: Path, release: Release) -> None:
    (row,) = sample_rows(1)
    with sending(tmp_path, release.folder) as here:
        here.send_request("a", [row])
        here.send(messages.response("a", release.name, [12.5], [True]))
        here.send(messages.feedback("a", [16]))
        assert here.metric('pedalflow_collected_rows_total{kind="request"}') == 1
        lines = list(read_segments(tmp_path / FOLDER))
    time = "2026-01-31T12:00:00.123Z"
    assert lines == [
        {
            "kind": "request",
            "id": "a",
            "time": time,
            "columns": {name: [value] for name, value in row.items()},
        },
        {
            "kind": "response",
            "id": "a",
            "time": time,
            "release": release.name,
            "predictions": [12.5],
            "outliers": [True],
        },
        {"kind": "feedback", "id": "a", "time": time, "labels": [16.0]},
    ]


def test_private_fields_never_reach_the_disk(tmp_path: Path, release: Release) -> None:
    with sending(tmp_path, release.folder, receivers=("collector",), private_fields=("hum", "temp")) as here:
        here.send_request("a", sample_rows(1))
        (line,) = read_segments(tmp_path / FOLDER)
    assert "hum" not in line["columns"] and "temp" not in line["columns"] and "atemp" in line["columns"]


def test_the_line_is_synced_before_the_event_is_acknowledged(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def fsync(file: int) -> None:
        synced.append(os.fstat(file).st_size)
        real(file)

    with sending(tmp_path, release.folder) as here:
        monkeypatch.setattr(os, "fsync", fsync)
        here.send_request("a", sample_rows(1))
        (segment,) = (tmp_path / FOLDER).glob("*")
        assert segment.stat().st_size in synced
        monkeypatch.undo()


def test_a_disk_that_is_full_refuses_the_event_and_takes_it_when_it_comes_again(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sending(tmp_path, release.folder) as here:
        with monkeypatch.context() as broken:
            broken.setattr(
                os, "write", lambda file, content: (_ for _ in ()).throw(OSError(28, "No space left"))
            )
            with pytest.raises(StateFailed):
                here.send_request("a", sample_rows(1))
        assert here.service.drift()["waiting_rows"] == 0
        here.send_request("a", sample_rows(1))
        assert here.service.drift()["waiting_rows"] == 1
        assert len(list(read_segments(tmp_path / FOLDER))) == 1


def test_without_the_collector_nothing_is_collected(tmp_path: Path, release: Release) -> None:
    with sending(tmp_path, release.folder, receivers=("drift",)) as here:
        here.send_request("a", sample_rows(1))
    assert not (tmp_path / FOLDER).exists()
