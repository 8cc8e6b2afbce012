"""Ends process groups when the process that watches over them is gone, however it went: also after `kill -9`.

The watching process holds the other end of standard input and writes `+N` for each group it starts and `-N` for each that has
ended. When the input ends, the leader of every group that is left gets SIGTERM; what is left of its group when it has ended, or after
a while, gets SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

GRACE_S = 5.0
_LOOK_EVERY_S = 0.05
_GONE_WITHIN_S = 5.0  # SIGKILL takes a moment; what the kernel itself holds up is not waited for any longer


def end_groups(groups: Iterable[int], grace_s: float, ended: Callable[[int], bool] | None = None) -> None:
    """SIGTERM to the leaders; SIGKILL to what is left of a group when its leader has ended, and to all of it after `grace_s`.

    Leaders come first because they know how to end what they have started. `ended` says whether a leader has ended; only its
    parent may know that, since a process that its parent has not asked for is still there for the kernel. When this returns,
    nothing of the groups runs any more.
    """
    ended = ended or _is_gone
    ending = set(groups)
    left = set(ending)
    for leader in left:
        signal_to(os.kill, leader, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while left:
        late = time.monotonic() >= deadline
        for leader in [leader for leader in left if late or ended(leader)]:
            signal_to(os.killpg, leader, signal.SIGKILL)
            left.discard(leader)
        if left:
            time.sleep(_LOOK_EVERY_S)
    _wait_until_none_runs(ending)


def _wait_until_none_runs(groups: set[int]) -> None:
    deadline = time.monotonic() + _GONE_WITHIN_S
    while any(group in groups for group in _groups_at_work()) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)


def _groups_at_work() -> list[int]:
    """The group of each process that runs; one that has ended and that its parent has not asked for does not."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
            state, _, group = stat.read().rpartition(")")[2].split()[:3]
            if state != "Z":
                found.append(int(group))
    return found


def signal_to(send: Callable[[int, int], None], target: int, number: int) -> bool:
    """Send a signal with `os.kill` or `os.killpg`; returns whether the target was there."""
    try:
        send(target, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _is_gone(leader: int) -> bool:
    return not signal_to(os.kill, leader, 0)


def main() -> None:
    """Follow the input until it ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line)
        if group > 0:
            groups.add(group)
        else:
            groups.discard(-group)
    end_groups(groups, GRACE_S)


if __name__ == "__main__":
    main()
