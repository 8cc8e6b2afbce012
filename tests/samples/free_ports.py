"""Ports for servers that a test starts."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

HOST = "127.0.0.1"
OF_A_LOOP = 101  # forty of the servers, and the triggers' a hundred above the first
_STEP = (
    40  # blocks begin so far from each other, and tests that run at the same time look from other places on
)


def free_ports(count: int) -> list[int]:
    """So many ports of the loopback, no two the same, on which nobody listens now."""
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in taken]


def free_block(ports: int) -> int:
    """The first of so many ports in a row on which nobody listens now; below those that the system gives to clients."""
    starts = range(24_000 + os.getpid() % 50 * _STEP, 32_000, _STEP)
    return next(start for start in starts if all(is_free(start + offset) for offset in range(ports)))


def is_free(port: int) -> bool:
    """Whether a server could listen on a port of the loopback now."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError:
            return False
    return True
