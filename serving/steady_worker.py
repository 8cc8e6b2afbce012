"""Gunicorn's threaded worker with fewer changes of thread: on a small model they cost more than the answers.

A request that has come whole, as nearly all have, is answered by the thread that waits for all connections, so that nothing changes
hands. Any other goes to a thread of its own, which can wait for its client. Threads answer one after the other: Python runs one at a time
anyway, but lets them take turns at every system call, half-way through their requests. A thread that waits for its client gives its
turn back until the client goes on, so nobody waits for somebody else's slow client; and a client that is waited for too long loses its
connection.
"""

from __future__ import annotations

import re
import select
import selectors
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

PATIENCE_S = 5.0  # for the next piece of a request, or until a client has read a piece of its reply
_AT_ONCE = 64 * 1024  # bytes of a request that are looked at without a thread of their own
_FRAMING = re.compile(rb"(?i)\r\n(content-length|transfer-encoding|expect)[ \t]*:[ \t]*([^\r\n]*)")


class SteadyWorker(ThreadWorker):
    """Answers one request at a time, and waits for slow clients meanwhile."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._turn = threading.Lock()

    def init_process(self) -> None:
        """Settle the settings, which Gunicorn would look up in their table some thirty times for every request."""
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        super().init_process()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Also the events that follow: Gunicorn would tell its parent that it lives, and look for idle connections, for every request."""
        end = time.monotonic() + timeout
        super().wait_for_and_dispatch_events(timeout)
        while self.alive and self.nr_conns < self.worker_connections and (left := end - time.monotonic()) > 0:
            super().wait_for_and_dispatch_events(left)

    def enqueue_req(self, conn: Any) -> None:
        """Let a new connection wait for its first request beside the others; Gunicorn gives it a thread to wait in."""
        if self.cfg.is_ssl or isinstance(conn.sock, ClientSocket):  # Gunicorn puts its own socket over ours
            super().enqueue_req(conn)
            return
        conn.sock = ClientSocket(conn.sock, self._turn)
        conn.data_ready = True  # that is seen to here
        conn.timeout = time.monotonic() + PATIENCE_S
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """Take a connection whose first request comes in among those that are kept."""
        self.pending_conns.remove(conn)
        self.keepalived_conns.append(conn)
        self.poller.modify(client, selectors.EVENT_READ, partial(self.on_client_socket_readable, conn))
        self.on_client_socket_readable(conn, client)

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """Answer here what has come whole, and keep the connection; Gunicorn hands it to a thread each time."""
        if not isinstance(conn.sock, ClientSocket) or not conn.sock.fetch():
            super().on_client_socket_readable(conn, client)
            return
        again = self._answer(conn, may_wait=False)
        if conn.sock.send_at_once() and again:
            self._await_next(conn)
        else:
            self._finish_in_thread(conn, again)

    def handle(self, conn: Any) -> Any:
        """What Gunicorn's worker does for one request, in a thread that may wait for the client."""
        if not isinstance(conn.sock, ClientSocket):
            return super().handle(conn)
        return self._finish(conn, self._answer(conn, may_wait=True))

    def _answer(self, conn: Any, may_wait: bool) -> Any:
        with conn.sock.in_turn(may_wait):
            return super().handle(conn)

    def _await_next(self, conn: Any) -> None:
        """Begin the time in which the next request must come; Gunicorn looks for those who are late at the other end."""
        conn.set_timeout()
        self.keepalived_conns.remove(conn)
        self.keepalived_conns.append(conn)

    def _finish_in_thread(self, conn: Any, again: Any) -> None:
        self.poller.unregister(conn.sock)
        self.keepalived_conns.remove(conn)
        finishing = self.tpool.submit(self._finish, conn, again)
        finishing.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def _finish(self, conn: Any, again: Any) -> Any:
        """Send what is left of the reply, and close the connection where no request follows: both can mean waiting."""
        if conn.sock.send_rest() and again:
            return again
        conn.close(graceful=True)
        return False


