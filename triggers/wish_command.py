"""What `pedalflow triggers fire`, `pause` and `resume` do: a person's wish goes to the running service, and what becomes of it is told."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pedalflow.errors import DataRefused, GateRefused, PedalflowError, RunFailed, ServingFailed, SettingsError
from pedalflow.progress import Progress
from pedalflow.workspace import Workspace
from triggers.launchers import launcher
from triggers.private_files import running_service
from triggers.records import OVER, Phase

USUALLY_WITHIN_S, DECIDED_WITHIN_S, LOOK_S, TIMEOUT_S = 2.0, 30.0, 0.2, 30.0
RUN_LOOK_S = 1.0
_OVER = frozenset(phase.value for phase in OVER)
# What a run came to that was waited for, where that is no success.
FAILURES: Mapping[str, type[PedalflowError]] = {
    launcher.REFUSED: GateRefused,
    launcher.ROLLED_BACK: GateRefused,
    launcher.DATA_REFUSED: DataRefused,
}


@dataclass(frozen=True)
class Spot:
    """Where the service listens, and the token of people."""

    address: str
    token: str


def fire(arguments: argparse.Namespace) -> int:
    """Ask for a retraining and tell what was decided; with --wait, also what the run came to. Returns the exit code.

    Raises:
        ServingFailed: no service answers.
        SettingsError: the token is missing or not the service's.
        GateRefused, DataRefused, RunFailed: the run that was waited for came to that.
    """
    progress = Progress(sys.stderr)
    with _client(_spot(arguments)) as client:
        event = _decided(client, _send(client, "retrain", arguments.reason), progress)
        run = _ended(client, event["run"], progress) if arguments.wait and event["run"] else None
    _tell(event, run, as_json=arguments.json)
    if run is not None:
        _raise_failure(run)
    return 0


def pause_or_resume(arguments: argparse.Namespace) -> int:
    """Ask, as the action says, that no run starts any more or that runs start again. Returns the exit code.

    Raises:
        ServingFailed: no service answers.
        SettingsError: the token is missing or not the service's.
    """
    with _client(_spot(arguments)) as client:
        event = _decided(client, _send(client, arguments.action, arguments.reason), Progress(sys.stderr))
    _tell(event, None, as_json=arguments.json)
    return 0


def _client(spot: Spot) -> httpx.Client:
    return httpx.Client(
        base_url=spot.address, headers={"Authorization": f"Bearer {spot.token}"}, timeout=TIMEOUT_S
    )


def _spot(arguments: argparse.Namespace) -> Spot:
    if arguments.address and not arguments.token_file:
        raise SettingsError("--address needs --token-file, the file with the token of people")
    known = {} if arguments.address else running_service(Workspace(arguments.workspace))
    address = arguments.address or str(known["address"])
    file = arguments.token_file or known.get("token_files", {}).get("person")
    if not file:
        raise SettingsError(
            "the service says of no file with the token of people; name one with --token-file"
        )
    return Spot(address.rstrip("/"), read_token(Path(file)))


def read_token(file: Path) -> str:
    """The first line of a token file; SettingsError where there is none."""
    try:
        lines = file.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the token file {file} cannot be read ({type(error).__name__})") from error
    if not lines:
        raise SettingsError(f"the token file {file} is empty")
    return lines[0]


def _send(client: httpx.Client, wish: str, reason: str) -> str:
    """The id of the event, once it is committed. Sent again it is the same one."""
    said = {"wish": wish, "reason": reason, "who": getpass.getuser(), "id": str(uuid.uuid4())}
    answer = _asked(lambda: client.post("/events/person", json=said))
    return str(answer["events"][0]["id"])


def _decided(client: httpx.Client, id: str, progress: Progress) -> dict[str, Any]:
    """The event with its decision, or without where that takes longer than people wait."""
    event = _looked_at(client, id, USUALLY_WITHIN_S)
    if event["outcome"]:
        return event
    with progress.step("waiting for the decision"):
        return _looked_at(client, id, DECIDED_WITHIN_S)


def _looked_at(client: httpx.Client, id: str, within_s: float) -> dict[str, Any]:
    """The event as soon as it is decided, and as it is after `within_s`."""
    until = time.monotonic() + within_s
    while True:
        event = _asked(lambda: client.get(f"/api/events/{id}"))
        if event["outcome"] or time.monotonic() > until:
            return event
        time.sleep(LOOK_S)


def _ended(client: httpx.Client, id: str, progress: Progress) -> dict[str, Any]:
    """The run when it is over; what it does meanwhile is shown."""
    while True:
        run = _asked(lambda: client.get(f"/api/runs/{id}"))
        if run["phase"] in _OVER:
            return run
        said = run["note"] or run["phase"]
        with progress.step(f"run {id}: {said}"):
            while run["phase"] not in _OVER and (run["note"] or run["phase"]) == said:
                time.sleep(RUN_LOOK_S)
                run = _asked(lambda: client.get(f"/api/runs/{id}"))


def _asked(ask: Callable[[], httpx.Response]) -> dict[str, Any]:
    """The answer of the service.

    Raises ServingFailed where none comes, SettingsError where it refuses.
    """
    try:
        response = ask()
    except httpx.HTTPError as error:
        raise ServingFailed(
            f"the service does not answer ({type(error).__name__}); look whether it runs"
        ) from error
    except httpx.InvalidURL as error:
        raise SettingsError(f"--address is no URL: {error}") from error
    content = _content(response)
    if response.is_success:
        return content
    message = content.get("error", {}).get("message", "it says no more")
    if response.status_code >= 500:
        raise ServingFailed(f"the service answers {response.status_code}: {message}")
    raise SettingsError(f"the service refuses ({response.status_code}): {message}")


def _content(response: httpx.Response) -> dict[str, Any]:
    try:
        content = response.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ServingFailed(
            f"what answers at {response.url.host} is no retraining service; look at --address"
        )
    return content


def _tell(event: Mapping[str, Any], run: Mapping[str, Any] | None, *, as_json: bool) -> None:
    print(json.dumps({"event": event, "run": run}, indent=2) if as_json else as_text(event, run))


def as_text(event: Mapping[str, Any], run: Mapping[str, Any] | None) -> str:
    """What was decided, and what came of it."""
    decided = f"{event['outcome']}: {event['reason']}" if event["outcome"] else "not decided yet"
    lines = [f"event {event['id']}: {decided}"]
    if event["run"]:
        lines.append(f"run {event['run']}")
    if run is not None:
        came_to = run["outcome"] or run["phase"]
        lines.append(f"run {run['id']} {came_to}{f': {run_note}' if (run_note := run['note']) else ''}")
        lines += [f"release {run['release']}"] if run["release"] else []
    return "\n".join(lines)


def _raise_failure(run: Mapping[str, Any]) -> None:
    failure = FAILURES.get(run["outcome"])
    if failure is None and run["phase"] != Phase.SUCCEEDED.value:
        failure = RunFailed
    if failure is not None:
        raise failure(f"run {run['id']}: {run['note'] or run['outcome'] or run['phase']}")
