"""The metrics of the service: one table, and an object that counts. Labels take few values, whatever is sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from triggers.errors import StoreFailed
from triggers.events import Kind, Source
from triggers.launchers.launcher import WORDS, State
from triggers.policy import Action, Outcome
from triggers.records import Depth

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_LONG = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 86400.0, 3 * 86400.0)


@dataclass(frozen=True)
class Metric:
    """A line of the table: name, `counter`, `gauge` or `histogram`, labels, meaning, and the bounds of a histogram."""

    name: str
    kind: str
    labels: tuple[str, ...]
    doc: str
    bounds: tuple[float, ...] = ()


_NAME = "pedalflow_triggers_"
EVENTS = Metric(
    f"{_NAME}events_total",
    "counter",
    ("source", "kind", "duplicate"),
    "Events that were acknowledged, after they were committed.",
)
REFUSED = Metric(
    f"{_NAME}refused_total", "counter", ("source", "rule"), "Requests that were refused, by rule."
)
FAILED = Metric(
    f"{_NAME}failed_total",
    "counter",
    ("why",),
    "Requests that were answered with 5xx: the database did not take them, or something nobody foresaw.",
)
DECISIONS = Metric(
    f"{_NAME}decisions_total", "counter", ("kind", "action", "outcome"), "Events that were decided."
)
RUNS = Metric(f"{_NAME}runs_total", "counter", ("outcome",), "Runs that are over, by what they came to.")
LAUNCH_FAILURES = Metric(
    f"{_NAME}launch_failures_total",
    "counter",
    ("launcher",),
    "Attempts to start a run, or to look at one, that failed.",
)
ACCEPT_SECONDS = Metric(
    f"{_NAME}accept_seconds",
    "histogram",
    ("source",),
    "Seconds from the whole body to the commit.",
    _QUICK,
)
RUN_SECONDS = Metric(f"{_NAME}run_seconds", "histogram", (), "Seconds that runs took.", _LONG)
EVENT_TO_RUN_SECONDS = Metric(
    f"{_NAME}event_to_run_seconds",
    "histogram",
    (),
    "Seconds from the first event that asked for a run to its start.",
    _LONG,
)
EVENT_TO_PROMOTION_SECONDS = Metric(
    f"{_NAME}event_to_promotion_seconds",
    "histogram",
    (),
    "Seconds from the first event that asked for a run to the promotion of its release.",
    _LONG,
)
QUEUE_DEPTH = Metric(
    f"{_NAME}queue_depth",
    "gauge",
    ("queue",),
    "What waits: events that are not decided, runs that may not start yet.",
)
QUEUE_OLDEST = Metric(
    f"{_NAME}queue_oldest_seconds", "gauge", ("queue",), "Age of the oldest that waits; 0 where nothing does."
)
AT_WORK = Metric(f"{_NAME}runs_at_work", "gauge", (), "Runs that are being launched or are at work.")
AT_WORK_SECONDS = Metric(
    f"{_NAME}run_at_work_seconds", "gauge", (), "Age of the run at work since its start; 0 where none is."
)
PAUSED = Metric(f"{_NAME}paused", "gauge", (), "1 where no run starts, because somebody has paused them.")
LAST_PROMOTION = Metric(
    f"{_NAME}last_promotion_timestamp_seconds",
    "gauge",
    (),
    "When a run last promoted a release, in seconds since 1970; not there before the first promotion.",
)
DATABASE_UP = Metric(f"{_NAME}database_up", "gauge", (), "1 where the database answers.")

METRICS = (
    EVENTS,
    REFUSED,
    FAILED,
    DECISIONS,
    RUNS,
    LAUNCH_FAILURES,
    ACCEPT_SECONDS,
    RUN_SECONDS,
    EVENT_TO_RUN_SECONDS,
    EVENT_TO_PROMOTION_SECONDS,
    QUEUE_DEPTH,
    QUEUE_OLDEST,
    AT_WORK,
    AT_WORK_SECONDS,
    PAUSED,
    LAST_PROMOTION,
    DATABASE_UP,
)
_GAUGES = tuple(metric for metric in METRICS if metric.kind == "gauge")
# Prometheus sees no growth in what was not there before, so what an alert watches for growth begins at 0.
_OUTCOMES = (*WORDS, State.FAILED.value, State.CANCELED.value)


class Metrics:
    """Counts what happens, in a registry of its own; it is what the engine calls its observer."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody asks for
        self.registry = CollectorRegistry()
        self._events = self._counter(EVENTS)
        self._refused = self._counter(REFUSED)
        self._failed = self._counter(FAILED)
        self._decisions = self._counter(DECISIONS)
        self._runs = self._counter(RUNS)
        self._launch_failures = self._counter(LAUNCH_FAILURES)
        self._accept = self._histogram(ACCEPT_SECONDS)
        self._run = self._histogram(RUN_SECONDS)
        self._to_run = self._histogram(EVENT_TO_RUN_SECONDS)
        self._to_promotion = self._histogram(EVENT_TO_PROMOTION_SECONDS)
        for outcome in _OUTCOMES:
            self._runs.labels(outcome)

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name.removesuffix("_total"), metric.doc, metric.labels, registry=self.registry)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(
            metric.name, metric.doc, metric.labels, registry=self.registry, buckets=metric.bounds
        )

    def watch(self, depth: Callable[[], Depth], now: Callable[[], float] = time.time) -> None:
        """Read what waits from `depth` whenever the metrics are asked for."""
        self.registry.register(_Queue(depth, now))

    def as_text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def accepted(self, source: Source, kind: Kind, *, duplicate: bool) -> None:
        self._events.labels(source.value, kind.value, str(duplicate).lower()).inc()

    def took(self, source: Source, seconds: float) -> None:
        self._accept.labels(source.value).observe(seconds)

    def refused(self, source: str, rule: str) -> None:
        self._refused.labels(source, rule).inc()

    def failed(self, why: str) -> None:
        self._failed.labels(why).inc()

    def decided(self, kind: Kind, action: Action, outcome: Outcome) -> None:
        self._decisions.labels(kind.value, action.name.lower(), outcome.name.lower()).inc()

    def started(self, seconds_since_first_event: float) -> None:
        self._to_run.observe(seconds_since_first_event)

    def finished(self, outcome: str, seconds: float) -> None:
        self._runs.labels(outcome or "unknown").inc()
        self._run.observe(seconds)

    def promoted(self, seconds_since_first_event: float) -> None:
        self._to_promotion.observe(seconds_since_first_event)

    def failed_attempt(self, launcher: str) -> None:
        self._launch_failures.labels(launcher).inc()


