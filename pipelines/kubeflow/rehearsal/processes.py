"""How a container's command becomes a process: a new interpreter for each (cold), or a child of one that has imported TFX (warm)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from pedalflow.errors import RunFailed, SettingsError
from pipelines.provenance import REPOSITORY

WORKER = "pipelines.kubeflow.rehearsal.worker"
# OpenBLAS picks its kernels by processor, and their sums differ in the last bits: where the user has chosen one, it counts here too.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "OPENBLAS_CORETYPE")
STOP_S = 10.0


class Runner(Protocol):
    """Runs a command to its end."""

    def run(self, words: Sequence[str], variables: Mapping[str, str], log: Path) -> int:
        """The exit code. All that is printed goes to `log`."""


def base_environment(secrets: Sequence[str]) -> dict[str, str]:
    """What a container would have of its own, and the secrets that the cluster would give: nothing else of the caller's."""
    return {name: os.environ[name] for name in (*INHERITED, *secrets) if name in os.environ}


class Cold:
    """A new interpreter for each task, as in a pod."""

    def __init__(self, base: Mapping[str, str]) -> None:
        self._base = base

    def run(self, words: Sequence[str], variables: Mapping[str, str], log: Path) -> int:
        """Start the command; `python` is this interpreter."""
        environment = {**self._base, **variables}
        with (
            log.open("wb") as stream,
            _started(_on_this_python(words), environment, stdout=stream) as process,
        ):
            return process.wait()


class Warm:
    """One interpreter that has imported TFX and forks a child for each task, which saves the import."""

    def __init__(self, base: Mapping[str, str], process: subprocess.Popen[bytes]) -> None:
        self._base = base
        self._process = process

    def run(self, words: Sequence[str], variables: Mapping[str, str], log: Path) -> int:
        """Let the worker run the module. Raises SettingsError where the command is no module of Python's."""
        if list(words[:2]) != ["python", "-m"]:
            raise SettingsError(f"the command {words[0]!r} is not `python -m`; rehearse with --cold")
        job = {
            "module": words[2],
            "arguments": list(words[3:]),
            "variables": {**self._base, **variables},
            "log": str(log),
        }
        return self._ask(json.dumps(job).encode())

    def _ask(self, job: bytes) -> int:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(job + b"\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise RunFailed("the process that runs the tasks has gone; rehearse again, or with --cold")
        return int(answer)


@contextmanager
def warm(base: Mapping[str, str], variables: Mapping[str, str]) -> Iterator[Warm]:
    """A worker that is ready; it ends with the block, and a task that is at work with it."""
    words = [sys.executable, "-m", WORKER]
    with _started(words, {**base, **variables}, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RunFailed("the process that runs the tasks did not start; --cold shows why")
        yield Warm(base, process)


def _on_this_python(words: Sequence[str]) -> list[str]:
    return [sys.executable if words[0] == "python" else words[0], *words[1:]]


@contextmanager
def _started(
    words: Sequence[str],
    environment: Mapping[str, str],
    stdout: IO[bytes] | int,
    stdin: int = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, in the folder of the code; whatever is left of the group ends with the block."""
    process = subprocess.Popen(
        list(words),
        cwd=REPOSITORY,
        env=dict(environment),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.STDOUT if stdin == subprocess.DEVNULL else None,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.stdin:
            process.stdin.close()
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(0 if process.stdin is None else STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout:
        process.stdout.close()
