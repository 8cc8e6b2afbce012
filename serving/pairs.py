"""What was collected, joined: every answered request with its labels once, and the verdict on which rows may retrain a model.

The lines come from the collector (a line for the request, one for the response, one for the feedback) or from a predictor's own log (an
`exchange` line holds request and answer). They are joined by request id in a temporary SQLite file, so that logs may be larger than memory;
the joined rows are held as arrays, because screening compares them with each other.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from detectors.layout import Array, Columns, take
from detectors.screening import screen
from detectors.stored import Detectors
from pedalflow.errors import DataRefused
from serving.scoring.errors import BadRequest
from serving.scoring.request import RequestSchema
from serving.segments import read_segments

Line = Mapping[str, Any]

_TABLE = """
CREATE TABLE parts (
    id TEXT PRIMARY KEY, columns BLOB, release TEXT, predictions BLOB, labels BLOB,
    conflicting INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID
"""
_FIELDS = {  # of each kind of line: what it tells, by column of the table
    "exchange": ("columns", "release", "predictions"),
    "request": ("columns",),
    "response": ("release", "predictions"),
    "feedback": ("labels",),
}


@dataclass(frozen=True, eq=False)
class Pairs:
    """Labelled rows: the features as columns, and beside them label, prediction, release, request id, place in the request, reasons.

    A row with reasons must not retrain a model. `incomplete` counts requests that have labels but whose rows cannot be used, by why;
    `unlabelled` are answered requests that wait for labels, `unmatched` labels that wait for their request.
    """

    columns: Columns
    labels: Array
    predictions: Array
    releases: tuple[str, ...]
    request_ids: tuple[str, ...]
    rows: tuple[int, ...]
    reasons: tuple[tuple[str, ...], ...]
    incomplete: Mapping[str, int]
    unlabelled: int
    unmatched: int

    @property
    def kept(self) -> int:
        """Rows that may retrain."""
        return sum(not reasons for reasons in self.reasons)

    @property
    def kept_out(self) -> dict[str, int]:
        """Rows that may not, by the kind of each reason; a row with two kinds counts for both."""
        kinds = Counter(
            kind for reasons in self.reasons for kind in {reason.partition(":")[0] for reason in reasons}
        )
        return dict(sorted(kinds.items()))


@dataclass(frozen=True)
class _Request:
    """A request of which everything has come."""

    id: str
    columns: Mapping[str, list[Any]]
    release: str
    predictions: list[float]
    labels: list[float]


def read_pairs(folders: Sequence[Path], schema: RequestSchema, detectors: Detectors) -> Pairs:
    """Join and screen everything in `folders` of segments; a folder that does not exist holds nothing.

    Raises:
        DataRefused: a segment holds something else than lines of a log.
    """
    with closing(sqlite3.connect("")) as database:  # SQLite's temporary file, which is gone when it is closed
        database.execute(_TABLE)
        for folder in folders:
            _take_in(database, folder)
        database.commit()
        return _screened(database, schema, detectors)


def _take_in(database: sqlite3.Connection, folder: Path) -> None:
    try:
        for line in read_segments(folder):
            _add(database, line)
    except (ValueError, KeyError, TypeError) as error:
        raise DataRefused(
            f"{folder} holds a line that is none of a request log ({error!r}); move the segment away"
        ) from error


def _add(database: sqlite3.Connection, line: Line) -> None:
    """Add a line to what is known of its request; what came first stays, and what says something else is noted.

    Lines of other kinds are none of ours.
    """
    fields = _FIELDS.get(line["kind"], ())
    if not fields:
        return
    if _conflicts(database, line, fields):
        database.execute("UPDATE parts SET conflicting = 1 WHERE id = ?", (line["id"],))
    values = [line[name] if name == "release" else orjson.dumps(line[name]) for name in fields]
    updates = ", ".join(f"{name} = COALESCE({name}, excluded.{name})" for name in fields)
    database.execute(
        f"INSERT INTO parts (id, {', '.join(fields)}) VALUES (?{', ?' * len(fields)}) "
        f"ON CONFLICT (id) DO UPDATE SET {updates}",
        (line["id"], *values),
    )


def _conflicts(database: sqlite3.Connection, line: Line, fields: Sequence[str]) -> bool:
    """Whether another request or other labels are known by the id of this line."""
    for name in set(fields) & {"columns", "labels"}:
        known = database.execute(f"SELECT {name} FROM parts WHERE id = ?", (line["id"],)).fetchone()
        if known and known[0] is not None and _differ(orjson.loads(known[0]), line[name]):
            return True
    return False


def _differ(known: Any, said: Any) -> bool:
    """Columns are compared where both have them: another log may leave private ones out."""
    if isinstance(known, dict):
        return any(known[name] != said[name] for name in known.keys() & said.keys())
    return bool(known != said)


def _screened(database: sqlite3.Connection, schema: RequestSchema, detectors: Detectors) -> Pairs:
    incomplete: Counter[str] = Counter()
    conflicting = _count(database, "conflicting AND labels NOT NULL")
    if conflicting:
        incomplete["conflicting lines for one request id"] = conflicting
    whole = [request for request in _joined(database) if _fits(request, schema, incomplete)]
    columns = _columns(whole, schema)
    labels = np.array([label for request in whole for label in request.labels], np.float64)
    predictions = np.array([value for request in whole for value in request.predictions], np.float64)
    layout = detectors.layout
    order = np.lexsort((columns[layout.hour], columns[layout.date])) if whole else np.zeros(0, np.int64)
    columns, labels, predictions = take(columns, order), labels[order], predictions[order]
    releases = [request.release for request in whole for _ in request.labels]
    ids = [request.id for request in whole for _ in request.labels]
    rows = [row for request in whole for row in range(len(request.labels))]
    return Pairs(
        columns,
        labels,
        predictions,
        _ordered(releases, order),
        _ordered(ids, order),
        _ordered(rows, order),
        screen(columns, labels, predictions, detectors) if len(labels) else (),
        dict(sorted(incomplete.items())),
        _count(database, "predictions NOT NULL AND labels IS NULL"),
        _count(database, "labels NOT NULL AND (predictions IS NULL OR columns IS NULL)"),
    )


def _joined(database: sqlite3.Connection) -> Iterator[_Request]:
    rows = database.execute(
        "SELECT id, columns, release, predictions, labels FROM parts "
        "WHERE columns NOT NULL AND predictions NOT NULL AND labels NOT NULL AND NOT conflicting ORDER BY id"
    )
    for id_, columns, release, predictions, labels in rows:
        yield _Request(id_, orjson.loads(columns), release, orjson.loads(predictions), orjson.loads(labels))


def _fits(request: _Request, schema: RequestSchema, incomplete: Counter[str]) -> bool:
    """Whether the rows have all fields of the release, and as many predictions and labels; otherwise why not is counted."""
    missing = [name for name in schema.names if name not in request.columns]
    if missing:
        incomplete[f"{', '.join(missing)} was not collected"] += 1
        return False
    counts = {len(values) for values in request.columns.values()}
    if counts != {len(request.labels)} or len(request.predictions) != len(request.labels):
        incomplete["rows, predictions and labels are not equally many"] += 1
        return False
    try:
        _columns([request], schema)
    except BadRequest:
        incomplete["the release does not take such rows"] += 1
        return False
    return True


def _columns(requests: Sequence[_Request], schema: RequestSchema) -> Columns:
    """The rows of all requests, one request after the other."""
    table = {
        name: [value for request in requests for value in request.columns[name]] for name in schema.names
    }
    if not table[schema.names[0]]:
        return {name: np.zeros(0) for name in schema.names}
    return schema.from_table(schema.names, list(zip(*table.values())))


def _ordered(values: Sequence[Any], order: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    return tuple(values[place] for place in order.tolist())


def _count(database: sqlite3.Connection, condition: str) -> int:
    return int(database.execute(f"SELECT COUNT(*) FROM parts WHERE {condition}").fetchone()[0])
