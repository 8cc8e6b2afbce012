"""Runs the real `pedalflow serve` for tests: in a workspace of its own, on a free block of ports."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pedalflow.release import Release
from pedalflow.workspace import Workspace
from serving.local import Wish, parts
from serving.supervisor import taken_ports
from tests.integration_serving import servers
from tests.integration_serving.conftest import point_to
from tests.integration_serving.servers import Answer
from tests.samples.process_groups import group_members

_BLOCKS = itertools.cycle(range(22000 + os.getpid() % 10 * 40, 22960, 40))


@dataclass(frozen=True)
class Serve:
    """A running `pedalflow serve`, and what it said when it was ready."""

    process: subprocess.Popen[bytes]
    output: Path
    workspace: Workspace
    port: int
    ready: dict[str, Any]

    def post(self, path: str, body: object, **headers: str) -> Answer:
        """POST JSON to the address for callers."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return servers.request(
            self.port, "POST", path, content, {"Content-Type": "application/json", **names}
        )

    def pid(self, part: str) -> int:
        """The leader of a part's group, as the command printed it."""
        return next(int(entry["pid"]) for entry in self.ready["parts"] if entry["name"] == part)

    def processes(self) -> list[int]:
        """What runs in the groups of all parts."""
        return [pid for entry in self.ready["parts"] for pid in group_members(int(entry["pid"]))]

    def said(self) -> str:
        """Everything that it printed."""
        return self.output.read_text(encoding="utf-8")


def new_workspace(folder: Path, release: Release | None) -> Workspace:
    """A workspace whose champion is `release`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text("use_case: bikeshare\n", encoding="utf-8")
    workspace = Workspace(folder)
    if release is not None:
        point_to(workspace.champion, release)
    return workspace


def free_block() -> int:
    """The first port of a block on which nothing listens."""
    return next(
        port
        for port in _BLOCKS
        if not taken_ports(servers.HOST, parts(Wish(Path(), Path(), port=port, canary=True)))
    )


def command(workspace: Workspace, port: int, *options: str) -> list[str]:
    """The command line of `pedalflow serve`, in this interpreter."""
    return [
        *(sys.executable, "-m", "serving.serve_command", "--workspace", str(workspace.root)),
        *("--json", "--port", str(port), *options),
    ]


def ended(workspace: Workspace, port: int, *options: str) -> subprocess.CompletedProcess[str]:
    """A `pedalflow serve` that is expected to end by itself."""
    return subprocess.run(
        command(workspace, port, *options),
        capture_output=True,
        text=True,
        timeout=60,
        cwd=servers.ROOT,
        check=False,
    )


@contextmanager
def serve(workspace: Workspace, *options: str) -> Iterator[Serve]:
    """Serves until the block ends, and checks that no process is left."""
    port = free_block()
    with servers.process(command(workspace, port, *options), workspace.root / "output") as (process, output):
        servers.wait_for(lambda: process.poll() is not None or _ready_line(output))
        line = _ready_line(output)
        assert line, output.read_text(encoding="utf-8")
        running = Serve(process, output, workspace, port, json.loads(line))
        yield running
    servers.wait_for(lambda: not running.processes())


def _ready_line(output: Path) -> str | None:
    """The line that it prints when everything is healthy, once it is whole."""
    lines = output.read_text(encoding="utf-8").splitlines(keepends=True)
    return next((line for line in lines if line.startswith("{") and line.endswith("\n")), None)
