"""The metrics of the serving classes: one table, kept by prometheus-client.

`serving.microservice` gives all processes of a server a folder (`PROMETHEUS_MULTIPROC_DIR`) and adds what they wrote there to Seldon's own
metrics. Without that folder the numbers stay in the process that counted them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from serving.metrics_folder import FOLDER

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(frozen=True)
class Metric:
    """One metric: `kind` is counter, gauge (of the processes that live) or histogram (of seconds)."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


REQUESTS = Metric(
    "pedalflow_requests_total",
    "counter",
    ("interface", "code"),
    "Requests, by interface (rest, v2, grpc, feedback) and HTTP code.",
)
SECONDS = Metric(
    "pedalflow_request_seconds",
    "histogram",
    ("interface",),
    "Seconds from a request's arrival in the class to its reply.",
)
ROWS = Metric("pedalflow_rows_total", "counter", (), "Rows that were predicted.")
BAD_REQUESTS = Metric(
    "pedalflow_bad_requests_total",
    "counter",
    ("rule",),
    "Requests that were refused, by the rule they broke.",
)
OUTLIERS = Metric(
    "pedalflow_outliers_total",
    "counter",
    ("reason",),
    "Reasons for which rows were flagged as outliers, by kind.",
)
RELEASE = Metric("pedalflow_release_info", "gauge", ("release",), "Live processes that serve this release.")
RELEASES_REFUSED = Metric(
    "pedalflow_release_refused_total", "counter", (), "Releases that could not be taken up, by process."
)
FEEDBACK = Metric("pedalflow_feedback_total", "counter", (), "Messages of feedback that were taken in.")
LOG_FAILURES = Metric(
    "pedalflow_log_failures_total", "counter", (), "Lines that could not be written to the request log."
)

METRICS = (
    REQUESTS,
    SECONDS,
    ROWS,
    BAD_REQUESTS,
    OUTLIERS,
    RELEASE,
    RELEASES_REFUSED,
    FEEDBACK,
    LOG_FAILURES,
)

OUTLIER_KINDS = frozenset(("missing", "range", "combination", "distance"))

_MAKERS = {
    "counter": lambda metric, registry: Counter(metric.name, metric.help, metric.labels, registry=registry),
    "gauge": lambda metric, registry: Gauge(
        metric.name, metric.help, metric.labels, registry=registry, multiprocess_mode="livesum"
    ),
    "histogram": lambda metric, registry: Histogram(
        metric.name, metric.help, metric.labels, registry=registry, buckets=_SECONDS
    ),
}


class Telemetry:
    """The metrics of a table in this process; make it after the process has forked.

    `telemetry[ROWS]` is the metric itself where it has no labels; `telemetry.at(REQUESTS, "rest", "200")` is the one with these labels,
    and is the same object each time.
    """

    def __init__(self, metrics: tuple[Metric, ...] = METRICS) -> None:
        self.registry = CollectorRegistry()
        self._metrics: Mapping[Metric, Any] = MappingProxyType(
            {metric: _MAKERS[metric.kind](metric, self.registry) for metric in metrics}
        )
        self._children: dict[tuple[str, ...], Any] = {}

    def __getitem__(self, metric: Metric) -> Any:
        return self._metrics[metric]

    def at(self, metric: Metric, *labels: str) -> Any:
        key = (metric.name, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._metrics[metric].labels(*labels)
        return child


def outlier_kind(reason: str) -> str:
    """The kind of an outlier's reason: a label takes few values, whatever another server's reasons say."""
    kind = reason.partition(":")[0]
    return kind if kind in OUTLIER_KINDS else "other"


def all_processes() -> bytes:
    """The metrics of all processes of this server as text; nothing where they share no folder."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return b""
    _forget_the_dead(Path(folder))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)
    return generate_latest(registry)


def _forget_the_dead(folder: Path) -> None:
    """Drop the live gauges of processes that ended, however they ended; what they counted stays counted."""
    for path in folder.glob("gauge_live*.db"):
        pid = int(path.stem.rsplit("_", 1)[1])
        if not Path(f"/proc/{pid}").exists():
            mark_process_dead(pid, str(folder))
