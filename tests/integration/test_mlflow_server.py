"""Registration against a real MLflow server over HTTP: any tracking URI does, not only the workspace's SQLite file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper

from components.acceptance import Evaluation
from components.registration import Evidence, register
from components.registry import Champion, Registry, champion, fetch_release, promote
from components.verdict import Verdict
from pedalflow.columns import Column, Kind, Role
from pedalflow.errors import ReleaseBroken
from pedalflow.release import ONNX_MODEL, Release, seal
from pedalflow.run_record import GateResult, Score
from tests.samples.free_ports import free_ports

COLUMN = Column("x", Kind.NUMBER, Role.FEATURE, "-", "A number.")
SCORE = Score(rows=10, rmse=1.0, mae=0.5, wape=0.1, bias=0.0)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("server")
    (port,) = free_ports(1)
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.sqlite",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server, folder / "log")
        yield Registry(f"http://127.0.0.1:{port}", "bike-demand", "not used by a server")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=120)


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"the server did not answer: {log.read_text()}")


def small_release(folder: Path) -> Release:
    folder.mkdir()
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 1]) for name in ("x", "count"))
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["count"])], "model", [x], [y])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        folder / ONNX_MODEL,
    )
    return seal(folder, {"parameters": {"model": {"epochs": 1}}})


def test_a_release_registers_serves_and_comes_back_over_http(registry: Registry, tmp_path: Path) -> None:
    release = small_release(tmp_path / "release")
    verdict = Verdict(10, "2012-01-01", "2012-01-02", Evaluation(SCORE, SCORE, None, ()), (passed_gate(),))
    (tmp_path / "logs").mkdir()
    (tmp_path / "predictions.csv").write_text("hr\n1\n")
    example = pd.DataFrame({"x": np.array([1.0, 2.0], np.float32)})
    evidence = Evidence(tmp_path / "predictions.csv", tmp_path / "logs", example)

    registered = register(registry, release, verdict, evidence, (COLUMN,), {"pedalflow.commit": "abc"})
    assert registered.version == "1"
    assert champion(registry) is None
    with pytest.raises(ReleaseBroken, match="nothing was promoted"):
        promote(registry, registered.version, "r-another")
    promote(registry, registered.version, release.name)
    assert champion(registry) == Champion(release.name, release.checksum)

    fetched = fetch_release(registry, release.name, tmp_path / "elsewhere")
    assert fetched == tmp_path / "elsewhere" / release.name
    with pytest.raises(ReleaseBroken, match="r-nobody is in no version"):
        fetch_release(registry, "r-nobody", tmp_path / "elsewhere")


def passed_gate() -> GateResult:
    return GateResult("enough rows", "overall", 10.0, 1.0, "hours", True, "evaluation hours, at least 1")
