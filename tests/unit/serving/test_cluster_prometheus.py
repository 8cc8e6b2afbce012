"""What a rollout asks Prometheus, evaluated by Prometheus' own promtool, and what it makes of the answers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from serving.cluster.prometheus import (
    Prometheus,
    PrometheusSilent,
    Side,
    count_query,
    error_query,
    latency_query,
)
from tests.samples.json_server import Told, json_server

SIDE = Side("serving", "pedalflow", "r-old", "r-new", 0.0)
CANARY = 'namespace="serving", deployment_name="pedalflow", predictor_name="canary", service="predictions"'
COUNT, BUCKET = (f"seldon_api_executor_server_requests_seconds_{part}" for part in ("count", "bucket"))
SERIES = {
    f'{COUNT}{{{CANARY}, pod="a", code="200"}}': "0+10x20",
    f'{COUNT}{{{CANARY}, pod="a", code="400"}}': "0+1x20",
    f'{COUNT}{{{CANARY}, pod="a", code="503"}}': "_ _ 4 4+0x17",
    f'{COUNT}{{{CANARY}, pod="gone", code="500"}}': "0 3 _x18",
    f'{COUNT}{{{CANARY}, pod="restarted", code="200"}}': "0 50 0 10+0x17",
    f'{COUNT}{{{CANARY}, pod="a", code="OK"}}': "7+0x20",
    f'{COUNT}{{{CANARY}, pod="a", code="Internal"}}': "2+0x20",
    f'{COUNT}{{{CANARY.replace("predictions", "feedback")}, code="500"}}': "9+0x20",
    f'{COUNT}{{{CANARY.replace("canary", "main")}, code="500"}}': "9+0x20",
    f'{COUNT}{{{CANARY.replace("serving", "elsewhere")}, code="500"}}': "9+0x20",
    f'{BUCKET}{{{CANARY}, pod="a", le="0.1"}}': "0+90x20",
    f'{BUCKET}{{{CANARY}, pod="a", le="0.25"}}': "0+100x20",
    f'{BUCKET}{{{CANARY}, pod="a", le="+Inf"}}': "0+100x20",
    'pedalflow_error_sums{namespace="serving", pod="gone", release="r-old", sum="rows"}': "100 110 _x18",
    'pedalflow_error_sums{namespace="serving", pod="a", release="r-old", sum="rows"}': "_ _ 120+10x17",
    'pedalflow_error_sums{namespace="serving", pod="a", release="r-new", sum="rows"}': "_ _ 5+1x17",
    'pedalflow_error_sums{namespace="serving", pod="a", release="r-other", sum="rows"}': "9+0x20",
    'pedalflow_error_sums{namespace="elsewhere", pod="a", release="r-old", sum="rows"}': "9999+0x20",
}
ROWS = '{release="%s", sum="rows"}'
CASES = [
    (count_query(SIDE, "canary", 120), "2m", {"{}": 80 + 8 + 4 + 3 + 50 + 7 + 2}),
    (count_query(SIDE, "canary", 120, only_failed=True), "2m", {"{}": 4 + 3 + 2}),
    (count_query(SIDE, "nobody", 120), "2m", {}),
    (f"round({latency_query(SIDE, 'canary', 120, 0.95)}, 0.001)", "2m", {"{}": 0.175}),
    (error_query(SIDE, "5m"), "2m", {ROWS % "r-new": 11, ROWS % "r-old": 180}),
    (error_query(SIDE, "1h"), "15s", {ROWS % "r-old": 110}),
]


def test_the_queries_mean_what_they_should(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is missing: apt-get install prometheus brings it")
    tests = [
        {
            "expr": query,
            "eval_time": moment,
            "exp_samples": [{"labels": labels, "value": value} for labels, value in expected.items()],
        }
        for query, moment, expected in CASES
    ]
    series = [{"series": name, "values": values} for name, values in SERIES.items()]
    suite = {
        "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": series, "promql_expr_test": tests}],
    }
    path = tmp_path / "suite.yaml"
    path.write_text(json.dumps(suite), encoding="utf-8")
    done = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (Told({"status": "error", "error": "bad"}, 400), "answers 400"),
        (Told("<html>", 200), "answers something else than Prometheus"),
        (Told({"status": "success", "data": {}}), "answers something else than Prometheus"),
        (None, "does not answer"),
    ],
)
def test_an_answer_that_is_none_is_silence(told: Told | None, said: str) -> None:
    with json_server(lambda _: told) as address, pytest.raises(PrometheusSilent, match=said):
        Prometheus(address).check()


def test_sums_that_shrink_are_not_compared() -> None:
    """The event service lost what it remembered."""
    names = ("rows", "squared", "absolute", "labels", "predictions", "absolute_labels", "squared_labels")

    def reply(asked: Any) -> Told:
        value = "5" if asked.query.get("time") == "20.000" else "9"
        samples = [
            {"metric": {"release": "r-old", "sum": name}, "value": [0, value]}
            for name in names
            if "error_sums" in asked.query["query"]
        ]
        return Told({"status": "success", "data": {"result": samples}})

    with json_server(reply) as address, pytest.raises(PrometheusSilent, match="shrank"):
        Prometheus(address).measured(SIDE, 20.0)
