"""What the kernel's table of connections says about requests that nobody has read."""

from __future__ import annotations

import socket
import time

import pytest

from serving.waiting import as_text, unread, waiting_requests

PORT = 9001
# Recorded in a network of its own, to the column of the queues. The server at port 9001 (2329) has accepted four of six connections and
# read from two; two of its clients have gone. The one at port 6001 (1771) has accepted nobody.
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue
   0: 00000000:1771 00000000:0000 0A 00000000:00000001
   1: 00000000:2329 00000000:0000 0A 00000000:00000002
   2: 0100007F:2329 0100007F:C632 01 00000000:00000161
   3: 0100007F:2329 0100007F:C636 01 00000000:00000000
   4: 0100007F:C608 0100007F:2329 01 00000000:00000000
   5: 0100007F:C616 0100007F:2329 01 00000000:00000000
   6: 0100007F:C61E 0100007F:2329 06 00000000:00000000
   7: 0100007F:C628 0100007F:2329 05 00000000:00000000
   8: 0100007F:C632 0100007F:2329 01 00000000:00000000
   9: 0100007F:C636 0100007F:2329 01 00000000:00000000
  10: 0100007F:1771 0100007F:8864 01 00000000:00000080
  11: 0100007F:8864 0100007F:1771 01 00000000:00000000
  12: 0100007F:2329 0100007F:C616 01 00000000:00000000
  13: 0100007F:2329 0100007F:C608 01 00000000:00000161
  14: 0100007F:2329 0100007F:C628 08 00000000:00000162
"""
TABLE_OF_IPV6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000001000000:2329 00000000000000000000000000000000:0000 0A 00000000:00000001
   1: 00000000000000000000000001000000:2329 00000000000000000000000001000000:D50C 01 00000000:00000161
   2: 00000000000000000000000001000000:D50C 00000000000000000000000001000000:2329 01 00000000:00000000
"""


def test_who_was_read_who_has_gone_and_who_came_to_another_port_do_not_wait() -> None:
    """Two requests are left that wait: one at a connection that was accepted, one at a connection that was not."""
    assert unread(TABLE, PORT) == 2


@pytest.mark.parametrize(
    ("table", "port", "waiting"), [(TABLE_OF_IPV6, PORT, 1), (TABLE, 6001, 1), ("", PORT, 0)]
)
def test_requests_wait_at_the_port_that_is_asked_for(table: str, port: int, waiting: int) -> None:
    assert unread(table, port) == waiting


def test_a_request_waits_from_its_arrival_until_somebody_reads_it() -> None:
    # given a server that has accepted nothing yet, and three clients, two of whom ask
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        for client in clients[:2]:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert _settled(port, 2) == 2
        # when one is accepted and read
        accepted, _ = server.accept()
        accepted.recv(100)
        # then
        assert _settled(port, 1) == 1
        for one in (accepted, *clients):
            one.close()


def _settled(port: int, expected: int) -> int:
    """What waits; the loopback delivers soon, but not at once."""
    deadline = time.monotonic() + 30
    while (found := waiting_requests(port)) != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def test_prometheus_reads_it_as_a_gauge() -> None:
    lines = as_text(3).splitlines()
    assert lines[1:] == ["# TYPE pedalflow_waiting_requests gauge", "pedalflow_waiting_requests 3"]
    assert lines[0].startswith("# HELP pedalflow_waiting_requests ")
