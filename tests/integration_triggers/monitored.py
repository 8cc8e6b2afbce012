"""Everything that takes part between a request and the run that its drift asks for, as real processes: the servers, Prometheus with the
manifests' rules and Alertmanager with the manifests' route. Only addresses are others, and time runs faster, by `faster` of
`tools.monitoring.plain`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.integration_triggers.door import Door, wait_for
from tests.samples.free_ports import free_block
from tools.monitoring import local, plain

ROOT = Path(__file__).resolve().parents[2]
SERVING = ROOT / ".venv" / "serving" / "bin" / "python"
PROGRAMS = ("/usr/bin/prometheus", "/usr/bin/prometheus-alertmanager")
HOST = "127.0.0.1"
BLOCK = 40
# Five minutes of the rules pass in a second. Alertmanager repeats after seconds instead of hours.
RULES_FASTER, REPEATS_FASTER = 300.0, 14_400.0
ENDS_WITHIN_S = 60.0
SCRAPED_EVERY = "3s"  # it is how long a scrape may take as well, and one that is missed ends an alert


@dataclass(frozen=True)
class Monitored:
    """Where everything is: the model's address, Prometheus, Alertmanager, the door, and what is sent and by which release."""

    model: str
    prometheus: httpx.Client
    alertmanager: httpx.Client
    door: Door
    release: str
    rows: Sequence[Mapping[str, Any]]

    def post(self, path: str, content: Any) -> httpx.Response:
        """A request to the executor."""
        return httpx.post(f"{self.model}{path}", json=content, timeout=30)

    def value(self, question: str) -> float:
        """What Prometheus says to a question with one answer; 0 where there is none."""
        found = self.prometheus.get("/api/v1/query", params={"query": question}).raise_for_status().json()
        return float(found["data"]["result"][0]["value"][1]) if found["data"]["result"] else 0.0

    def families(self) -> set[str]:
        """The metrics that Prometheus was told of, with or without values."""
        found = self.prometheus.get("/api/v1/metadata").raise_for_status().json()
        return set(found["data"])

    def delivered(self) -> float:
        """How often Alertmanager has posted to the door with success."""
        text = self.alertmanager.get("/metrics").raise_for_status().text
        return _counted(text, "alertmanager_notifications_total") - _counted(
            text, "alertmanager_notifications_failed_total"
        )


def _counted(text: str, name: str) -> float:
    lines = (line for line in text.splitlines() if line.startswith(f'{name}{{integration="webhook"'))
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def drifting(folder: Path) -> dict[str, Any]:
    """A release and the hours that drift from it, made in the serving runtime."""
    made = subprocess.run(
        [str(SERVING), "tests/samples/stuck_thermometer.py", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(made.stdout)
    return found


@contextmanager
def monitored(folder: Path, door: Door) -> Iterator[Monitored]:
    """Everything, until the block ends; then every process group is gone."""
    made = drifting(folder / "releases")
    first_port = free_block(BLOCK + 2)
    ports = (first_port + BLOCK, first_port + BLOCK + 1)
    with ExitStack() as stack:
        stack.enter_context(_serve(folder, first_port, made["release"]))
        alertmanager = stack.enter_context(_alertmanager(folder, door, ports[0]))
        prometheus = stack.enter_context(_prometheus(folder, door, first_port, ports))
        yield Monitored(
            f"http://{HOST}:{first_port}", prometheus, alertmanager, door, made["name"], made["rows"]
        )


@contextmanager
def _serve(folder: Path, first_port: int, release: str) -> Iterator[None]:
    options = [
        "--workspace",
        str(door_workspace(folder)),
        "--json",
        "--port",
        str(first_port),
        "--release",
        release,
    ]
    command = [str(SERVING), "-m", "serving.serve_command", *options]
    with _process(command, folder / "serve.log", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "serve.log").read_text()
        yield


def door_workspace(folder: Path) -> Path:
    """A workspace of its own for the servers."""
    workspace = folder / "served"
    workspace.mkdir(exist_ok=True)
    (workspace / "params.yaml").write_text("use_case: bikeshare\n", encoding="utf-8")
    return workspace


@contextmanager
def _alertmanager(folder: Path, door: Door, port: int) -> Iterator[httpx.Client]:
    token = Path(door.ready["sources"]["alertmanager"]["token_file"])
    webhook = f"{door.address}/events/alertmanager"
    config = folder / "alertmanager.yaml"
    spec = plain.plain_alertmanager(plain.alertmanager_config(), webhook, token, REPEATS_FASTER)
    config.write_text(yaml.safe_dump(spec), encoding="utf-8")
    command = [
        PROGRAMS[1],
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={HOST}:{port}",
        "--cluster.listen-address=",
    ]
    with _listening(command, folder / "alertmanager.log", port, "/-/ready") as client:
        yield client


@contextmanager
def _prometheus(folder: Path, door: Door, first_port: int, ports: Sequence[int]) -> Iterator[httpx.Client]:
    data = folder / "prometheus"
    rules = local.write_rules(data / "rules", RULES_FASTER)
    scrapes = local.scrapes(first_port, door.address.removeprefix("http://"))
    spec = plain.plain_prometheus(scrapes, rules, f"{HOST}:{ports[0]}", SCRAPED_EVERY)
    config = data / "prometheus.yaml"
    config.write_text(yaml.safe_dump(spec), encoding="utf-8")
    command = local.command(data, config, ports[1])
    with _listening(command, folder / "prometheus.log", ports[1], "/-/ready") as client:
        yield client


@contextmanager
def _listening(command: Sequence[str], log: Path, port: int, page: str) -> Iterator[httpx.Client]:
    """A process that is ready when a page answers."""
    with (
        _process(command, log) as process,
        httpx.Client(base_url=f"http://{HOST}:{port}", timeout=20) as client,
    ):
        wait_for(lambda: _answers(process, client, page, log))
        yield client


def _answers(process: subprocess.Popen[str], client: httpx.Client, page: str, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return client.get(page).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def _process(command: Sequence[str], log: Path, stdout: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own, which is gone when the block ends."""
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=stdout or said, stderr=said, text=True, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDS_WITHIN_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
