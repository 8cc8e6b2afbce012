"""From drifting requests to a run, through a real Prometheus with our rules and a real Alertmanager with our route."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration_triggers.door import make_workspace, serving, wait_for
from tests.integration_triggers.monitored import PROGRAMS, SERVING, Monitored, monitored
from tests.samples.pedalflow_stand_in import calls
from tests.samples.promql import metrics_of
from tools.monitoring.panels import queries
from tools.monitoring.plain import rules

pytestmark = pytest.mark.skipif(
    not all(Path(program).exists() for program in (*PROGRAMS, SERVING)),
    reason="needs Debian's prometheus and prometheus-alertmanager (apt-get install), and the serving environment "
    "(make setup ENVIRONMENTS=serving)",
)
DAY = 24
SCRAPED_WITHIN_S = 60.0
FIRES = 'count(ALERTS{alertname="PedalflowDataDrifts",alertstate="firing"})'


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    folder = tmp_path_factory.mktemp("monitored")
    with serving(make_workspace(folder / "door")) as door, monitored(folder, door) as everything:
        yield everything


def test_a_stuck_thermometer_starts_exactly_one_run_though_the_alert_repeats(here: Monitored) -> None:
    # given two weeks of requests in which the thermometer is stuck, and detectors that post to nobody
    for first in range(0, len(here.rows), DAY):
        hours = here.rows[first : first + DAY]
        assert here.post("/api/v1.0/predictions", {"jsonData": hours}).status_code == 200
    # when Prometheus sees two windows drift, and Alertmanager has said it several times
    wait_for(lambda: here.value(FIRES) == 1)
    wait_for(lambda: here.delivered() >= 3)
    wait_for(lambda: here.door.runs() and here.door.runs()[0]["outcome"])
    said = here.delivered()
    wait_for(lambda: here.delivered() >= said + 2)
    here.door.quiet()
    # then one run was started, for the alert, and the repeats are known as such
    (run,) = here.door.runs()
    assert [call["step"] for call in calls(here.door.workspace)] == ["train", "rollout"]
    (event,) = [event for event in here.door.get("/api/events")["events"] if event["kind"] == "drift"]
    assert (event["source"], event["run"]) == ("alertmanager", run["id"])
    assert event["facts"]["release"] == here.release
    assert f"no longer look like what {here.release} was trained on" in event["summary"]
    repeats = 'pedalflow_triggers_events_total{source="alertmanager",kind="drift",duplicate="true"}'
    wait_for(lambda: here.value(repeats) >= 2)


def test_every_metric_that_a_rule_or_a_dashboard_asks_for_is_scraped(here: Monitored) -> None:
    # given one of everything, because metrics of several processes are there from their first value on
    row = here.rows[0]
    here.post("/api/v1.0/predictions", {"jsonData": {**row, "hr": 25}})
    here.post("/api/v1.0/predictions", {"jsonData": {**row, "season": 3}})
    here.post("/api/v1.0/explanations", {"jsonData": row})
    # when they are scraped, then none of those that are asked for is missing
    asked = {rule["expr"] for rule in rules()} | {query.expression for query in queries()}
    names = {name for expression in asked for name in metrics_of(expression)}
    ours = {name for name in names if name.startswith(("pedalflow_", "seldon_"))}
    until = time.monotonic() + SCRAPED_WITHIN_S
    while (missing := ours - here.families()) and time.monotonic() < until:
        time.sleep(0.2)
    assert missing == set()


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing: apt-get install prometheus"
)
@pytest.mark.parametrize("job", ["pedalflow-triggers", "pedalflow-events"])
def test_promtool_finds_nothing_wrong_with_our_metrics(here: Monitored, job: str) -> None:
    targets = here.prometheus.get("/api/v1/targets").json()["data"]["activeTargets"]
    address = next(target["scrapeUrl"] for target in targets if target["labels"]["job"] == job)
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=httpx.get(address, timeout=30).content, capture_output=True
    )
    assert (checked.returncode, checked.stderr.decode()) == (0, "")
