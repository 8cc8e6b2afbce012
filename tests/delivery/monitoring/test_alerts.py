"""Every alert fires when it should and is silent when it should, by promtool; what it says leads to a runbook that exists."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.delivery.monitoring.alert_cases import CASES, Case
from tests.samples.promql import metrics_of
from tools.monitoring.plain import ROOT, RUNBOOKS, alerts, rule_files

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing: apt-get install prometheus"
)
OPERATIONS = ROOT / "docs" / "operations.md"
FIRING = 'ALERTS{{alertname="{}",alertstate="firing"}}'


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The rule files of the manifests as promtool reads them."""
    folder = tmp_path_factory.mktemp("rules")
    for name, spec in rule_files().items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    return sorted(folder.iterdir())


def history(
    series: Mapping[str, str], question: str, at: str, answer: list[dict[str, Any]]
) -> dict[str, Any]:
    """One test of promtool: what was measured, and what is then asked and answered."""
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": question, "eval_time": at, "exp_samples": answer}],
    }


def firing(case: Case) -> dict[str, Any]:
    labels = ",".join(f'{name}="{value}"' for name, value in sorted(case.labels.items()))
    question = f"count by ({', '.join(case.labels)}) ({FIRING.format(case.alert)})"
    return history(case.fires, question, case.at, [{"labels": f"{{{labels}}}", "value": 1}])


def silent(case: Case) -> dict[str, Any]:
    return history(case.silent, FIRING.format(case.alert), case.at, [])


@needs_promtool
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_fires_when_it_should_and_only_then(tmp_path: Path, rules: list[Path], case: Case) -> None:
    tests = {"rule_files": [str(path) for path in rules], "tests": [firing(case), silent(case)]}
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump(tests), encoding="utf-8")
    promtool("test", "rules", file)


def test_every_alert_has_its_histories() -> None:
    assert {case.alert for case in CASES} == set(alerts())


@needs_promtool
def test_prometheus_takes_every_rule_file(rules: list[Path]) -> None:
    promtool("check", "rules", *rules)


@pytest.mark.parametrize("name", sorted(alerts()))
def test_an_alert_says_how_urgent_it_is_and_what_to_do(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in ("page", "ticket")
    summary = rule["annotations"]["summary"]
    assert summary.endswith(".") and len(summary) > 60
    assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}#{name.lower()}"


def runbooks() -> dict[str, str]:
    """The runbooks of docs/operations.md: what stands below each heading that names an alert."""
    parts = re.split(r"^#{2,4} (.+)$", OPERATIONS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {title: text for title, text in zip(parts[1::2], parts[2::2]) if title.startswith("Pedalflow")}


def test_there_is_a_runbook_for_every_alert_and_for_nothing_else() -> None:
    assert set(runbooks()) == set(alerts())


@pytest.mark.parametrize("name", sorted(alerts()))
def test_a_runbook_says_what_it_means_where_to_look_what_to_do_and_how_it_ends(name: str) -> None:
    assert re.findall(r"\*\*(\w+)\*\*", runbooks()[name]) == ["Means", "Look", "Do", "Over"]


def test_the_page_on_monitoring_lists_every_alert_with_severity_reason_and_metrics() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    row = r"^\| \[`(\w+)`\]\(operations\.md#\w+\) \| (\w+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$"
    listed = {name: tuple(rest) for name, *rest in re.findall(row, page, re.MULTILINE)}
    assert listed == {name: told(rule) for name, rule in alerts().items()}


def told(rule: Mapping[str, Any]) -> tuple[str, str, str]:
    """What the page says of an alert. Records stand for the executor's histogram."""
    labels = rule["labels"]
    names = sorted(metrics_of(rule["expr"])) or ["seldon_api_executor_server_requests_seconds"]
    return labels["severity"], labels.get("pedalflow_reason", "–"), ", ".join(f"`{name}`" for name in names)


def test_the_limit_of_the_error_is_the_gates() -> None:
    gates = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["gates"]
    limit = float(alerts()["PedalflowModelErrorHigh"]["expr"].rpartition(">")[2])
    assert limit == gates["maximum_wape"]
