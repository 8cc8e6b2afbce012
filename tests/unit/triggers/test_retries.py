"""How long is waited between attempts."""

from __future__ import annotations

import pytest

from triggers.retries import LONGEST_S, MENDED, RETRIES, Retries, delay_s, waits


@pytest.mark.parametrize(
    ("failures", "jitter", "expected"),
    [
        (1, 1.0, 1.0),
        (1, 0.0, 0.5),
        (2, 1.0, 2.0),
        (5, 1.0, 16.0),
        (9, 1.0, 256.0),
        (10, 1.0, 300.0),
        (5000, 0.0, 150.0),
    ],
)
def test_waits_double_up_to_the_longest(failures: int, jitter: float, expected: float) -> None:
    assert delay_s(Retries(1.0, 300.0, 20), failures, jitter) == expected


def test_an_outage_of_an_hour_is_outlived() -> None:
    for retries in RETRIES.values():
        assert sum(delay_s(retries, failures, 0.0) for failures in range(1, retries.most)) > 3600


def test_people_have_a_day_to_mend_something() -> None:
    assert sum(delay_s(MENDED, failures, 1.0) for failures in range(1, MENDED.most + 1)) == 24 * 3600


@pytest.mark.parametrize(
    ("retry_at", "wait"),
    [
        (0.0, False),
        (1000.0, False),
        (1000.5, True),
        (1000.0 + LONGEST_S, True),
        (1000.0 + 2 * LONGEST_S, False),
    ],
)
def test_an_attempt_waits_unless_no_clock_of_today_can_have_said_so(retry_at: float, wait: bool) -> None:
    assert waits(retry_at, 1000.0) is wait
