"""The page on serving names every setting with its default and meaning, every metric, and every rule that refuses a request."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from serving import event_metrics, executor_stand_in, explainer, outlier_detector, telemetry, waiting
from serving.event_service import EventSettings
from serving.executor_stand_in import ExecutorSettings
from serving.explainer import ExplainerSettings
from serving.outlier_detector import OutlierSettings
from serving.predictor import PredictorSettings
from serving.settings import describe_settings

PAGE = (Path(__file__).parents[3] / "docs" / "serving.md").read_text(encoding="utf-8")
SETTINGS = (PredictorSettings, OutlierSettings, ExplainerSettings, ExecutorSettings, EventSettings)
METRICS = {
    metric.name: metric
    for module in (telemetry, outlier_detector, explainer, event_metrics, waiting)
    for metric in module.METRICS
}


def section(title: str) -> str:
    """The part of the page that says whose settings it lists, up to the next heading."""
    return PAGE.partition(f"`{title}` in ")[2].partition("\n#")[0]


@pytest.mark.parametrize("kind", SETTINGS)
def test_every_setting_is_described_where_its_class_is(kind: type) -> None:
    table = section(kind.__name__)
    names = [field.name for field in fields(kind)]
    assert names == [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    for described in describe_settings(kind):
        assert described.doc in table, described


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_is_described_with_its_labels(name: str) -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    assert lines
    for line in lines:
        assert METRICS[name].kind in line
        assert all(f"`{label}`" in line for label in METRICS[name].labels)


def test_the_metrics_of_the_stand_in_are_described() -> None:
    assert all(f"| `{metric.name}` |" in PAGE for metric in executor_stand_in.METRICS)
