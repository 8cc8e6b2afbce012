"""Rollouts for tests: clients that ask and bring labels without a pause, and the command as a process."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from pedalflow.champion import read_pointer
from pedalflow.release import Release
from pedalflow.workspace import Workspace
from serving.traffic import read_percent
from tests.integration_serving import servers
from tests.integration_serving.served import Serve
from tests.samples.small_release import expected_predictions, sample_columns, sample_rows

CLIENTS = 3
FIRST = 24 * 120
HOURS = 24 * 200
_COMMAND = servers.ROOT / "tests" / "samples" / "rollout_without_registry.py"


class Life:
    """Clients that ask for hour after hour and bring its label at once.

    `answers` counts them by release, `failures` is everything that is none.
    """

    def __init__(self, address: str, name: str) -> None:
        """`name` is the beginning of the ids of its requests."""
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._address = address
        self._name = name
        self._rows = sample_rows(HOURS, FIRST)
        self._labels = _labels()
        self._hours = itertools.count()
        self._over = threading.Event()
        self._clients = [threading.Thread(target=self._live) for _ in range(CLIENTS)]

    def __enter__(self) -> Life:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for client in self._clients:
            client.join()

    def wait_for(self, release: Release, count: int) -> None:
        """Until `count` more answers of a release have come."""
        wanted = self.answers[release.name] + count
        servers.wait_for(lambda: self.answers[release.name] >= wanted)

    def _live(self) -> None:
        with urllib3.PoolManager(retries=False, timeout=30.0) as pool:
            while not self._over.is_set():
                try:
                    self._hour(pool, next(self._hours))
                except (urllib3.exceptions.HTTPError, ValueError, KeyError) as error:
                    self.failures.append(repr(error))

    def _hour(self, pool: urllib3.PoolManager, number: int) -> None:
        request_id, hour = f"{self._name}-{number}", number % HOURS
        answer = pool.request(
            "POST",
            f"{self._address}/api/v1.0/predictions",
            json={"jsonData": self._rows[hour]},
            headers={"Seldon-Puid": request_id},
        )
        self.answers[answer.json()["meta"]["tags"]["release"]] += 1
        truth = {"data": {"ndarray": [[self._labels[hour]]]}}
        label = pool.request(
            "POST",
            f"{self._address}/api/v1.0/feedback",
            json={"response": {"meta": {"puid": request_id}}, "truth": truth},
        )
        if (answer.status, label.status) != (200, 200):
            self.failures.append(f"{answer.status} {label.status}")


def _labels() -> list[float]:
    """What the release of scale 1 predicts, up to a tenth more or less."""
    columns = {name: values[FIRST : FIRST + HOURS] for name, values in sample_columns().items()}
    expected = expected_predictions(columns).tolist()
    return [float(round(value * (0.9 + 0.02 * (hour * 7 % 11)))) for hour, value in enumerate(expected)]


def keep_release(workspace: Workspace, release: Release) -> None:
    """Put a release among those of the workspace."""
    shutil.copytree(release.folder, workspace.releases / release.name)


def command(workspace: Workspace, release: str, *options: str, moment: str = "-") -> list[str]:
    """The command line of a rollout that knows no registry."""
    return [
        *(sys.executable, str(_COMMAND), moment),
        *("--workspace", str(workspace.root), "--json", release, *options),
    ]


def rollout(
    workspace: Workspace, release: str, *options: str, moment: str = "-"
) -> subprocess.CompletedProcess[str]:
    """Run one to its end."""
    return subprocess.run(
        command(workspace, release, *options, moment=moment),
        cwd=servers.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def started(workspace: Workspace, release: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """One that is at work while the block runs."""
    place = workspace.root / "rollout"
    with servers.process(command(workspace, release, *options), place) as (process, _):
        yield process


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What it printed; fails with what it said where it failed."""
    assert done.returncode == 0, done.stderr
    record: dict[str, Any] = json.loads(done.stdout)
    return record


def newest_record(workspace: Workspace) -> tuple[Path, dict[str, Any]]:
    """The record that was kept last."""
    path = max((workspace.state / "rollouts").iterdir(), key=lambda kept: kept.stat().st_mtime_ns)
    return path, json.loads(path.read_text(encoding="utf-8"))


def champion(serve: Serve) -> str:
    """Whom the workspace's pointer names."""
    return read_pointer(serve.workspace.champion).release


def share(state: Path) -> float:
    """The canary's share as the file says."""
    return read_percent((state / "traffic.json").read_text(encoding="utf-8"))


def is_settled(state: Path, release: Release) -> bool:
    """Whether nothing of a rollout is left, and the release is where the canary stands ready."""
    return share(state) == 0 and read_pointer(state / "canary.json").release == release.name
