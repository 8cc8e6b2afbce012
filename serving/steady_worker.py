"""Gunicorn's threaded worker with fewer changes of thread: on a small model they cost more than the answers.

Two things differ. A thread stays with its connection for a moment after a reply, where Gunicorn hands the connection back to its main
thread and takes it from there when the next request comes. And threads answer one after the other: Python runs one at a time anyway, but
lets them take turns at every system call, half-way through their requests.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import threading
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

LINGER_S = 0.05
_SEND_WITHIN = struct.pack(
    "ll", 1, 0
)  # seconds, microseconds: whoever does not read his replies loses his connection
_LOOKED_AT = 64 * 1024
_HEAD_ENDS = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)
_OF_NO_STATED_LENGTH = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)


class SteadyWorker(ThreadWorker):
    """Serves a connection in one thread while requests follow each other, and one request at a time."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._turn = threading.Lock()

    def handle(self, conn: Any) -> Any:
        """What Gunicorn's worker does for one request, again while requests follow."""
        again = self._in_turn(conn)
        while again is True and self._may_stay() and _request_comes(conn.sock):
            again = self._in_turn(conn)
        return again

    def _in_turn(self, conn: Any) -> Any:
        """A request that is here as a whole waits for its turn. Another one is read without, so who sends slowly holds nobody up."""
        if not _is_whole(conn.sock):
            return super().handle(conn)
        if not conn.initialized:
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _SEND_WITHIN)
        with self._turn:
            return super().handle(conn)

    def _may_stay(self) -> bool:
        """Only where every connection can have a thread, so that nobody waits for a thread that is waiting itself."""
        return bool(self.alive and self.nr_conns <= self.cfg.threads)


def _request_comes(sock: socket.socket) -> bool:
    waiting = select.poll()
    waiting.register(sock, select.POLLIN)
    return bool(waiting.poll(LINGER_S * 1000))


def _is_whole(sock: socket.socket) -> bool:
    """Whether a request lies in the socket's buffer to its last byte; what has come stays there to be read."""
    try:
        come = sock.recv(_LOOKED_AT, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:  # nothing has come, or the connection is gone: Gunicorn finds out
        return False
    head = come.find(_HEAD_ENDS)
    if head < 0 or _OF_NO_STATED_LENGTH.search(come, 0, head):
        return False
    stated = _LENGTH.search(come, 0, head + 2)
    return len(come) - head - len(_HEAD_ENDS) >= (int(stated.group(1)) if stated else 0)
