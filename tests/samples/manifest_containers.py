"""Starts containers of the manifests as processes on this machine: the manifest's command, arguments and variables, with its paths and
ports mapped to this machine's, and with what Seldon's operator adds."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.samples.free_ports import free_ports
from tools.manifest_rules.objects import Body, Pod
from tools.manifest_rules.rendering import ROOT
from tools.manifest_rules.seldon import nodes

PYTHON = ROOT / ".venv" / "serving" / "bin" / "python"
_START_S = 180.0
_GRACE_S = 30.0  # less than terminationGracePeriodSeconds and preStop leave


@dataclass(frozen=True)
class Started:
    """A container at work: where each of its ports is found on this machine."""

    ports: Mapping[str, int]

    def get(self, port: str, path: str) -> tuple[int, str]:
        """Status and body of a GET."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=30) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def listens(self, port: str, within_s: float = 20.0) -> bool:
        """Whether something takes connections at a port, soon."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.ports[port])) == 0:
                    return True
            time.sleep(0.2)
        return False


@contextlib.contextmanager
def started(pod: Pod, container: Body, places: Mapping[str, Path], log: Path) -> Iterator[Started]:
    """The container, once its startup probe is answered. `places` maps its paths to this machine's.

    Raises:
        AssertionError: it ends, or is not up in time (its log is in the message), or something of it outlives SIGTERM.
    """
    names = [port["name"] for port in container["ports"]]
    ports = dict(zip(names, free_ports(len(names))))
    numbers = {port["containerPort"]: ports[port["name"]] for port in container["ports"]}
    command = [_mapped(text, places, numbers) for text in (*container["command"], *container.get("args", []))]
    command += ["--host", "127.0.0.1"] if "serving.microservice" in command else []
    command = [text.replace("--host=0.0.0.0", "--host=127.0.0.1") for text in command]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={
                key: _mapped(value, places, {}) for key, value in _environment(pod, container, ports).items()
            },
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            running = Started(ports)
            _wait(process, running, container["startupProbe"]["httpGet"], log)
            yield running
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends it as Kubernetes does, with SIGTERM to the first process alone. Raises AssertionError where anything outlives that."""
    process.terminate()
    until = time.monotonic() + _GRACE_S
    while time.monotonic() < until:
        process.poll()
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    raise AssertionError(f"not all processes ended within {_GRACE_S} s of SIGTERM")


def _wait(process: subprocess.Popen[bytes], running: Started, probe: Body, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        with contextlib.suppress(OSError):
            if running.get(probe["port"], probe["path"])[0] == 200:
                return
        time.sleep(0.2)
    raise AssertionError(log.read_text(encoding="utf-8"))


def _mapped(text: str, places: Mapping[str, Path], ports: Mapping[int, int]) -> str:
    for path, place in places.items():
        text = text.replace(path, str(place))
    for number, here in ports.items():
        text = text.replace(f"--port={number}", f"--port={here}")
    return text


def _environment(pod: Pod, container: Body, ports: Mapping[str, int]) -> dict[str, str]:
    own = {variable["name"]: variable.get("value", "") for variable in container.get("env") or []}
    added = _added_by_operator(pod, container, ports) if pod.owner.kind == "SeldonDeployment" else {}
    moved = {
        name: str(ports[port])
        for name, port in (
            ("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", "http"),
            ("PREDICTIVE_UNIT_METRICS_SERVICE_PORT", "metrics"),
        )
        if name in own
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **added, **own, **moved}


def _added_by_operator(pod: Pod, container: Body, ports: Mapping[str, int]) -> dict[str, str]:
    """What Seldon's operator 1.17 tells a container of a graph."""
    predictor = next(p for p in pod.owner.spec["predictors"] if p["name"] == pod.labels["version"])
    node = next(node for node in nodes(predictor["graph"]) if node["name"] == container["name"])
    return {
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": str(ports["http"]),
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": str(ports["grpc"]),
        "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": str(ports["metrics"]),
        "PREDICTIVE_UNIT_METRICS_ENDPOINT": "/prometheus",
        "PREDICTIVE_UNIT_PARAMETERS": json.dumps(node.get("parameters") or []),
        "PREDICTIVE_UNIT_ID": container["name"],
        "PREDICTOR_ID": predictor["name"],
        "PREDICTOR_LABELS": json.dumps({"version": predictor["name"]}),
        "SELDON_DEPLOYMENT_ID": pod.owner.name,
        "SELDON_EXECUTOR_ENABLED": "true",
    }
