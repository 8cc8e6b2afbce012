"""Gunicorn's threaded worker with fewer changes of thread: on a small model they cost more than the answers.

Two things differ. A thread stays with its connection for a moment after a reply, where Gunicorn hands the connection back to its main
thread and takes it from there when the next request comes. And threads answer one after the other: Python runs one at a time anyway, but
lets them take turns at every system call, half-way through their requests. A thread that has to wait for its client gives its turn back
until the client goes on, so nobody waits for somebody else's slow client; and a client that is waited for too long loses its connection.
"""

from __future__ import annotations

import errno
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

LINGER_S = 0.05
PATIENCE_S = 5.0  # for the next piece of a request, or until a client has read a piece of its reply


class SteadyWorker(ThreadWorker):
    """Serves a connection in one thread while requests follow each other, and one request at a time."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._turn = threading.Lock()

    def handle(self, conn: Any) -> Any:
        """What Gunicorn's worker does for one request, again while requests follow."""
        if self.cfg.is_ssl:  # Gunicorn puts its own socket over ours, which cannot give a turn back
            return super().handle(conn)
        if not conn.initialized:
            conn.sock = ClientSocket(conn.sock, self._turn)
            conn.data_ready = (
                True  # Gunicorn would wait for the first byte in its turn; our socket waits without
            )
        again = self._in_turn(conn)
        while again is True and self._may_stay() and conn.sock.wait(select.POLLIN, LINGER_S):
            again = self._in_turn(conn)
        return again

    def _in_turn(self, conn: Any) -> Any:
        with conn.sock.in_turn():
            again = super().handle(conn)
        return again and not conn.sock.given_up

    def _may_stay(self) -> bool:
        """Only where every connection can have a thread, so that nobody waits for a thread that is waiting itself."""
        return bool(self.alive and self.nr_conns <= self.cfg.threads)


class ClientSocket(socket.socket):
    """A client's connection, which gives its thread's turn back wherever it has to wait for the client.

    One thread at a time uses it. A client that keeps it waiting for `PATIENCE_S` is given up: from then on its connection looks to
    Gunicorn like one that the client has closed, so Gunicorn closes it and writes nothing to the log.
    """

    def __init__(self, accepted: socket.socket, turn: threading.Lock) -> None:
        """Take the connection over from `accepted`, which can no longer be used."""
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self.given_up = False
        self._turn = turn
        self._has_turn = False
        self._patience_s = PATIENCE_S

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Hold the turn, save where the client is waited for."""
        with self._turn:
            self._has_turn = True
            try:
                yield
            finally:
                self._has_turn = False

    def recv(self, size: int, flags: int = 0) -> bytes:
        """What has come. Nothing where the client has closed the connection or is given up."""
        while not self.given_up:
            try:
                return super().recv(size, flags | socket.MSG_DONTWAIT)
            except BlockingIOError:
                self.given_up = not self._wait_without_turn(select.POLLIN)
        return b""

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of it, as fast as the client reads.

        Raises:
            BrokenPipeError: the client has closed the connection or is given up.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self.send(rest, flags | socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                self.given_up = self.given_up or not self._wait_without_turn(select.POLLOUT)
                if self.given_up:
                    raise BrokenPipeError(errno.EPIPE, "the client does not read its reply") from None

    def settimeout(self, value: float | None) -> None:
        """Be patient for so many seconds; Gunicorn asks for it before it closes a connection. None is `PATIENCE_S` again."""
        self._patience_s = PATIENCE_S if value is None else value

    def wait(self, event: int, seconds: float) -> bool:
        """Whether the connection can be read (`POLLIN`) or written (`POLLOUT`) within some seconds."""
        waiting = select.poll()
        waiting.register(self, event)
        return bool(waiting.poll(seconds * 1000))

    def _wait_without_turn(self, event: int) -> bool:
        if not self._has_turn:
            return self.wait(event, self._patience_s)
        self._turn.release()
        try:
            return self.wait(event, self._patience_s)
        finally:
            self._turn.acquire()
