"""Ctrl-C that hits inside a `__del__` is not lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys, time
from pedalflow.quiet import silence
class Library:
    def __del__(self):
        raise KeyboardInterrupt
silence(verbose={verbose})
library = Library()
try:
    del library
    time.sleep(10)
except KeyboardInterrupt:
    print("stopped", end="")
"""


@pytest.mark.parametrize("verbose", [True, False])
def test_ctrl_c_inside_a_finalizer_stops_the_program_all_the_same(verbose: bool) -> None:
    command = [sys.executable, "-c", PROGRAM.format(verbose=verbose)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("stopped", "", 0)
