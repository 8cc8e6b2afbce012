"""A real service of a test: its process, the tokens that it made, and a stand-in for the command `pedalflow` behind its launcher."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.samples.pedalflow_stand_in import COMMAND

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "PEDALFLOW_TRIGGERS_"
READY_WITHIN_S = 60.0
TRAINED = {"run_id": "span-02-abc", "outcome": "challenger", "release_id": "r-000000000002", "until_span": 2}
PROMOTED = {
    "outcome": "promoted",
    "reason": "the canary was better",
    "canary": {"rmse": 50.0},
    "champion": {"rmse": 70.0},
}
ANSWERS: dict[str, Any] = {"train": [{"json": TRAINED}], "rollout": [{"json": PROMOTED}]}


def make_workspace(folder: Path, answers: Mapping[str, Any] = ANSWERS) -> Path:
    """A workspace whose runs come to what `answers` say."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text("use_case: bikeshare\n", encoding="utf-8")
    (folder / "answers.json").write_text(json.dumps(answers), encoding="utf-8")
    return folder


def command(
    workspace: Path, *arguments: str, module: str = "triggers.triggers_command", **variables: str
) -> subprocess.CompletedProcess[str]:
    """`pedalflow triggers …`, or another command of this room, to its end; `variables` are the service's own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return subprocess.run(
        [sys.executable, "-m", module, "--workspace", str(workspace), *arguments],
        cwd=ROOT,
        env={**own, **{f"{PREFIX}{name}": value for name, value in variables.items()}},
        capture_output=True,
        text=True,
        timeout=90,
    )


@dataclass
class Door:
    """A service that runs: where it is, its process, and a client that comes from this machine."""

    workspace: Path
    ready: Mapping[str, Any]
    process: subprocess.Popen[str]
    client: httpx.Client
    log: Path
    names: Iterator[int] = field(default_factory=lambda: iter(range(10**9)))

    @property
    def address(self) -> str:
        return str(self.ready["address"])

    def token(self, source: str) -> str:
        return Path(self.ready["sources"][source]["token_file"]).read_text().strip()

    def headers(self, source: str, body: bytes) -> dict[str, str]:
        """What proves that `body` is from `source`."""
        if source != "github":
            return {"Authorization": f"Bearer {self.token(source)}"}
        return {"X-Hub-Signature-256": signature(self.token("github"), body)}

    def post(self, source: str, content: Any, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Deliver something as its source would."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        given = {"Content-Type": "application/json", **self.headers(source, body), **(headers or {})}
        return self.client.post(f"/events/{source}", content=body, headers=given)

    def cloud_event(self, type: str, data: Any, **attributes: str) -> str:
        """Deliver a CloudEvent in binary mode; returns the id of what was kept."""
        names = {
            "specversion": "1.0",
            "id": f"n{next(self.names)}",
            "source": "test",
            "type": type,
            **attributes,
        }
        answer = self.post("cloudevents", data, {f"Ce-{name}": value for name, value in names.items()})
        return answer.raise_for_status().headers["Pedalflow-Events"].partition(";")[0]

    def wish(self, reason: str = "a test") -> str:
        """A person asks; returns the id of the event."""
        answer = self.post("person", {"reason": reason, "who": "ada", "id": f"w{next(self.names)}"})
        return str(answer.raise_for_status().json()["events"][0]["id"])

    def get(self, path: str) -> Any:
        return self.client.get(path).raise_for_status().json()

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/api/runs")["runs"]
        return found

    def decided(self, event: str) -> dict[str, Any]:
        found: dict[str, Any] = wait_for(
            lambda: (seen := self.get(f"/api/events/{event}"))["outcome"] and seen
        )
        return found

    def quiet(self) -> None:
        """Wait until everything is decided, and nothing is at work or waits."""
        wait_for(lambda: _nothing_to_do(self.get("/api/status")))


def _nothing_to_do(status: Mapping[str, Any]) -> bool:
    return not (status["undecided_events"] or status["at_work"] or status["waiting"])


def signature(secret: str, body: bytes) -> str:
    """What GitHub writes into X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def wait_for(ask: Callable[[], Any], within_s: float = 120.0) -> Any:
    """The first answer that says something; the test fails where none does."""
    until = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
    return answer


@contextmanager
def serving(workspace: Path, *arguments: str, **settings: str) -> Iterator[Door]:
    """The service, until the block ends; `settings` are its variables without their prefix. Its process group is gone afterwards."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    launcher = {f"{PREFIX}LAUNCHERS__LOCAL__COMMAND": json.dumps(COMMAND)}
    given = {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}
    command = [
        sys.executable,
        "-m",
        "triggers.triggers_command",
        "--workspace",
        str(workspace),
        "--json",
        "serve",
    ]
    log = workspace / "service.log"
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(
            [*command, "--port", "0", *arguments],
            cwd=ROOT,
            env={**own, **launcher, **given},
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the service did not start:\n{log.read_text()}"
        ready = json.loads(line)
        with httpx.Client(base_url=ready["address"], timeout=30) as client:
            yield Door(workspace, ready, process, client, log)
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> int:
    """Stop a service as a service manager does; returns its exit code."""
    if process.poll() is None:
        process.terminate()
    try:
        code = process.wait(timeout=90)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.stdout is not None:
            process.stdout.close()
    return code
