"""The processes of the loop: the triggers service and the servers, started in this order and stopped in the other, none left behind."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from pedalflow.command import runtimes
from pedalflow.errors import ServingFailed
from pedalflow.workspace import Workspace
from pipelines.loop.door import Doors, Source
from pipelines.loop.story import DAY_S, Story

SERVING, TRIGGERS = "serving", "triggers"
READY_WITHIN_S, STOPS_WITHIN_S = 90.0, 60.0
TRIGGERS_PORT = 100  # above the first port of the servers
FOR_EVER_DAYS = (
    36_500  # the story's events are years old by the wall clock, and none of them is stale or to be forgotten
)
LOOK_EVERY_S = 0.1
_LAST_LINES = 5


@dataclass(frozen=True)
class Running:
    """Where the processes are reached: the model, the detectors' figures, the page of the triggers, and its doors."""

    model: str
    events: str
    triggers: str
    doors: Doors


@dataclass(frozen=True)
class Places:
    """Where the processes of one loop keep things and listen."""

    workspace: Workspace
    folder: Path
    bucket: Path
    port: int

    @property
    def traffic(self) -> Path:
        """The servers' file with the canary's share."""
        return self.workspace.serving / "traffic.json"

    def id_of(self, name: str) -> Path:
        """The file with the id of a process while it lives."""
        return self.folder / f"{name}.pid"

    @property
    def logs(self) -> Path:
        """What the processes say."""
        return self.folder / "logs"


@contextmanager
def started(places: Places, story: Story) -> Iterator[Running]:
    """The triggers service and the servers while the block runs. Raises ServingFailed where one does not come up.

    The service is stopped first: a rollout that is at work is then interrupted, and taken up again, instead of losing its servers.
    """
    with ExitStack() as service, ExitStack() as servers:
        said = service.enter_context(_process(places, "triggers", _triggers(places, story)))
        sources = said["sources"]
        s3, github, person, broker = (
            _source(sources[name]) for name in ("s3", "github", "person", "cloudevents")
        )
        doors = Doors(s3=s3, github=github, person=person)
        up = servers.enter_context(_process(places, "serve", _serve(places, broker)))
        servers.callback(service.close)
        parts = {part["name"]: part["address"] for part in up["parts"]}
        yield Running(up["addresses"]["rest"], parts["events"], said["address"], doors)


def _source(said: Mapping[str, Any]) -> Source:
    return Source(str(said["address"]), Path(str(said["token_file"])))


def _triggers(places: Places, story: Story) -> list[str]:
    settings = places.folder / "triggers.yaml"
    settings.write_text(
        yaml.safe_dump(triggers_settings(story, places.bucket), sort_keys=False), encoding="utf-8"
    )
    return [
        *(str(runtimes.python_of(TRIGGERS)), "-m", "triggers.triggers_command"),
        *("--workspace", str(places.workspace.root), "--json", "serve"),
        *("--settings", str(settings), "--port", str(places.port + TRIGGERS_PORT)),
    ]


def triggers_settings(story: Story, bucket: Path) -> dict[str, Any]:
    """The service's settings for a replay: its clock is the data's, and its runs are this machine's."""
    rollout = ["--percent", str(story.rollout_percent), "--patience-s", str(story.rollout_patience_s)]
    return {
        "clock": "data",
        "window_s": FOR_EVER_DAYS * DAY_S,
        "keep_days": FOR_EVER_DAYS,
        "rules": {kind: dict(numbers) for kind, numbers in story.policy.items()},
        "launchers": {
            "local": {
                "buckets": {bucket.name: str(bucket)},
                "rollout_options": rollout,
                "busy_retry_s": 1.0,
            }
        },
    }


def _serve(places: Places, broker: Source) -> list[str]:
    return [
        *(str(runtimes.python_of(SERVING)), "-m", "serving.serve_command"),
        *("--workspace", str(places.workspace.root), "--json", "--port", str(places.port)),
        *("--canary", "--without", "explainer"),  # nobody asks for explanations in the story
        *("--broker", broker.address, "--broker-token-file", str(broker.secret_file)),
    ]


@contextmanager
def _process(places: Places, name: str, command: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """A process in a group of its own, from the line that says that it is ready to its orderly end."""
    process = _start(places, name, command, subprocess.PIPE)
    try:
        yield _ready(process, name, places.logs / f"{name}.log")
    finally:
        _stop(places, name, process)


@contextmanager
def alongside(places: Places, name: str, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does its work beside the block; what it prints lies in `<name>.out`. It is over when the block is."""
    places.logs.mkdir(parents=True, exist_ok=True)
    with (places.logs / f"{name}.out").open("wb") as out:
        process = _start(places, name, command, out)
    try:
        yield process
    finally:
        _stop(places, name, process)


def _start(
    places: Places, name: str, command: Sequence[str], stdout: int | IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a process whose id is on the disk while it lives, so that a loop that is killed can be swept up after."""
    places.logs.mkdir(parents=True, exist_ok=True)
    end_left_over(places, name)
    with (places.logs / f"{name}.log").open("ab") as said:
        process = subprocess.Popen(
            command,
            env=runtimes.surroundings(os.environ, verbose=False),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=said,
            start_new_session=True,
        )
    places.id_of(name).write_text(str(process.pid), encoding="ascii")
    return process


def _stop(places: Places, name: str, process: subprocess.Popen[bytes]) -> None:
    stop(process)
    places.id_of(name).unlink(missing_ok=True)


def end_left_over(places: Places, name: str) -> None:
    """End the process of this name that a loop left which was killed itself; one of others with the same id is let be."""
    try:
        pid = int(places.id_of(name).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return
    if _is_ours(places, pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOPS_WITHIN_S
        while _is_ours(places, pid) and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
    if _is_ours(places, pid):
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    places.id_of(name).unlink(missing_ok=True)


def _is_ours(places: Places, pid: int) -> bool:
    """Whether a process of this id lives and was started for this workspace."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return str(places.workspace.root).encode() in command.split(b"\0")


def _ready(process: subprocess.Popen[bytes], name: str, log: Path) -> Mapping[str, Any]:
    """What the process says of itself in its first line."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if selector.select(READY_WITHIN_S) else b""
    with suppress(ValueError):
        content: Mapping[str, Any] = json.loads(line)
        return content
    last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:])
    raise ServingFailed(f"`pedalflow {name}` did not come up; the end of its log {log}:\n{last}")


def stop(process: subprocess.Popen[bytes], within_s: float = STOPS_WITHIN_S) -> None:
    """Ask the process to stop its own and then itself; where it does not in time, end its group."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        with suppress(subprocess.TimeoutExpired):  # the group is ended below
            process.wait(within_s)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
