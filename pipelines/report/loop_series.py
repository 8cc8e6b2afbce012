"""What the loop's charts draw besides what its record holds already."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from pedalflow.loop_record import LoopRecord
from pedalflow.loop_table import rmse, staged_releases


def rolling_apart_from_staged(record: LoopRecord) -> Mapping[str, float]:
    """The rolling error with the retraining, by day, over the hours that no staged release answered; only days on which that differs."""
    staged = staged_releases(record)
    by_day: dict[str, list[tuple[float, bool]]] = {}
    for hour in record.hours:
        by_day.setdefault(hour.dteday, []).append((hour.prediction - hour.actual, hour.release in staged))
    window: deque[list[tuple[float, bool]]] = deque(maxlen=record.rolling_days)
    found = {}
    for day, errors in by_day.items():
        window.append(errors)
        known = [error for of_day in window for error in of_day]
        if any(is_staged for _, is_staged in known):
            found[day] = rmse([error for error, is_staged in known if not is_staged])
    return found
