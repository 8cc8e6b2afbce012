"""The metrics of the serving classes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from serving import metrics_folder, telemetry
from serving.metrics_folder import FOLDER, share_metrics_folder
from serving.telemetry import METRICS, OUTLIERS, REQUESTS, ROWS, Telemetry, all_processes, outlier_kind

COUNT_IN_A_CHILD = """
import os, signal, sys
from serving.telemetry import RELEASE, ROWS, Telemetry
telemetry = Telemetry()
telemetry[ROWS].inc(3)
telemetry.at(RELEASE, "r-1").set(1)
print("counted", flush=True)
sys.stdin.read()
"""


def test_every_metric_is_named_and_explained_once() -> None:
    names = [metric.name for metric in METRICS]

    assert len(set(names)) == len(names)
    assert all(name.startswith("pedalflow_") for name in names)
    assert all(metric.help.endswith(".") for metric in METRICS)
    assert {metric.kind for metric in METRICS} <= {"counter", "gauge", "histogram"}
    assert all(metric.name.endswith("_total") for metric in METRICS if metric.kind == "counter")


def test_all_metrics_of_the_table_are_counted_under_their_names() -> None:
    counted = Telemetry()
    counted[ROWS].inc(2)
    counted.at(REQUESTS, "rest", "200").inc()
    text = generate_latest(counted.registry).decode()

    assert "pedalflow_rows_total 2.0" in text
    assert 'pedalflow_requests_total{code="200",interface="rest"} 1.0' in text
    assert counted.at(REQUESTS, "rest", "200") is counted.at(REQUESTS, "rest", "200")


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("range: hum is 2, outside 0 to 1", "range"), ("my own words", "other"), ("", "other")],
)
def test_a_label_takes_few_values_whatever_a_reason_says(reason: str, kind: str) -> None:
    assert outlier_kind(reason) == kind
    assert OUTLIERS.labels == ("reason",)


def test_without_a_shared_folder_there_is_nothing_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)

    assert all_processes() == b""


def test_a_folder_that_is_named_already_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    share_metrics_folder()

    assert os.environ[FOLDER] == str(tmp_path)


def test_what_killed_servers_left_is_removed_whoever_is_faster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    left, own = tmp_path / f"pedalflow-metrics-{ended.pid}-a", tmp_path / f"pedalflow-metrics-{os.getpid()}-b"
    for folder in (left, own):
        folder.mkdir()
    swept = tmp_path / f"pedalflow-metrics-{ended.pid}-c"  # another server removed it after it was listed
    monkeypatch.setattr(Path, "glob", lambda place, pattern: iter([swept, left, own]))
    metrics_folder._sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [own.name]


def test_a_killed_process_stays_counted_but_serves_no_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    root = Path(telemetry.__file__).parent.parent
    with subprocess.Popen(
        [sys.executable, "-c", COUNT_IN_A_CHILD], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"counted\n"
        alive = all_processes().decode()
        child.kill()
    dead = all_processes().decode()

    assert 'pedalflow_release_info{release="r-1"} 1.0' in alive
    assert "pedalflow_release_info{" not in dead
    assert "pedalflow_rows_total 3.0" in dead
