"""Metrics: what is counted, and that Prometheus' own rules for names hold."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from triggers.errors import StoreFailed
from triggers.events import Kind, Source
from triggers.metrics import METRICS, Metric, Metrics
from triggers.policy import Action, Outcome
from triggers.records import Depth


def everything() -> Metrics:
    """Metrics that have counted one of each."""
    metrics = Metrics()
    metrics.watch(lambda: Depth(2, 90.0, 1, 70.0, 1, 60.0, 50.0, paused=True), now=lambda: 100.0)
    metrics.accepted(Source.S3, Kind.STORAGE, duplicate=True)
    metrics.took(Source.S3, 0.003)
    metrics.refused("s3", "BEARER")
    metrics.failed("database")
    metrics.decided(Kind.STORAGE, Action.TAKE_IN, Outcome.STARTS)
    metrics.started(61.0)
    metrics.finished("promoted", 120.0)
    metrics.finished("", 1.0)
    metrics.promoted(180.0)
    metrics.failed_attempt("local")
    return metrics


def samples(metrics: Metrics) -> dict[str, float]:
    """Every sample by its name with its labels."""
    families = text_string_to_metric_families(metrics.as_text().decode())
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        ("events_total['s3', 'storage', 'true']", 1),
        ("refused_total['BEARER', 's3']", 1),
        ("failed_total['database']", 1),
        ("decisions_total['starts', 'storage', 'take_in']", 1),
        ("runs_total['promoted']", 1),
        ("runs_total['unknown']", 1),
        ("launch_failures_total['local']", 1),
        ("run_seconds_sum[]", 121),
        ("event_to_run_seconds_sum[]", 61),
        ("event_to_promotion_seconds_sum[]", 180),
        ("accept_seconds_count['s3']", 1),
        ("queue_depth['events']", 2),
        ("queue_depth['runs']", 1),
        ("queue_oldest_seconds['events']", 10),
        ("queue_oldest_seconds['runs']", 30),
        ("runs_at_work[]", 1),
        ("run_at_work_seconds[]", 40),
        ("paused[]", 1),
        ("last_promotion_timestamp_seconds[]", 50),
        ("runs_total['rolled back']", 0),
        ("runs_total['failed']", 0),
        ("database_up[]", 1),
    ],
)
def test_what_happened_is_counted(sample: str, value: float) -> None:
    assert samples(everything())[f"pedalflow_triggers_{sample}"] == value


def test_nothing_that_waits_is_of_age_zero() -> None:
    metrics = Metrics()
    metrics.watch(lambda: Depth(0, None, 0, None, 0))
    assert samples(metrics)["pedalflow_triggers_queue_oldest_seconds['events']"] == 0


def test_where_nothing_was_promoted_no_moment_is_made_up() -> None:
    metrics = Metrics()
    metrics.watch(lambda: Depth(0, None, 0, None, 0))
    assert not any("last_promotion" in name for name in samples(metrics))


def test_where_nobody_has_paused_it_it_is_not_paused() -> None:
    metrics = Metrics()
    metrics.watch(lambda: Depth(0, None, 0, None, 0))
    assert samples(metrics)["pedalflow_triggers_paused[]"] == 0


def test_a_database_that_is_down_leaves_the_other_figures() -> None:
    def down() -> Depth:
        raise StoreFailed("no answer")

    metrics = Metrics()
    metrics.watch(down)
    metrics.refused("s3", "BEARER")
    found = samples(metrics)
    assert found["pedalflow_triggers_database_up[]"] == 0
    assert found["pedalflow_triggers_refused_total['BEARER', 's3']"] == 1
    assert not any("queue" in name for name in found)


def test_two_services_in_one_process_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.failed("database")
    assert "pedalflow_triggers_failed_total['database']" not in samples(second)


def test_the_table_is_what_is_published() -> None:
    families = {
        family.name: family for family in text_string_to_metric_families(everything().as_text().decode())
    }
    assert families.keys() == {metric.name.removesuffix("_total") for metric in METRICS}
    for metric in METRICS:
        family = families[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind, metric.doc)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_are_as_prometheus_wants_them(metric: Metric) -> None:
    assert re.fullmatch(r"pedalflow_triggers_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.doc and metric.doc.endswith(".")
    assert not re.search(r"_(count|sum|bucket|milliseconds|minutes|info)$", metric.name)
    assert not set(metric.labels) & {"le", "quantile", "job", "instance"}
    assert list(metric.bounds) == sorted(metric.bounds)
