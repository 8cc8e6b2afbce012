"""What rules and dashboards ask for is exported by our code or by a named exporter, and what our code exports is asked for somewhere."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.delivery.monitoring.test_alerts import history, needs_promtool, promtool
from tests.samples.promql import grouped_by, labels_of, metrics_of
from tools.monitoring.panels import queries
from tools.monitoring.plain import ROOT, rules
from tools.monitoring.shape import SERVER

MODULES = {
    "serving": (
        "serving.telemetry",
        "serving.waiting",
        "serving.outlier_detector",
        "serving.explainer",
        "serving.event_metrics",
        "serving.executor_stand_in",
    ),
    "triggers": ("triggers.metrics",),
}
EXTERNAL = {
    "ALERTS": "Prometheus",
    "up": "Prometheus",
    "container_cpu_usage_seconds_total": "cAdvisor",
    "container_memory_working_set_bytes": "cAdvisor",
    "kube_cronjob_created": "kube-state-metrics",
    "kube_cronjob_status_last_successful_time": "kube-state-metrics",
    "kube_pod_container_resource_limits": "kube-state-metrics",
    "kube_pod_container_status_restarts_total": "kube-state-metrics",
    "kubelet_volume_stats_available_bytes": "kubelet",
    "kubelet_volume_stats_capacity_bytes": "kubelet",
}
NOT_ASKED_FOR = {
    "pedalflow_executor_events_total": "only the stand-in for Seldon's executor has it",
    "pedalflow_feedback_total": "the executor counts feedback as well",
    "pedalflow_outliers_total": "the outlier detector has the same by pedalflow_outlier_reasons_total",
    "pedalflow_outlier_requests_total": "rows say more",
    "pedalflow_outlier_events_total": "drift and outliers are seen by their scores",
    "pedalflow_drift_rows_dropped_total": "what a new release is expected to do",
    "pedalflow_event_state_expired_total": "forgetting is seen by pedalflow_event_state_rows",
}
OF_TARGETS = {"namespace", "job", "instance", "service", "container", "pod", "le"}


def exported(runtime: str) -> dict[str, set[str]]:
    """The metrics of a runtime with their labels, said by its own interpreter."""
    python = ROOT / ".venv" / runtime / "bin" / "python"
    if not python.exists():
        pytest.skip(f"the environment {runtime} is missing: make setup ENVIRONMENTS={runtime}")
    command = [str(python), "tests/samples/exported_metrics.py", *MODULES[runtime]]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name: set(labels) for name, labels in json.loads(said.stdout).items()}


@pytest.fixture(scope="module")
def ours() -> dict[str, set[str]]:
    return exported("serving") | exported("triggers")


def scaling() -> dict[str, str]:
    """What KEDA asks, by the name of its trigger."""
    patch = yaml.safe_load((ROOT / "k8s/components/keda/pedalflow-patch.yaml").read_text(encoding="utf-8"))
    triggers = patch[-1]["value"]["triggers"]
    return {trigger["name"]: trigger["metadata"]["query"] for trigger in triggers}


def expressions() -> list[str]:
    """Everything that is asked of Prometheus."""
    asked = [rule["expr"] for rule in rules()] + [query.expression for query in queries()]
    return asked + list(scaling().values())


def asked_for() -> set[str]:
    return {name for expression in expressions() for name in metrics_of(expression)}


def test_every_metric_that_is_asked_for_is_exported(ours: dict[str, set[str]]) -> None:
    assert asked_for() - EXTERNAL.keys() - ours.keys() == set()


def test_every_metric_that_is_exported_is_asked_for_or_says_why_not(ours: dict[str, set[str]]) -> None:
    assert ours.keys() - asked_for() == NOT_ASKED_FOR.keys()


def test_no_exporter_is_named_for_nothing() -> None:
    assert EXTERNAL.keys() <= asked_for()


def test_selectors_ask_for_labels_that_the_metric_has(ours: dict[str, set[str]]) -> None:
    asked = [found for expression in expressions() for found in labels_of(expression)]
    wrong = [
        (metric, label)
        for metric, label, _ in asked
        if metric in ours and label not in ours[metric] | OF_TARGETS
    ]
    assert asked and wrong == []


_WAITING = 'pedalflow_waiting_requests{namespace="%s",pod="%s",container="%s"}'


@needs_promtool
def test_scaling_counts_who_waits_in_every_part_of_the_predictors_pods_and_nowhere_else(
    tmp_path: Path,
) -> None:
    # given two pods of main, and pods of a canary, of the explainer and of another namespace
    waits = {
        _WAITING % ("pedalflow-serving", "pedalflow-main-0-graph-5d4-a", "outliers"): "1x10",
        _WAITING % ("pedalflow-serving", "pedalflow-main-0-graph-5d4-a", "predictor"): "4x10",
        _WAITING % ("pedalflow-serving", "pedalflow-main-0-graph-5d4-b", "predictor"): "0 0 0 6x10",
        _WAITING % ("pedalflow-serving", "pedalflow-canary-0-graph-7c9-a", "predictor"): "50x10",
        _WAITING % ("pedalflow-serving", "explainer-6f8-a", "explainer"): "50x10",
        _WAITING % ("other", "pedalflow-main-0-graph-5d4-a", "predictor"): "50x10",
    }
    asked = scaling()["waiting-requests"]
    # then
    test = history(waits, asked, "8m", [{"labels": "{}", "value": 11}])
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"tests": [test]}), encoding="utf-8")
    promtool("test", "rules", file)


def _written(name: str) -> str:
    """A pattern of the rollout's, as its code has it; the environment that runs these tests cannot import it."""
    code = (ROOT / "serving" / "cluster" / "prometheus.py").read_text(encoding="utf-8")
    [pattern] = re.findall(rf'^{name} = "([^"]+)"', code, re.MULTILINE)
    return str(pattern)


