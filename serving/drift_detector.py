"""Data drift: the rows of requests fill a window, a full window is judged, and every verdict becomes an event, drifted or not.

The event has the layout of the vendor's alibi-detect server (`data.is_drift`, `data.distance`, `data.p_val`, `data.threshold`, `meta`), so
that either can stand in for the other, and says in further fields what was compared with what.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import orjson

from detectors.drift import DriftJudgement, Statistic, judge_window, scipy_statistic
from detectors.layout import Columns, joined, row_count, take
from serving.event_metrics import DRIFT_DROPPED, DRIFT_WINDOWS
from serving.events import DRIFT, RequestSeen
from serving.receiving import Count, Emit, Happening
from serving.served import Served
from serving.state import Connection, keep_verdict, set_fact

logger = logging.getLogger("pedalflow.events")

SOURCE = "io.seldon.serving.pedalflow-drift"
VERDICT, DROPPED = "drift", "drift_dropped"
MOST_VERDICTS = 60
ALIBI, SCIPY = "alibi", "scipy"
_EPOCH = date(1970, 1, 1)
_DISTANCES = (
    "values",
    "relation",
)  # tests whose statistic is a distance; the first that was made is shown as the vendor's


@dataclass(frozen=True)
class Method:
    """A statistic and how an event names it."""

    name: str
    statistic: Statistic
    version: str


def method(name: str) -> Method:
    """The statistic by its setting, `alibi` or `scipy`, imported now so that no window waits for it."""
    if name == ALIBI:
        from serving.alibi_statistic import alibi_statistic, version

        return Method(name, alibi_statistic, version())
    from scipy import __version__

    return Method(name, scipy_statistic, str(__version__))


class DriftDetector:
    """Fills windows from request events; everything it remembers is in the state."""

    def __init__(self, statistic: str) -> None:
        self._method = method(statistic)

    def take(self, connection: Connection, happening: Happening, emit: Emit) -> list[Count]:
        """Add the rows of a request, and judge every window that is full now."""
        if not isinstance(happening.message, RequestSeen):
            return []
        served, columns = happening.served, happening.message.columns
        counts = _drop_others(connection, served.release.name)
        waiting = waiting_rows(connection, served.release.name) + row_count(columns)
        if waiting < served.detectors.drift.window_rows:
            _keep(connection, served.release.name, columns)
            return counts
        return counts + self._judge(connection, happening, _gathered(connection, served, columns), emit)

    def _judge(self, connection: Connection, happening: Happening, rows: Columns, emit: Emit) -> list[Count]:
        """Judge the full windows of `rows`, in their order; what is left begins the next one."""
        served, counts = happening.served, []
        size = served.detectors.drift.window_rows
        whole = row_count(rows) // size * size
        for first in range(0, whole, size):
            window = take(rows, np.arange(first, first + size))
            judgement = judge_window(served.detectors.drift, window, self._method.statistic)
            data = event_data(judgement, served, self._method)
            emit(happening.emitted(DRIFT, SOURCE, data))
            keep_verdict(connection, VERDICT, served.release.name, orjson.dumps(data["data"]), MOST_VERDICTS)
            counts.append(Count(DRIFT_WINDOWS, (str(judgement.is_drift).lower(),)))
        connection.execute("DELETE FROM window WHERE release = ?", (served.release.name,))
        if whole < row_count(rows):
            _keep(connection, served.release.name, take(rows, np.arange(whole, row_count(rows))))
        return counts


def waiting_rows(connection: Connection, release: str) -> int:
    """How many rows of a release wait for a full window."""
    row = connection.execute(
        "SELECT COALESCE(SUM(rows), 0) FROM window WHERE release = ?", (release,)
    ).fetchone()
    return int(row[0])


def event_data(judgement: DriftJudgement, served: Served, used: Method) -> dict[str, Any]:
    """The body of a drift event."""
    shown = next(
        (test for test in _DISTANCES if any(feature.test == test for feature in judgement.features)), ""
    )
    by_name = {feature.name: feature for feature in judgement.features if feature.test == shown}
    in_order = [by_name[name] for name in served.detectors.layout.numbers if name in by_name]
    reference = served.detectors.drift
    data = {
        "is_drift": int(judgement.is_drift),
        "distance": [feature.statistic for feature in in_order],
        "p_val": [feature.p_value for feature in in_order],
        "threshold": judgement.threshold,
        "score": judgement.score,
        "feature_names": [feature.name for feature in in_order],
        "features": [asdict(feature) for feature in judgement.features],
        "reasons": list(judgement.reasons),
        "missing": judgement.missing,
        "season_matched": judgement.season_matched,
        "window": {
            "rows": judgement.rows,
            "first": day_text(judgement.first_date),
            "last": day_text(judgement.last_date),
        },
        "reference": {
            "rows": len(reference.days),
            "first": day_text(int(reference.days.min())),
            "last": day_text(int(reference.days.max())),
            "window_rows": reference.window_rows,
            "false_alarm_rate": reference.false_alarm_rate,
        },
        "release": served.release.name,
    }
    meta = {
        "name": "KSDrift",
        "online": False,
        "data_type": None,
        "version": used.version,
        "detector_type": "drift",
        "statistic": used.name,
    }
    return {"data": data, "meta": meta}


def day_text(days: int | None) -> str | None:
    """Days since 1970-01-01 as YYYY-MM-DD."""
    return None if days is None else (_EPOCH + timedelta(days)).isoformat()


def _drop_others(connection: Connection, release: str) -> list[Count]:
    """A half window of another release is void: its rows would be judged by a reference that they were not collected for."""
    void = connection.execute(
        "SELECT release, SUM(rows) FROM window WHERE release != ? GROUP BY release", (release,)
    ).fetchall()
    for other, rows in void:
        logger.warning(
            "%d rows that waited for a window of release %s are dropped: %s serves now", rows, other, release
        )
        dropped: Mapping[str, Any] = {"release": other, "rows": rows, "instead": release}
        set_fact(connection, DROPPED, orjson.dumps(dropped).decode())
    if void:
        connection.execute("DELETE FROM window WHERE release != ?", (release,))
    return [Count(DRIFT_DROPPED, (), rows) for _, rows in void]


def _keep(connection: Connection, release: str, columns: Columns) -> None:
    content = orjson.dumps({name: values.tolist() for name, values in columns.items()})
    connection.execute(
        "INSERT INTO window (release, rows, columns) VALUES (?, ?, ?)", (release, row_count(columns), content)
    )


def _gathered(connection: Connection, served: Served, newest: Columns) -> Columns:
    """The rows that wait, in the order in which they came, and the newest ones."""
    parts = connection.execute(
        "SELECT columns FROM window WHERE release = ? ORDER BY number", (served.release.name,)
    ).fetchall()
    kept = [orjson.loads(part) for (part,) in parts]
    if not kept:
        return newest
    before = {
        name: np.array([value for part in kept for value in part[name]], values.dtype)
        for name, values in newest.items()
    }
    return joined(before, newest)
