"""One process at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pedalflow.errors import RunFailed
from pedalflow.lock import exclusive

HOLD = "import sys, time; from pathlib import Path; from pedalflow.lock import exclusive\n"
HOLD += "with exclusive(Path(sys.argv[1]), 'busy'):\n    print('held', flush=True); time.sleep(60)"


def test_a_second_holder_is_refused_with_the_given_sentence(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with (
        exclusive(lock, "first"),
        pytest.raises(RunFailed, match="at work"),
        exclusive(lock, "somebody is at work"),
    ):
        raise AssertionError("the lock was given twice")


def test_the_lock_is_free_again_after_the_block(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "made" / "lock", "busy"):
            pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(RunFailed), exclusive(lock, "busy"):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with exclusive(lock, "busy", timeout_s=5.0):
        assert lock.exists()


def test_waiting_ends_after_the_given_time(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock", "first"),
        pytest.raises(RunFailed),
        exclusive(tmp_path / "lock", "second", timeout_s=0.1),
    ):
        raise AssertionError("the lock was given twice")
