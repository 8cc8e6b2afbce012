"""Errors by release: of every release that answered, once for each label, since any day or moment, and kept with the rest."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pedalflow.champion import Pointer, write_pointer
from pedalflow.release import Release
from serving import release_errors
from serving.event_server import make_app
from serving.release_errors import Since, SinceRefused, errors_since, forget_days, keep_errors, read_since
from serving.state import FILE, VERSION, Connection, State
from tests.samples import event_messages as messages
from tests.samples.event_service import Sending, sending
from tests.samples.small_release import sample_rows, small_release

CANARY = "r-canary"
NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc).timestamp()


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("release"))


@pytest.fixture
def here(tmp_path: Path, release: Release) -> Iterator[Sending]:
    with sending(tmp_path, release.folder) as made:
        yield made


def at(message: messages.Message, moment: str) -> messages.Message:
    return messages.Message({**message.headers, "Ce-Time": moment}, message.body)


def send(
    here: Sending,
    name: str,
    release: str,
    predictions: list[float],
    labels: list[float],
    moment: str = "2026-01-31T12:00:00Z",
) -> None:
    """A request for hours from the first of 2011 on, its answer, and its labels a day later."""
    here.send(at(messages.request(name, sample_rows(len(labels))), moment))
    here.send(at(messages.response(name, release, predictions), moment))
    here.send(at(messages.feedback(name, labels), "2026-02-01T12:00:00Z"))


def shown(here: Sending, since: str = "") -> dict[str, Any]:
    releases: dict[str, Any] = here.service.errors(since)["releases"]
    return releases


def test_every_release_that_answered_counts_also_one_that_never_served(
    here: Sending, release: Release
) -> None:
    send(here, "a", release.name, [12.0, 16.0], [10.0, 20.0])
    send(here, "b", CANARY, [36.0], [30.0])
    send(here, "c", CANARY, [40.0], [40.0])
    errors = shown(here)
    assert errors.keys() == {release.name, CANARY}
    assert (errors[CANARY]["rows"], errors[CANARY]["wape"]) == (2, pytest.approx(6 / 70))
    assert errors[CANARY]["bias"] == pytest.approx(3.0)
    assert errors[release.name]["rmse"] == pytest.approx(np.sqrt((4 + 16) / 2))
    assert (errors[release.name]["first"], errors[release.name]["last"]) == ("2011-01-01", "2011-01-01")
    assert here.metric('pedalflow_labels_unused_total{why="release"}') == 2  # for concept drift alone


def test_labels_count_once_and_only_where_they_fit(here: Sending) -> None:
    send(here, "a", CANARY, [12.0], [10.0])
    here.send(messages.feedback("a", [99.0], "corrected"))
    send(here, "b", CANARY, [12.0, 13.0], [10.0])
    assert shown(here)[CANARY]["rows"] == 1


def test_the_sums_are_metrics_that_outlive_a_restart(tmp_path: Path, release: Release) -> None:
    with sending(tmp_path, release.folder) as here:
        send(here, "a", CANARY, [12.0, 16.0], [10.0, 20.0])
    with sending(tmp_path, release.folder) as here:
        send(here, "b", CANARY, [36.0], [30.0])
        shown = {
            name: here.metric(f'pedalflow_error_sums{{release="{CANARY}",sum="{name}"}}')
            for name in ("rows", "labels", "absolute", "squared")
        }
    assert shown == {"rows": 3, "labels": 60, "absolute": 12, "squared": 56}


def test_the_sums_of_few_releases_are_metrics_whoever_else_answered(here: Sending) -> None:
    for number in range(12):
        send(here, f"a{number}", f"r-{number}", [12.0], [10.0], f"2026-01-31T12:{number:02d}:00Z")
    text = here.service.metrics().decode()
    assert text.count('sum="rows"') == 8
    assert 'release="r-11"' in text and 'release="r-3"' not in text


@pytest.mark.parametrize("name", ["", "r" * 65])
def test_a_name_that_can_be_no_releases_is_left_out(here: Sending, name: str) -> None:
    send(here, "a", name, [12.0], [10.0])
    assert shown(here) == {}


def test_since_a_moment_counts_by_when_the_request_was_asked(here: Sending) -> None:
    for minute in (0, 1, 2):
        send(here, f"a{minute}", CANARY, [12.0], [10.0], f"2026-01-31T12:0{minute}:00Z")
    counts = {
        since: shown(here, since).get(CANARY, {}).get("rows", 0)
        for since in (
            "2026-01-31T12:00:00Z",
            "2026-01-31T12:01:00.000Z",
            "2026-01-31T13:01:30+01:00",
            "2026-02-01",
        )
    }
    assert list(counts.values()) == [3, 2, 1, 0]


def test_since_a_day_counts_by_the_day_of_the_data(here: Sending) -> None:
    rows, labels = sample_rows(48), [10.0] * 48
    here.send(messages.request("a", rows))
    here.send(messages.response("a", CANARY, labels))
    here.send(messages.feedback("a", labels))
    second = sum(row["dteday"] == "2011-01-02" for row in rows)
    assert shown(here, "2011-01-02")[CANARY]["rows"] >= second
    assert shown(here, "2011-01-02")[CANARY]["first"] == "2011-01-02"
    assert shown(here)[CANARY]["rows"] == 48


def test_what_is_remembered_outlives_a_restart_and_a_new_champion(tmp_path: Path, release: Release) -> None:
    pointer = tmp_path / "champion.json"
    write_pointer(pointer, Pointer(release.name, release.checksum, release.folder))
    with sending(tmp_path / "state", pointer) as here:
        send(here, "a", CANARY, [12.0], [10.0])
        before = shown(here)
    with sending(tmp_path / "state", pointer) as here:
        assert shown(here) == before
        send(here, "b", CANARY, [12.0], [10.0])
        assert shown(here)[CANARY]["rows"] == 2


def test_the_page_answers_and_refuses_a_wrong_since(here: Sending) -> None:
    send(here, "a", CANARY, [12.0], [10.0])
    client = make_app(here.service).test_client()
    assert client.get("/errors?since=2026-01-31T12:00:00Z").json == here.service.errors("")
    wrong = client.get("/errors?since=yesterday")
    status = json.loads(wrong.data)["status"]
    assert (wrong.status_code, status["reason"]) == (400, "SINCE")
    assert "'yesterday'" in status["info"]


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("", Since()),
        ("2011-01-02", Since(day=(date(2011, 1, 2) - date(1970, 1, 1)).days)),
        ("2026-01-31T12:00:00Z", Since(moment=NOON)),
        ("2026-01-31T12:00:00.500Z", Since(moment=NOON + 0.5)),
        ("2026-01-31T12:00:00", Since(moment=NOON)),
        ("2026-01-31T13:00:00+01:00", Since(moment=NOON)),
    ],
)
def test_since_is_a_day_or_a_moment(text: str, since: Since) -> None:
    assert read_since(text) == since


@pytest.mark.parametrize("text", ["2011-13-01", "now", "17", "x" * 10])
def test_other_texts_are_no_since(text: str) -> None:
    with pytest.raises(SinceRefused, match="must be a day"):
        read_since(text)


def test_only_the_newest_days_are_kept_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_errors, "MOST_DAYS", 3)
    state = State(tmp_path / FILE)

    def fill(connection: Connection) -> dict[str, Any]:
        for day in range(10):
            keep_errors(connection, CANARY, [day], [1.0], [2.0], float(day))
        forget_days(connection)
        return errors_since(connection, Since())

    assert state.change(fill)[CANARY]["rows"] == 3
    state.close()


def test_a_state_of_the_version_before_gets_the_new_tables_and_keeps_the_rest(tmp_path: Path) -> None:
    made = State(tmp_path / FILE)
    made.close()
    with sqlite3.connect(tmp_path / FILE) as old:
        old.executescript("DROP TABLE errors; DROP TABLE scored; PRAGMA user_version = 1;")
        old.execute("INSERT INTO facts VALUES ('kept', 'yes')")
    old.close()
    state = State(tmp_path / FILE)
    assert state.read(lambda connection: errors_since(connection, Since())) == {}
    assert state.read(lambda connection: connection.execute("SELECT * FROM facts").fetchall()) == [
        ("kept", "yes")
    ]
    assert state.read(lambda connection: connection.execute("PRAGMA user_version").fetchone()[0]) == VERSION
    state.close()