class ClientSocket(socket.socket):
    """A client's connection, which gives its thread's turn back wherever it has to wait for the client.

    Replies are collected, and sent when they are complete. One thread at a time uses it. A client that keeps it waiting for `PATIENCE_S`
    is given up: from then on its connection looks to Gunicorn like one that the client has closed, so Gunicorn closes it and writes
    nothing to the log.
    """

    def __init__(self, accepted: socket.socket, turn: threading.Lock) -> None:
        """Take the connection over from `accepted`, which can no longer be used."""
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self.given_up = False
        self._turn = turn
        self._has_turn = False
        self._may_wait = True
        self._patience_s = PATIENCE_S
        self._fetched = b""
        self._unsent: list[Any] = []

    @contextmanager
    def in_turn(self, may_wait: bool = True) -> Iterator[None]:
        """Hold the turn, save where the client is waited for; one that would have to be, and may not, is given up."""
        with self._turn:
            self._has_turn, self._may_wait = True, may_wait
            try:
                yield
            finally:
                self._has_turn, self._may_wait = False, True

    def fetch(self) -> bool:
        """Take what has come, for `recv`. Whether it is a request that can be read without waiting."""
        try:
            self._fetched += super().recv(_AT_ONCE, socket.MSG_DONTWAIT)
        except OSError:  # nothing is there, or the connection is broken, which `recv` will find as well
            return False
        return is_whole(self._fetched)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """What has come. Nothing where the client has closed the connection or is given up."""
        if self._fetched:
            piece, self._fetched = self._fetched[:size], self._fetched[size:]
            return piece
        while not self.given_up:
            try:
                return super().recv(size, flags | socket.MSG_DONTWAIT)
            except BlockingIOError:
                self.given_up = not self._waited(select.POLLIN)
        return b""

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Collect it: head and body of a reply leave together, and not in anybody's turn."""
        self._unsent.append(data)

    def send_at_once(self) -> bool:
        """Send what the client takes without waiting. Whether that was all."""
        data = b"".join(self._unsent)
        try:
            sent = self.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError:  # the client has closed the connection
            self.given_up = True
            return False
        self._unsent = [data[sent:]] if sent < len(data) else []
        return not self._unsent

    def send_rest(self) -> bool:
        """Send all that was collected, as fast as the client reads. Whether the client took it all."""
        while self._unsent and not self.given_up:
            if not self.send_at_once() and not self.given_up:
                self.given_up = not self._waited(select.POLLOUT)
        return not self.given_up

    def setblocking(self, flag: bool) -> None:
        """Nothing: this socket never blocks in the kernel, and Gunicorn says so before every request."""

    def settimeout(self, value: float | None) -> None:
        """Be patient for so many seconds; Gunicorn asks for it before it closes a connection. None is `PATIENCE_S` again."""
        self._patience_s = PATIENCE_S if value is None else value

    def _waited(self, event: int) -> bool:
        """Wait without the turn until the connection can be read (`POLLIN`) or written (`POLLOUT`). Whether it can."""
        if not self._may_wait:
            return False
        if not self._has_turn:
            return self._wait(event)
        self._turn.release()
        try:
            return self._wait(event)
        finally:
            self._turn.acquire()

    def _wait(self, event: int) -> bool:
        waiting = select.poll()
        waiting.register(self, event)
        return bool(waiting.poll(self._patience_s * 1000))


def is_whole(received: bytes) -> bool:
    """Whether this is exactly one request of HTTP/1; False also where that takes more than a look at its length."""
    end = received.find(b"\r\n\r\n")
    return end >= 0 and len(received) == end + 4 + _length_of_body(received[:end])


@lru_cache(maxsize=64)
def _length_of_body(head: bytes) -> int:
    """The bytes that follow this head; more than can come where that takes more than a look. A client's heads are mostly the same."""
    framing = _FRAMING.findall(head)
    if not framing:
        return 0
    (name, value), *others = framing
    plain = not others and name.lower() == b"content-length" and value.isdigit() and len(value) < 10
    return int(value) if plain else sys.maxsize
