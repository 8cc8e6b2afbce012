"""Dashboards are what their tables say, Alertmanager takes the route, and the tool that makes time pass faster changes nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tools.monitoring.dashboards import FOLDER, text
from tools.monitoring.panels import DASHBOARDS
from tools.monitoring.plain import (
    MANIFESTS,
    ROOT,
    alertmanager_config,
    alerts,
    faster,
    plain_alertmanager,
    rule_files,
    shorter,
    shorter_ranges,
)
from tools.monitoring.shape import Dashboard

needs_amtool = pytest.mark.skipif(
    shutil.which("amtool") is None, reason="amtool is missing: apt-get install prometheus-alertmanager"
)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.name)
def test_a_dashboard_is_what_its_table_says(dashboard: Dashboard) -> None:
    kept = (FOLDER / f"{dashboard.name}.json").read_text(encoding="utf-8")
    assert kept == text(dashboard), "run: python -m tools.monitoring.dashboards"


def test_every_dashboard_is_handed_to_grafana() -> None:
    made = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text(encoding="utf-8"))
    handed = {file for each in made["configMapGenerator"] for file in each["files"]}
    assert handed == {f"dashboards/{path.name}" for path in FOLDER.iterdir()}
    assert {path.stem for path in FOLDER.iterdir()} == {dashboard.name for dashboard in DASHBOARDS}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.name)
def test_panels_have_places_and_numbers_of_their_own(dashboard: Dashboard) -> None:
    panels = json.loads(text(dashboard))["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len({panel["id"] for panel in panels}) == len(dashboard.panels)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.name)
def test_the_page_on_monitoring_shows_every_dashboard(dashboard: Dashboard) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert f"](images/dashboard-{dashboard.name}.svg)" in page


@needs_amtool
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("pedalflow_reason=drift severity=ticket", "triggers"),
        ("pedalflow_reason=concept-drift severity=ticket", "triggers"),
        ("severity=page", "others"),
    ],
)
def test_only_what_gives_a_reason_goes_to_the_triggers_service(
    tmp_path: Path, labels: str, receiver: str
) -> None:
    config = tmp_path / "alertmanager.yaml"
    made = plain_alertmanager(alertmanager_config(), "http://127.0.0.1:9100/x", tmp_path / "token")
    config.write_text(yaml.safe_dump(made), encoding="utf-8")
    asked = ["amtool", "config", "routes", "test", f"--config.file={config}", *labels.split()]
    told = subprocess.run(asked, capture_output=True, text=True)
    assert told.stdout.strip() == receiver, told.stderr
    assert (
        made["route"]["routes"][0]["continue"] is True
    )  # to the cluster's own routes, as the operator has it


def test_alerts_give_reasons_that_the_triggers_service_knows() -> None:
    python = ROOT / ".venv" / "triggers" / "bin" / "python"
    if not python.exists():
        pytest.skip("the environment triggers is missing: make setup ENVIRONMENTS=triggers")
    code = "from triggers.sources.alertmanager import KINDS, REASON; print(REASON, *KINDS)"
    said = subprocess.run([str(python), "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    label, *known = said.stdout.split()
    given = {rule["labels"][label] for rule in alerts().values() if label in rule["labels"]}
    assert given and given <= set(known)


def test_alerts_that_give_a_reason_keep_the_namespace_of_their_target() -> None:
    """The operator routes by it: the AlertmanagerConfig sees alerts of its own namespace only."""
    reasoned = [rule for rule in alerts().values() if "pedalflow_reason" in rule["labels"]]
    assert [rule["alert"] for rule in reasoned if "by (namespace" not in rule["expr"]] == []
    assert alertmanager_config()["metadata"]["namespace"] == "pedalflow-serving"


def test_faster_time_shortens_durations_and_nothing_else() -> None:
    assert shorter("1h30m", 60) == "90000ms"
    assert shorter("5m", 10_000) == "1000ms"
    assert shorter_ranges('rate(x{a="[5m]b"}[1h]) > 5', 60) == 'rate(x{a="[5000ms]b"}[60000ms]) > 5'
    for name, spec in rule_files().items():
        quick = faster(spec, 60)
        for before, after in zip(spec["groups"], quick["groups"]):
            for rule, other in zip(before["rules"], after["rules"]):
                assert {**other, "expr": "", "for": ""} == {**rule, "expr": "", "for": ""} | (
                    {} if "for" in rule else {"for": ""}
                ), name
