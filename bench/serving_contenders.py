"""Who is measured by `python -m bench serving`: how each server is started, and what a client sends it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pedalflow.command.options import ROOT
from pedalflow.command.runtimes import QUIET
from pedalflow.errors import RunFailed

EPOCH = date(1970, 1, 1).toordinal()
Rows = Sequence[Mapping[str, Any]]
OURS, MLSERVER, MLSERVER_ONE = "ours", "MLServer", "MLServer, one process"
BENTOML, MLFLOW = "BentoML", "mlflow models serve"
FASTAPI, SELDON = "bare FastAPI", "Seldon's wrapper, plain class"
SELDON_METHOD, V2_METHOD = "/seldon.protos.Seldon/Predict", "/inference.GRPCInferenceService/ModelInfer"
PORTS_EACH = 5


@dataclass(frozen=True)
class Place:
    """Where one server works: its own folder, the release's folder, the features in the schema's order, its first port."""

    folder: Path
    release: Path
    features: tuple[str, ...]
    port: int

    @property
    def grpc_port(self) -> int:
        """Next to the port of REST."""
        return self.port + 1

    @property
    def metrics_port(self) -> int:
        """Next to the port of gRPC."""
        return self.port + 2


@dataclass(frozen=True)
class Contender:
    """One server.

    `arguments` follow the interpreter of the environment `runtime`; `prepare` writes what the server reads, before its time counts;
    `body` is the JSON of one request and `predictions` reads the reply; `grpc` is the method that is called where gRPC is measured
    too, and `grpc_forms` in which forms of the message (`bench.serving_peers.grpc_bodies`).
    """

    name: str
    runtime: str
    arguments: Callable[[Place], list[str]]
    path: str
    body: Callable[[Rows], dict[str, Any]]
    predictions: Callable[[Any], list[float]]
    prepare: Callable[[Place, Path], None] = lambda place, python: None
    grpc: str | None = None
    grpc_forms: tuple[str, ...] = ()


def environment(place: Place, python: Path) -> dict[str, str]:
    """The variables that the peers read, and those which keep libraries quiet and at home."""
    return {
        **os.environ,
        **QUIET,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",  # some start their servers by name
        "PYTHONPATH": str(ROOT),
        "PEDALFLOW_BENCH_ONNX": str(place.release / "model.onnx"),
        "PEDALFLOW_BENCH_FEATURES": ",".join(place.features),
        "BENTOML_HOME": str(place.folder),
        "BENTOML_DO_NOT_TRACK": "True",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def as_days(text: str) -> int:
    """A date as the model takes it: days since 1970-01-01."""
    return date.fromisoformat(text).toordinal() - EPOCH


def matrix(rows: Rows) -> list[list[float]]:
    """Rows of numbers, dates as days: what the peers take, which cannot read dates."""
    return [
        [float(as_days(value)) if isinstance(value, str) else float(value) for value in row.values()]
        for row in rows
    ]


def seldon_named(rows: Rows) -> dict[str, Any]:
    """Seldon's message as our documentation shows it: names, raw values, dates as text."""
    return {"data": {"names": list(rows[0]), "ndarray": [list(row.values()) for row in rows]}}


def _seldon_plain(rows: Rows) -> dict[str, Any]:
    return {"data": {"ndarray": matrix(rows)}}


def _plain_rows(rows: Rows) -> dict[str, Any]:
    return {"rows": matrix(rows)}


