"""How much each release errs, from the labels that came back: for ever by day of the data, and for a while by request.

Every release that answered counts, also one that serves only a part of the traffic. A request counts by when it was asked, so that two
releases can be compared over the same time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, timezone
from typing import Any

import numpy as np

from serving.drift_detector import day_text
from serving.error_sums import ErrorSums, error_sums
from serving.errors import ServingError
from serving.state import Connection

MOST_DAYS = 20_000  # days of releases that are kept; the oldest go first
MOST_MEASURED = 8  # releases whose sums are metrics: those that were asked last
MOST_NAME = 64  # characters: a name of ours has 14, and what others send must not fill the disk
_EPOCH = date(1970, 1, 1)
_SUMS = tuple(field.name for field in fields(ErrorSums))
_NAMES = ", ".join(_SUMS)
_PLACES = ", ".join("?" * len(_SUMS))
_TOTALS = ", ".join(f"SUM({name})" for name in _SUMS)
_ADD = ", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMS)


class SinceRefused(ServingError):
    """`since` is neither a day nor a moment."""

    code = 400
    reason = "SINCE"


@dataclass(frozen=True)
class Since:
    """From when on errors count: a day of the data (days since 1970-01-01), or the moment of the request (seconds since 1970)."""

    day: int | None = None
    moment: float | None = None


def read_since(text: str) -> Since:
    """`2012-03-01` is a day of the data, `2026-11-21T08:00:00Z` a moment of requests, nothing is everything.

    Raises:
        SinceRefused: it is none of these.
    """
    if not text:
        return Since()
    try:
        if len(text) == len("2012-03-01"):
            return Since(day=(date.fromisoformat(text) - _EPOCH).days)
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise SinceRefused(
            f"since is {text[:40]!r}, but must be a day of the data such as 2012-03-01, or a moment such as 2026-11-21T08:00:00Z"
        ) from error
    return Since(moment=(moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp())


def keep_errors(
    connection: Connection,
    release: str,
    days: Sequence[int],
    predictions: Sequence[float],
    labels: Sequence[float],
    at: float,
) -> None:
    """Add the rows of one labelled request, which was asked at `at`; a name that can be no release's is left out."""
    if not 0 < len(release) <= MOST_NAME:
        return
    of_day = np.array(days, np.int64)
    predicted, true = np.array(predictions, np.float64), np.array(labels, np.float64)
    for day in np.unique(of_day).tolist():
        rows = of_day == day
        sums = tuple(asdict(error_sums(true[rows], predicted[rows])).values())
        connection.execute(
            f"INSERT INTO errors (release, day, at, {_NAMES}) VALUES (?, ?, ?, {_PLACES}) "
            f"ON CONFLICT (release, day) DO UPDATE SET at = MAX(at, excluded.at), {_ADD}",
            (release, day, at, *sums),
        )
        connection.execute(
            f"INSERT INTO scored (release, day, at, {_NAMES}) VALUES (?, ?, ?, {_PLACES})",
            (release, day, at, *sums),
        )


def errors_since(connection: Connection, since: Since) -> dict[str, dict[str, Any]]:
    """By release: the figures and the sums of all rows, and the first and the last day of the data among them."""
    table, condition, start = _range(since)
    rows = connection.execute(
        f"SELECT release, MIN(day), MAX(day), {_TOTALS} FROM {table} WHERE {condition} GROUP BY release ORDER BY release",
        (start,),
    )
    return {release: _shown(ErrorSums(*sums), first, last) for release, first, last, *sums in rows}


def newest_sums(connection: Connection) -> dict[str, ErrorSums]:
    """The sums over all labelled rows of the releases that were asked last: they only grow, also over a restart."""
    rows = connection.execute(
        f"SELECT release, {_TOTALS} FROM errors GROUP BY release ORDER BY MAX(at) DESC LIMIT ?",
        (MOST_MEASURED,),
    )
    return {release: ErrorSums(*sums) for release, *sums in rows}


def _range(since: Since) -> tuple[str, str, float]:
    """The table that can tell, and the rows of it that count."""
    if since.moment is not None:
        return "scored", "at >= ?", since.moment
    return "errors", "day >= ?", -math.inf if since.day is None else since.day


def forget_days(connection: Connection) -> None:
    """All but the newest days of releases."""
    connection.execute(
        "DELETE FROM errors WHERE at < (SELECT at FROM errors ORDER BY at DESC LIMIT 1 OFFSET ?)",
        (MOST_DAYS - 1,),
    )


def _shown(sums: ErrorSums, first: int, last: int) -> dict[str, Any]:
    return {
        "rows": sums.rows,
        "rmse": sums.rmse,
        "wape": sums.wape,
        "bias": sums.bias,
        "first": day_text(first),
        "last": day_text(last),
        "sums": asdict(sums),
    }
