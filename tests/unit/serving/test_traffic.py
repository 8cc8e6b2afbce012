"""The canary's share: deterministic by request id, read from a file that may change, and nothing where the file says nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from serving.traffic import LOOK_EVERY_S, Traffic, goes_to_canary, read_percent, write_percent

IDS = [f"request-{number}" for number in range(10_000)]


@pytest.mark.parametrize("percent", [1, 20, 50, 99.5])
def test_the_share_of_many_requests_is_as_wanted(percent: float) -> None:
    share = 100 * sum(goes_to_canary(name, percent) for name in IDS) / len(IDS)
    assert share == pytest.approx(percent, abs=1.5)


def test_the_same_id_goes_to_the_same_side_and_a_greater_share_only_adds_requests() -> None:
    few, many = ({name for name in IDS if goes_to_canary(name, percent)} for percent in (10, 30))
    assert few < many
    assert few == {name for name in IDS if goes_to_canary(name, 10)}


@pytest.mark.parametrize("name", ["", "\udcff", "x" * 10_000])
def test_all_or_nothing_hold_for_any_id(name: str) -> None:
    assert goes_to_canary(name, 100) and not goes_to_canary(name, 0)


@pytest.mark.parametrize(
    "text",
    [
        *("", "20", "[]", "{}", '{"canary_percent": "20"}', '{"canary_percent": true}', '{"canary_percent": 101}'),
        *('{"canary_percent": -1}', '{"canary_percent": NaN}', '{"canary_percent": 20, "shadow": 1}'),
    ],
)  # fmt: skip
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"it is|must be"):
        read_percent(text)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_percent(tmp_path / "below" / "traffic.json", 12.5)
    assert read_percent((tmp_path / "below" / "traffic.json").read_text(encoding="utf-8")) == 12.5


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def move(self) -> None:
        self.now += LOOK_EVERY_S


def test_a_change_is_seen_at_the_next_look(tmp_path: Path) -> None:
    path, clock = tmp_path / "traffic.json", Clock()
    traffic = Traffic(path, clock)
    assert traffic.percent == 0
    write_percent(path, 20)
    assert traffic.percent == 0
    clock.move()
    assert traffic.percent == 20
    path.unlink()
    clock.move()
    assert traffic.percent == 0


def test_a_broken_file_gives_the_canary_nothing_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, clock = tmp_path / "traffic.json", Clock()
    write_percent(path, 20)
    traffic = Traffic(path, clock)
    assert traffic.percent == 20
    path.write_text("{", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            clock.move()
            assert traffic.percent == 0
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage() for record in warnings] == [
        f"the canary gets no traffic: {path} cannot be used (it is no JSON)"
    ]
