"""A record of a replay as a month of requests leaves it: small, complete, with one flagged row and one staged window."""

from __future__ import annotations

import math

from pedalflow.replay_record import (
    ConceptDay,
    DriftWindow,
    Explanation,
    FeatureDrift,
    InterfaceUse,
    ReplayRecord,
    ServedHour,
)


def replay_record() -> ReplayRecord:
    """Two weeks of hours, two windows of which the second is staged."""
    hours = tuple(_hour(index) for index in range(14 * 24))
    return ReplayRecord(
        release="r-26fb0378a56a",
        title="The hours of span 5, which had not arrived when the model was trained.",
        interfaces=(
            InterfaceUse("REST", "http://127.0.0.1:9500/api/v1.0/predictions", 504, 0, 3.1, 6.4),
            InterfaceUse("gRPC", "127.0.0.1:9502", 168, 0, 1.2, 2.9),
        ),
        difference=1.2e-7,
        hours=hours,
        windows=(
            _window("2012-04-01", "2012-04-07", 0.71, ""),
            _window("2012-04-01", "2012-04-07", 3.4, "temp is stuck"),
        ),
        concept=tuple(ConceptDay(f"2012-04-{day:02d}", 0.05, 0.1 * day, 4.0, False) for day in range(1, 14)),
        explanation=Explanation(
            "2012-04-03", 8, 180.0, 421.5, {"hr": 190.0, "temp": 40.5, "workingday": 21.0, "hum": -10.0}
        ),
        kept=len(hours) - 1,
        kept_out={"outlier": 1},
    )


def _hour(index: int) -> ServedHour:
    actual = 150 + 100 * math.sin(index / 24 * 2 * math.pi)
    reasons = ("atemp is far from what temp and season lead to expect",) if index == 40 else ()
    return ServedHour(f"2012-04-{1 + index // 24:02d}", index % 24, actual * 1.1, actual, reasons)


def _window(first: str, last: str, score: float, staged: str) -> DriftWindow:
    return DriftWindow(
        rows=168,
        first=first,
        last=last,
        is_drift=score > 1,
        score=score,
        threshold=1.0,
        season_matched=True,
        reasons=("temp: relation to the other numbers",) if score > 1 else (),
        features=(
            FeatureDrift("temp", "relation", 0.3 * score, 0.3, score, 0.4),
            FeatureDrift("hum", "season", 0.12, 0.3, 0.4, -0.1),
        ),
        staged=staged,
    )
