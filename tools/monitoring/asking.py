"""Asks a Prometheus over its HTTP API what a panel asks, over a stretch of time."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from tools.monitoring.shape import Query

_TIMEOUT_S = 60.0


class AskingFailed(Exception):
    """Prometheus does not answer, or does not understand the question."""


@dataclass(frozen=True)
class Stretch:
    """From `start` to `end` (seconds since 1970), a value every `step` seconds; `rate_interval` stands for Grafana's."""

    start: float
    end: float
    step: float
    rate_interval: str


@dataclass(frozen=True)
class Series:
    """A line: its name, and its values by time in seconds since 1970."""

    name: str
    points: tuple[tuple[float, float], ...]


def asked(address: str, query: Query, stretch: Stretch) -> tuple[Series, ...]:
    """The series that answer a query, in the order of their names. Raises AskingFailed."""
    question = {
        "query": query.expression.replace("$__rate_interval", stretch.rate_interval),
        "start": stretch.start,
        "end": stretch.end,
        "step": stretch.step,
    }
    url = f"{address}/api/v1/query_range?{urlencode(question)}"
    try:
        with urlopen(url, timeout=_TIMEOUT_S) as answer:
            found = json.load(answer)["data"]["result"]
    except HTTPError as error:
        raise AskingFailed(f"{question['query']}: {error.read().decode()}") from error
    except URLError as error:
        raise AskingFailed(f"{address} does not answer ({error.reason}); start a Prometheus there") from error
    series = (
        Series(named(query.legend, each["metric"]), _points(each["values"], stretch.step)) for each in found
    )
    return tuple(sorted(series, key=lambda one: one.name))


def named(legend: str, labels: Mapping[str, str]) -> str:
    """What a series is called: the legend with its labels' values."""
    name = re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found.group(1), ""), legend).strip()
    return name or "–"


def _points(values: list[tuple[float, str]], step: float) -> tuple[tuple[float, float], ...]:
    """Where a value is missing the line breaks: a point that is not a number stands there."""
    points: list[tuple[float, float]] = []
    for moment, text in values:
        if points and moment - points[-1][0] > 1.5 * step:
            points.append((moment, math.nan))
        value = float(text)
        points.append((moment, value if math.isfinite(value) else math.nan))
    return tuple(points)
