"""How many requests wait: they have arrived at a server's port, and nobody has read them.

The kernel knows, so it is asked only when the metrics are, and no request costs anything for it. A request in work is not counted: it has
been read. One that waits in the queue of new connections is: the kernel takes its bytes before anybody accepts the connection.
"""

from __future__ import annotations

from pathlib import Path

from serving.telemetry import Metric

WAITING = Metric(
    "pedalflow_waiting_requests",
    "gauge",
    (),
    "Requests that have arrived by REST and that nobody has read, at the moment of the scrape.",
)
METRICS = (WAITING,)

TABLES = (
    Path("/proc/net/tcp"),
    Path("/proc/net/tcp6"),
)  # of this process's network, in a pod that of the pod
_ESTABLISHED = "01"  # one whose client has gone is another state, and nobody waits for its answer


def waiting_requests(port: int) -> int:
    """Requests that wait at a port of this machine, or of this pod."""
    return sum(unread(table.read_text(encoding="ascii"), port) for table in TABLES if table.exists())


def unread(table: str, port: int) -> int:
    """Connections to a local port that hold bytes which nobody has read, by the text of `/proc/net/tcp`."""
    return sum(_is_unread(line.split(), port) for line in table.splitlines()[1:])


def _is_unread(fields: list[str], port: int) -> bool:
    _, local, _, state, queues, *_ = fields
    received = int(queues.rpartition(":")[2], 16)
    return state == _ESTABLISHED and int(local.rpartition(":")[2], 16) == port and received > 0


def as_text(waiting: int) -> str:
    """The metric as Prometheus reads it."""
    return f"# HELP {WAITING.name} {WAITING.help}\n# TYPE {WAITING.name} {WAITING.kind}\n{WAITING.name} {waiting}\n"