def test_rules_and_dashboards_count_as_a_rollout_counts_but_for_explanations_which_one_machine_has_besides() -> (
    None
):
    asked = {found for expression in expressions() for found in labels_of(expression) if found[0] == SERVER}
    services = {value for _, label, value in asked if label == "service"}
    failed = {value for _, label, value in asked if label == "code" and "Unavailable" in value}
    assert services == {f"{_written('_NO_PREDICTIONS')}|explanations"}
    assert failed == {_written("_FAILED")}


def test_groups_are_made_of_labels_that_one_of_the_metrics_has(ours: dict[str, set[str]]) -> None:
    for expression in expressions():
        names = metrics_of(expression)
        if names & EXTERNAL.keys() or ":" in expression:
            continue
        known = OF_TARGETS.union(*(ours[name] for name in names))
        assert grouped_by(expression) <= known, expression


def test_legends_name_labels_that_the_answer_has() -> None:
    for query in queries():
        named = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
        grouped = grouped_by(query.expression)
        assert named <= grouped or not grouped, query


def test_records_that_are_asked_for_are_recorded() -> None:
    asked = {name for text in expressions() for name in re.findall(r"\bpedalflow:\w+:\w+", text)}
    assert asked <= {rule["record"] for rule in rules() if "record" in rule}


def test_the_page_on_monitoring_names_every_exporter() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert [name for name in EXTERNAL if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        ('sum by (job) (rate(up{job="a"}[5m]))', {"up"}),
        ("a_total > 2 and on (x) b unless on (x) c", {"a_total", "b", "c"}),
        ("histogram_quantile(0.9, sum by (le) (rate(h_bucket[1m])))", {"h"}),
        ("(a * on (job) group_left (release) b) > 0.5", {"a", "b"}),
        ("pedalflow:x:rate5m > 1", set()),
        ("time() - max (m) > 2 * 86400", {"m"}),
    ],
)
def test_reading_promql_finds_the_metrics(expression: str, metrics: set[str]) -> None:
    assert metrics_of(expression) == metrics