def _v2(rows: Rows) -> dict[str, Any]:
    data = [value for row in matrix(rows) for value in row]
    return {
        "inputs": [{"name": "rows", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": data}]
    }


def _dataframe(rows: Rows) -> dict[str, Any]:
    return {"dataframe_split": {"columns": list(rows[0]), "data": matrix(rows)}}


def parameters(values: Mapping[str, str]) -> str:
    """Settings as Seldon's operator hands them to the wrapper."""
    return json.dumps([{"name": name, "value": value, "type": "STRING"} for name, value in values.items()])


def _of_seldon(reply: Any) -> list[float]:
    return [row[0] for row in reply["data"]["ndarray"]]


def _of_v2(reply: Any) -> list[float]:
    return list(reply["outputs"][0]["data"])


def _of_predictions(reply: Any) -> list[float]:
    return list(reply["predictions"])


def _ours(place: Place) -> list[str]:
    settings = {"release": str(place.release), "request_log": str(place.folder / "log")}
    return [
        *("-m", "serving.microservice", "serving.predictor.Predictor", "--host", "127.0.0.1"),
        *_seldon_ports(place),
        *("--parameters", parameters(settings)),
    ]


def _seldon(place: Place) -> list[str]:
    return [
        "-m",
        "seldon_core.microservice",
        "bench.serving_peers.plain_class.PlainClass",
        *_seldon_ports(place),
    ]


def _seldon_ports(place: Place) -> list[str]:
    ports = {"--http-port": place.port, "--grpc-port": place.grpc_port, "--metrics-port": place.metrics_port}
    return [
        *(text for option, port in ports.items() for text in (option, str(port))),
        "--log-level",
        "WARNING",
    ]


def _fastapi(place: Place) -> list[str]:
    app = "bench.serving_peers.fastapi_app:app"
    return ["-m", "uvicorn", app, "--port", str(place.port), "--no-access-log", "--log-level", "warning"]


def _bentoml(place: Place) -> list[str]:
    service = "bench.serving_peers.bento_service:Demand"
    return ["-m", "bentoml", "serve", service, "--host", "127.0.0.1", "--port", str(place.port)]


def _mlserver(place: Place) -> list[str]:
    return ["-c", "from mlserver.cli import main; main()", "start", str(place.folder)]


def _write_mlserver(place: Place, **more: int) -> None:
    server = {"host": "127.0.0.1", "http_port": place.port, "grpc_port": place.grpc_port, "debug": False}
    model = {"name": "demand", "implementation": "bench.serving_peers.mlserver_runtime.Demand"}
    settings = {**server, "metrics_port": place.metrics_port, **more}
    (place.folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (place.folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")


def _mlflow(place: Place) -> list[str]:
    served = ["models", "serve", "-m", str(place.folder / "model"), "-h", "127.0.0.1", "-p", str(place.port)]
    return ["-m", "mlflow", *served, "--env-manager", "local", "-w", "1"]


def _save_mlflow_model(place: Place, python: Path) -> None:
    run_helper(place, python, "bench.serving_peers.mlflow_model", str(place.folder / "model"))


def run_helper(place: Place, python: Path, module: str, *arguments: str) -> None:
    """Run a module to its end in the surroundings of the place's server; raises RunFailed with what it said."""
    command = [str(python), "-m", module, *arguments]
    surroundings = environment(place, python)
    ended = subprocess.run(command, cwd=place.folder, env=surroundings, capture_output=True, text=True)
    if ended.returncode != 0:
        raise RunFailed(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stderr[-2000:]}")


CONTENDERS = (
    Contender(
        OURS,
        "serving",
        _ours,
        "/api/v1.0/predictions",
        seldon_named,
        _of_seldon,
        grpc=SELDON_METHOD,
        grpc_forms=("ndarray", "tensor", "binData"),
    ),
    Contender(
        MLSERVER,
        "peers-mlserver",
        _mlserver,
        "/v2/models/demand/infer",
        _v2,
        _of_v2,
        prepare=lambda place, python: _write_mlserver(place),
        grpc=V2_METHOD,
        grpc_forms=("v2",),
    ),
    Contender(
        MLSERVER_ONE,
        "peers-mlserver",
        _mlserver,
        "/v2/models/demand/infer",
        _v2,
        _of_v2,
        prepare=lambda place, python: _write_mlserver(place, parallel_workers=0),
        grpc=V2_METHOD,
        grpc_forms=("v2",),
    ),
    Contender(BENTOML, "peers", _bentoml, "/predict", _plain_rows, list),
    Contender(
        MLFLOW, "peers", _mlflow, "/invocations", _dataframe, _of_predictions, prepare=_save_mlflow_model
    ),
    Contender(FASTAPI, "peers", _fastapi, "/predict", _plain_rows, _of_predictions),
    Contender(
        SELDON,
        "serving",
        _seldon,
        "/api/v1.0/predictions",
        _seldon_plain,
        _of_seldon,
        grpc=SELDON_METHOD,
        grpc_forms=("ndarray", "tensor"),
    ),
)
