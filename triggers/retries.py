"""How often what failed is tried again, and after how long: a table, and the arithmetic of waiting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from triggers.records import Phase


@dataclass(frozen=True)
class Retries:
    """The first wait, the longest one, and after how many failures it is given up."""

    first_s: float
    longest_s: float
    most: int


RETRIES: Mapping[Phase, Retries] = {
    Phase.LAUNCHING: Retries(first_s=1.0, longest_s=300.0, most=40),  # given up after about two hours
    Phase.RUNNING: Retries(
        first_s=1.0, longest_s=300.0, most=300
    ),  # about a day: it may well be at work, unseen
}

MENDED = Retries(
    first_s=300.0, longest_s=300.0, most=288
)  # a day for people to mend what keeps a run from being launched
LONGEST_S = max(retries.longest_s for retries in (*RETRIES.values(), MENDED))


def waits(retry_at: float, wall: float) -> bool:
    """Whether an attempt has to wait. A wait of more than twice the longest was written by a clock that has been set back since."""
    return 0.0 < retry_at - wall < 2 * LONGEST_S


def delay_s(retries: Retries, failures: int, jitter: float) -> float:
    """Seconds until the next attempt: twice as long after each failure, between half and all of it by `jitter` (0 to 1)."""
    longest = min(retries.longest_s, retries.first_s * 2.0 ** min(failures - 1, 32))
    return longest * (0.5 + 0.5 * jitter)
