"""Runs one command and measures what it and all that it starts cost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pedalflow.command.options import ROOT
from pedalflow.command.runtimes import surroundings
from pedalflow.errors import RunFailed

LAST_LINES = 15


@dataclass(frozen=True)
class Measured:
    """CPU seconds (user and system, descendants included), wall seconds, greatest resident size in MiB, and what was printed."""

    cpu_s: float
    wall_s: float
    peak_mib: float
    output: str


def measure(module: str, arguments: Sequence[str]) -> Measured:
    """Run `python -m module` in the surroundings that the front door gives to every runtime.

    Raises RunFailed, with the end of what it said, where it does not end with 0. The child leads a process group of its own, which
    ends with us.
    """
    command = [sys.executable, "-m", module, *arguments]
    environment = surroundings(os.environ, verbose=False) | {"PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        child = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=errors, start_new_session=True
        )
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            raise
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if child.returncode != 0:
            said = b"".join(errors.readlines()[-LAST_LINES:]).decode(errors="replace")
            raise RunFailed(f"{' '.join(command)} ended with {child.returncode}:\n{said}")
        cpu = usage.ru_utime + usage.ru_stime
        return Measured(cpu, wall, usage.ru_maxrss / 1024, output.read().decode())
