"""Another terminal: starts what runs until Ctrl-C, returns once it is ready, and presses Ctrl-C at the end of the page.

python terminal.py FOLDER NAME READY COMMAND…     # READY stands in what the command prints once it is ready
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from tests.samples.process_groups import group_members  # noqa: E402

READY_WITHIN_S = 120.0
OVER_WITHIN_S = 60.0


def start(folder: Path, name: str, ready: str, command: Sequence[str]) -> None:
    """Start a command in a group of its own; what ran in the terminal of this name is stopped first."""
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a terminal's job hears Ctrl-C, whoever runs the tests
    folder.mkdir(exist_ok=True)
    interrupt(folder, name)
    output = folder / f"{name}.txt"
    with output.open("wb") as sink:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
        )
    (folder / f"{name}.pid").write_text(str(process.pid), encoding="utf-8")
    until = time.monotonic() + READY_WITHIN_S
    while ready not in output.read_text(encoding="utf-8", errors="replace"):
        if process.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"{' '.join(command)} was not ready: {output.read_text(encoding='utf-8')}")
        time.sleep(0.05)


def interrupt(folder: Path, name: str) -> None:
    """Ctrl-C, and wait until nothing of it is left; SystemExit where something is, which is killed."""
    file = folder / f"{name}.pid"
    if not file.exists():
        return
    group = int(file.read_text(encoding="utf-8"))
    file.unlink()
    _signal(group, signal.SIGINT)
    until = time.monotonic() + OVER_WITHIN_S
    while group_members(group):
        if time.monotonic() > until:
            kill(group)
            raise SystemExit(f"{name} was still there {OVER_WITHIN_S:g} s after Ctrl-C")
        time.sleep(0.05)


def interrupt_all(folder: Path) -> None:
    """Ctrl-C in every terminal; SystemExit at the end where one of them had to be killed."""
    stubborn = []
    for file in sorted(folder.glob("*.pid")):
        try:
            interrupt(folder, file.stem)
        except SystemExit as error:
            stubborn.append(str(error))
    if stubborn:
        raise SystemExit("; ".join(stubborn))


def kill(group: int) -> None:
    """End whatever is left of a group."""
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


if __name__ == "__main__":
    start(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
