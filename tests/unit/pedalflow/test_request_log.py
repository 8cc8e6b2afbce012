"""One request is found in the request logs, whatever segment its lines are in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pedalflow.errors import DataRefused
from pedalflow.request_log import LoggedRequest, find_request, ids_beginning, segments

REQUEST = {"kind": "request", "id": "order-1", "columns": {"hr": [8]}, "time": "2026-11-21T08:00:00Z"}
RESPONSE = {
    "kind": "response",
    "id": "order-1",
    "release": "r-1",
    "predictions": [12.5],
    "time": "2026-11-21T08:00:01Z",
}
FEEDBACK = {"kind": "feedback", "id": "order-1", "labels": [11], "time": "2026-11-22T08:00:00Z"}
EXCHANGE = {**RESPONSE, "kind": "exchange", "columns": {"hr": [8]}}


def write(path: Path, *lines: dict[str, Any], cut: str = "") -> Path:
    """As serving writes them: no blanks, and maybe a last line that was cut off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in lines)
    path.write_text(text + cut, encoding="utf-8")
    return path


def found(serving: Path, request_id: str = "order-1") -> LoggedRequest:
    logged = find_request(serving, request_id)
    assert logged is not None
    return logged


def test_the_three_lines_of_the_collector_become_one_request_across_segments(tmp_path: Path) -> None:
    first = write(tmp_path / "collected" / "requests-20261121T080000Z-1-1.jsonl", REQUEST, RESPONSE)
    write(tmp_path / "collected" / "requests-20261122T080000Z-1-2.jsonl.open", FEEDBACK)
    assert found(tmp_path) == LoggedRequest(
        "order-1", "2026-11-21T08:00:01Z", "r-1", {"hr": [8]}, (12.5,), (11.0,), str(first)
    )


@pytest.mark.parametrize("folder", ["requests", "canary/requests", "replay/collected"])
def test_every_log_below_the_serving_state_is_read(tmp_path: Path, folder: str) -> None:
    write(tmp_path / folder / "requests-20261121T080000Z-1-1.jsonl", EXCHANGE)
    assert (found(tmp_path).release, found(tmp_path).columns) == ("r-1", {"hr": [8]})


def test_other_requests_and_columns_of_that_name_are_not_taken_for_it(tmp_path: Path) -> None:
    other = {**EXCHANGE, "id": "order-17", "release": "r-2"}
    quoting = {**EXCHANGE, "id": "x", "columns": {"note": ['"id":"order-1"']}, "release": "r-3"}
    inside = {**EXCHANGE, "id": "y", "columns": {"id": "order-1"}, "release": "r-4"}
    write(tmp_path / "requests" / "requests-1-1.jsonl", other, quoting, inside, EXCHANGE)
    assert found(tmp_path).release == "r-1"


def test_reading_stops_when_everything_about_the_request_is_found(tmp_path: Path) -> None:
    write(tmp_path / "collected" / "requests-2-1-1.jsonl", EXCHANGE, FEEDBACK)
    write(tmp_path / "collected" / "requests-1-1-1.jsonl", cut='{"kind":1,"id":"order-1"\n')
    assert found(tmp_path).labels == (11.0,)


def test_a_line_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "requests" / "requests-1-1.jsonl.open", cut='{"kind":"exchange","id":"order-1","re')
    assert find_request(tmp_path, "order-1") is None
    assert find_request(tmp_path / "nowhere", "order-1") is None


@pytest.mark.parametrize(
    "line", ['{"id":"order-1"}', '{"kind":"x","id":"order-1"', '{"kind":"x","id":"order-1","labels":3}']
)
def test_a_broken_line_about_the_request_is_named_with_its_segment(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "requests" / "requests-1-1.jsonl", cut=f"{line}\n")
    with pytest.raises(DataRefused, match=str(path)):
        find_request(tmp_path, "order-1")


def test_a_segment_that_is_closed_while_it_is_looked_for_is_read_by_its_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write(tmp_path / "requests" / "requests-1-1.jsonl.open", EXCHANGE)
    listed = segments(tmp_path)
    written.rename(written.with_name("requests-1-1.jsonl"))
    monkeypatch.setattr("pedalflow.request_log.segments", lambda serving: listed)
    assert found(tmp_path).release == "r-1"


def test_an_empty_segment_that_is_removed_while_it_is_looked_for_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = tmp_path / "requests" / "requests-2-1.jsonl.open"
    listed = [removed, write(tmp_path / "requests" / "requests-1-1.jsonl", EXCHANGE)]
    monkeypatch.setattr("pedalflow.request_log.segments", lambda serving: listed)
    assert found(tmp_path).release == "r-1"


def test_ids_are_found_by_their_beginning_each_once(tmp_path: Path) -> None:
    lines = [{**EXCHANGE, "id": name} for name in ("loop-1", "loop-2", "loop-2", "bück-3", "loop-4")]
    write(tmp_path / "requests" / "requests-1-1.jsonl", *lines)
    assert ids_beginning(tmp_path, "loop-", 10) == ("loop-1", "loop-2", "loop-4")
    assert ids_beginning(tmp_path, "loop-", 2) == ("loop-1", "loop-2")
    assert ids_beginning(tmp_path, "bü", 10) == ("bück-3",)