class _Queue(Collector):
    """What waits in the database, asked for at each scrape."""

    def __init__(self, depth: Callable[[], Depth], now: Callable[[], float]) -> None:
        self._depth = depth
        self._now = now

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Named without asking the database, which may be down when the registry is made."""
        return (_gauge(metric) for metric in _GAUGES)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            found = self._depth()
        except StoreFailed:
            yield _gauge(DATABASE_UP, ((), 0))
            return
        yield _gauge(DATABASE_UP, ((), 1))
        yield _gauge(QUEUE_DEPTH, (("events",), found.undecided), (("runs",), found.waiting))
        yield _gauge(
            QUEUE_OLDEST,
            (("events",), self._age(found.oldest_undecided)),
            (("runs",), self._age(found.oldest_waiting)),
        )
        yield _gauge(AT_WORK, ((), found.at_work))
        yield _gauge(AT_WORK_SECONDS, ((), self._age(found.at_work_since)))
        yield _gauge(PAUSED, ((), found.paused))
        promoted = found.promoted_last
        yield _gauge(LAST_PROMOTION, *([((), promoted)] if promoted is not None else ()))

    def _age(self, since: float | None) -> float:
        return 0.0 if since is None else max(self._now() - since, 0.0)


def _gauge(metric: Metric, *samples: tuple[tuple[str, ...], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(metric.name, metric.doc, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family
