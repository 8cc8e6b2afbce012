"""How often a rollout on a cluster looks, and how long it tries a call that fails."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How often to look and how long to try; seconds.

    Args:
        poll_s: between two looks.
        retry_s: before a call that failed for a passing reason is made again; doubled each time,
        longest_retry_s: up to so long.
        give_up_s: how long such a call is tried.
    """

    poll_s: float = 2.0
    retry_s: float = 0.5
    longest_retry_s: float = 10.0
    give_up_s: float = 120.0


USUAL_PACE = Pace()
