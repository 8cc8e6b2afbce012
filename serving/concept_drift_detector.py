"""Concept drift: labels meet their predictions by request id, a day of residuals is judged when it is over, and every day becomes an event.

Request (the days of its rows), response (release and predictions) and feedback (labels) may come in any order; what has come waits for the
rest. A day is over when a label of a later day, at most a month later, has come: a row with a wrong date far ahead closes
nothing. Each release is judged by its own baseline and its own predictions. One that never served, a canary, is not judged, but its
errors are kept like those of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import orjson

from detectors.concept import ConceptBaseline, ConceptJudgement, ConceptState, advance, start
from detectors.layout import Array
from detectors.screening import log_residuals
from serving.drift_detector import day_text
from serving.error_sums import Errors, error_sums
from serving.event_metrics import DAYS_CLOSED, LABELS, LABELS_UNMATCHED, LABELS_UNUSED
from serving.events import CONCEPT_DRIFT, FeedbackSeen, RequestSeen, ResponseSeen
from serving.receiving import Count, Emit, Happening
from serving.release_errors import keep_errors
from serving.served import Served
from serving.state import Connection, keep_verdict, verdicts

SOURCE = "io.pedalflow.serving.concept-drift"
VERDICT = "concept"
MOST_VERDICTS = 400
ROLLING_DAYS = 7
MOST_DAYS_AHEAD = 31  # a label of a day that is further ahead says nothing of this one


@dataclass(frozen=True)
class _Joined:
    """A request of which everything has come, asked at `at` (seconds since 1970): a day, a prediction and a label for each row."""

    release: str
    at: float
    days: Sequence[int]
    predictions: Sequence[float]
    labels: Sequence[float]

    @property
    def fits(self) -> bool:
        return len(self.days) == len(self.predictions) == len(self.labels)


class ConceptDriftDetector:
    """Everything it remembers is in the state. A day needs `fewest_rows` labels to be judged."""

    def __init__(self, fewest_rows: int) -> None:
        self._fewest_rows = fewest_rows

    def take(self, connection: Connection, happening: Happening, emit: Emit) -> list[Count]:
        """Keep what came until the rest has; then close the days that are over."""
        message, at = happening.message, happening.event.time
        counts: list[Count] = []
        _know(connection, happening.served)
        if isinstance(message, RequestSeen):
            days = message.columns[happening.served.detectors.layout.date].tolist()
            _keep_part(connection, message.request_id, at, days=days)
        elif isinstance(message, ResponseSeen):
            _keep_part(
                connection,
                message.request_id,
                at,
                release=message.release,
                predictions=list(message.predictions),
            )
        else:
            counts = _count_labels(connection, message)
            _keep_part(connection, message.request_id, at, labels=list(message.labels))
        joined = _take_joined(connection, message.request_id)
        if joined is None:
            return counts
        if joined.fits:
            keep_errors(connection, joined.release, joined.days, joined.predictions, joined.labels, joined.at)
        return (
            counts + _add(connection, joined, at) + self._close(connection, joined.release, happening, emit)
        )

    def _close(self, connection: Connection, release: str, happening: Happening, emit: Emit) -> list[Count]:
        """Judge the days before the newest one that have enough labels."""
        counts = []
        for day in _days_over(connection, release, self._fewest_rows):
            serves = release == happening.served.release.name
            data = {**_judged(connection, release, day), "serves": serves}
            emit(happening.emitted(CONCEPT_DRIFT, SOURCE, {"data": data, "meta": _META}))
            keep_verdict(connection, VERDICT, release, orjson.dumps(data), MOST_VERDICTS)
            counts.append(Count(DAYS_CLOSED, (str(bool(data["is_drift"])).lower(),)))
        return counts


_META = {"name": "CUSUM", "online": True, "data_type": None, "detector_type": "drift"}


def concept_states(connection: Connection) -> dict[str, dict[str, Any]]:
    """Where the detection stands by release: the sums, their limit, and the labelled rows of days that are not closed."""
    rows = connection.execute("SELECT release, baseline, state FROM concept ORDER BY release").fetchall()
    return {
        release: {
            "upper": state["upper"]["sum"],
            "lower": state["lower"]["sum"],
            "limit": orjson.loads(baseline)["limit"],
            "days": len(state["seen"]),
            "open_days": _open_days(connection, release),
        }
        for release, baseline, state in ((row[0], row[1], orjson.loads(row[2])) for row in rows)
    }


def _open_days(connection: Connection, release: str) -> dict[str, int]:
    rows = connection.execute(
        "SELECT day, SUM(rows) FROM labelled WHERE release = ? GROUP BY day ORDER BY day", (release,)
    )
    return {str(day_text(day)): count for day, count in rows}


def _keep_part(connection: Connection, request_id: str, at: float, **parts: Any) -> None:
    """Add to what is known of a request; what came first stays."""
    stored = {name: value if name == "release" else orjson.dumps(value) for name, value in parts.items()}
    names = ", ".join(stored)
    updates = ", ".join(f"{name} = COALESCE({name}, excluded.{name})" for name in stored)
    connection.execute(
        f"INSERT INTO pending (request, at, {names}) VALUES (?, ?{', ?' * len(stored)}) "
        f"ON CONFLICT (request) DO UPDATE SET {updates}",
        (request_id, at, *stored.values()),
    )


def _count_labels(connection: Connection, message: FeedbackSeen) -> list[Count]:
    """Before the labels are kept: whether their prediction is there."""
    known = connection.execute(
        "SELECT 1 FROM pending WHERE request = ? AND predictions IS NOT NULL", (message.request_id,)
    ).fetchone()
    total = Count(LABELS, (), len(message.labels))
    return [total] if known else [total, Count(LABELS_UNMATCHED, (), len(message.labels))]


def _take_joined(connection: Connection, request_id: str) -> _Joined | None:
    row = connection.execute(
        "DELETE FROM pending WHERE request = ? AND days NOT NULL AND predictions NOT NULL AND labels NOT NULL "
        "RETURNING release, at, days, predictions, labels",
        (request_id,),
    ).fetchone()
    return None if row is None else _Joined(*row[:2], *(orjson.loads(part) for part in row[2:]))


def _know(connection: Connection, served: Served) -> None:
    """Keep the baseline of the release that serves, for its labels come later, when another one may serve."""
    known = connection.execute("SELECT 1 FROM concept WHERE release = ?", (served.release.name,)).fetchone()
    if known:
        return
    connection.execute(
        "INSERT INTO concept VALUES (?, ?, ?)",
        (
            served.release.name,
            orjson.dumps(asdict(served.detectors.concept)).decode(),
            start().to_json(),
        ),
    )


def _read(connection: Connection, release: str) -> tuple[ConceptBaseline, ConceptState] | None:
    row = connection.execute("SELECT baseline, state FROM concept WHERE release = ?", (release,)).fetchone()
    if row is None:
        return None
    return ConceptBaseline(**orjson.loads(row[0])), ConceptState.from_json(row[1])


def _add(connection: Connection, joined: _Joined, at: float) -> list[Count]:
    """Put the rows to their days."""
    known = _read(connection, joined.release)
    if known is None or not joined.fits:
        why = "release" if joined.fits else "unfit"
        return [Count(LABELS_UNUSED, (why,), len(joined.labels))]
    closed = frozenset(known[1].seen)
    days = np.array(joined.days, np.int64)
    predictions, labels = np.array(joined.predictions, np.float64), np.array(joined.labels, np.float64)
    counts = []
    for day in np.unique(days).tolist():
        rows = days == day
        if day in closed:
            counts.append(Count(LABELS_UNUSED, ("late",), float(rows.sum())))
            continue
        connection.execute(
            "INSERT INTO labelled (release, day, rows, predictions, labels, at) VALUES (?, ?, ?, ?, ?, ?)",
            (joined.release, day, int(rows.sum()), predictions[rows].tobytes(), labels[rows].tobytes(), at),
        )
    return counts


def _days_over(connection: Connection, release: str, fewest_rows: int) -> list[int]:
    """Days with enough labels, and a labelled day after them that is not too far ahead."""
    days = _labelled_days(connection, release)
    over = [day for day, later in pairwise(days) if later - day <= MOST_DAYS_AHEAD]
    return [day for day in over if _labelled_rows(connection, release, day) >= fewest_rows]


def _labelled_days(connection: Connection, release: str) -> list[int]:
    """In order, from index to index: every label asks for them, and a day may have very many rows."""
    rows = connection.execute(
        "WITH RECURSIVE days(day) AS (SELECT MIN(day) FROM labelled WHERE release = :release UNION ALL "
        "SELECT (SELECT MIN(day) FROM labelled WHERE release = :release AND day > days.day) "
        "FROM days WHERE day NOT NULL) SELECT day FROM days WHERE day NOT NULL",
        {"release": release},
    )
    return [int(row[0]) for row in rows]


def _labelled_rows(connection: Connection, release: str, day: int) -> int:
    query = "SELECT SUM(rows) FROM labelled WHERE release = ? AND day = ?"
    return int(connection.execute(query, (release, day)).fetchone()[0])


def _judged(connection: Connection, release: str, day: int) -> dict[str, Any]:
    """Close a day: its rows go, the state moves on, and what the event says of it comes back."""
    known = _read(connection, release)
    assert known is not None, release  # rows are kept for known releases only
    baseline, state = known
    labels, predictions = _rows_of(connection, release, day)
    after, judgement = advance(baseline, state, day, log_residuals(labels, predictions))
    connection.execute("UPDATE concept SET state = ? WHERE release = ?", (after.to_json(), release))
    connection.execute("DELETE FROM labelled WHERE release = ? AND day = ?", (release, day))
    errors = _errors(labels, predictions)
    return _event_data(judgement, release, errors, rolling_errors(connection, release, errors))


def _rows_of(connection: Connection, release: str, day: int) -> tuple[Array, Array]:
    rows = connection.execute(
        "SELECT labels, predictions FROM labelled WHERE release = ? AND day = ? ORDER BY number",
        (release, day),
    ).fetchall()
    labels, predictions = (np.frombuffer(b"".join(parts), np.float64) for parts in zip(*rows))
    return labels, predictions


def _errors(labels: Array, predictions: Array) -> Errors:
    """Over the rows whose label and prediction are finite."""
    sums = error_sums(labels, predictions)
    return Errors(sums.rows, sums.squared, sums.absolute, sums.labels)


def rolling_errors(connection: Connection, release: str, newest: Errors) -> Errors:
    """The sums over the last closed days of a release, the newest one included; a day with a sum that was not finite is left out."""
    days = [orjson.loads(verdict)["errors"] for verdict in verdicts(connection, VERDICT, release)]
    before = [day for day in days if None not in day.values()]
    last = [*before[-(ROLLING_DAYS - 1) :], asdict(newest)]
    return Errors(**{name: sum(day[name] for day in last) for name in asdict(newest)})


def _event_data(judgement: ConceptJudgement, release: str, errors: Errors, rolling: Errors) -> dict[str, Any]:
    return {
        "is_drift": int(judgement.is_drift),
        "distance": judgement.score,
        "p_val": None,
        "threshold": judgement.threshold,
        "score": judgement.score,
        "day": day_text(judgement.day),
        "rows": errors.rows,
        "day_mean": judgement.day_mean,
        "shift": judgement.shift,
        "since": day_text(judgement.since),
        "rmse": errors.rmse,
        "wape": errors.wape,
        "rolling": _as_shown(rolling),
        "errors": asdict(errors),
        "release": release,
        "reasons": list(judgement.reasons),
    }


def _as_shown(rolling: Errors) -> Mapping[str, float]:
    return {"rows": rolling.rows, "rmse": rolling.rmse, "wape": rolling.wape}
