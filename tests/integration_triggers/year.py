"""Months at the door, as the detectors tell them: labels drift away from one release after the other, and runs replace them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.integration_triggers.door import PROMOTED, Door

CONCEPT, DRIFT = "io.pedalflow.serving.inference.conceptdrift", "io.seldon.serving.inference.drift"
OUTLIERS = "io.seldon.serving.inference.outlier"
FIRST_DAY = date(2012, 1, 2)
RELEASES = tuple(f"r-{number:012d}" for number in range(1, 6))
REFUSED = {"exit": 4, "say": "the gate refused it: no worse than champion, overall: 1.07 is above 1.02"}


def answers() -> dict[str, Any]:
    """What the runs of the year come to: promoted, refused, promoted, rolled back."""
    trained = [
        {
            "json": {
                "run_id": f"span-{n:02d}-abc",
                "outcome": "challenger",
                "release_id": release,
                "until_span": n,
            }
        }
        for n, release in enumerate(RELEASES[1:], 2)
    ]
    worse = {
        **PROMOTED,
        "outcome": "rolled back",
        "reason": "the canary's error was 12 % higher over 240 rows",
    }
    return {
        "train": [trained[0], REFUSED, trained[1], trained[2]],
        "rollout": [{"json": PROMOTED}, {"json": PROMOTED}, {"json": worse}],
    }


def concept(door: Door, day: date, score: float, release: str, rmse: float) -> str:
    """A day of labels was judged."""
    drifts = score > 1
    data = {
        "is_drift": int(drifts),
        "score": score,
        "threshold": 1.0,
        "day": day.isoformat(),
        "rows": 24,
        "rmse": rmse * 1.1,
        "wape": rmse / 200,
        "rolling": {"rows": 168, "rmse": rmse, "wape": rmse / 220},
        "release": release,
        "reasons": ["shift: demand is 30 % above the predictions"] if drifts else [],
    }
    return door.cloud_event(CONCEPT, {"data": data, "meta": {}}, inferenceservicename="pedalflow")


def window(door: Door, last: date, score: float, release: str) -> str:
    """A window of requests was judged."""
    first = last - timedelta(days=7)
    data = {
        "is_drift": int(score > 1),
        "score": score,
        "threshold": 1.0,
        "window": {"rows": 168, "first": first.isoformat(), "last": last.isoformat()},
        "release": release,
        "reasons": ["repeats: hum 168 times the same value in a row"] if score > 1 else [],
    }
    return door.cloud_event(DRIFT, {"data": data, "meta": {}}, inferenceservicename="pedalflow")


def play(door: Door, weeks: int = 16) -> None:
    """A day and a window after the other; whenever labels drift, the run that this starts is waited for."""
    served, score = 0, 0.2
    for week in range(weeks):
        for day in range(7):
            when = FIRST_DAY + timedelta(days=7 * week + day)
            score += 0.03 + 0.01 * (day % 3)
            event = concept(door, when, score, RELEASES[served], 55 + 25 * score)
            if score > 1 and door.decided(event)["run"]:
                door.quiet()
                served, score = _after(door, served), 0.15
        window(
            door, when + timedelta(days=1), 3.4 if week == 9 else 0.45 + 0.05 * (week % 5), RELEASES[served]
        )
    door.cloud_event(OUTLIERS, {"data": {"is_outlier": [1, 0, 1], "release": RELEASES[served]}, "meta": {}})
    door.quiet()


def _after(door: Door, served: int) -> int:
    """Which release serves now."""
    promoted = [run["release"] for run in door.runs() if run["outcome"] == "promoted"]
    return RELEASES.index(promoted[0]) if promoted else served
