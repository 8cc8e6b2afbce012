"""How long an event takes to be accepted, on the disk and acknowledged, beside a bare commit to SQLite with full synchronisation.

python -m bench triggers_accept
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.serving_load import Load, summary
from bench.table import table, where_and_when
from bench.triggers_service import (
    ALERTMANAGER,
    CLOUDEVENTS,
    Connection,
    Service,
    alert,
    connect,
    serving,
    window,
)

PER_S = 200
CONNECTIONS = 32
MOST_P99_MS = 50.0
BODY = "x" * 500


@dataclass(frozen=True)
class Figures:
    """Latencies of each round: accepted through the service, and committed without it; and accepted as fast as it goes."""

    accepted: list[Load] = field(default_factory=list)
    bare: list[Load] = field(default_factory=list)
    flat_out: list[Load] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        return median(load.p99_ms for load in self.accepted)

    @property
    def failed(self) -> int:
        return sum(load.failed for load in (*self.accepted, *self.flat_out))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns 1 where the target was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench triggers_accept", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="of one phase (default 5)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default 5)")
    arguments = parser.parse_args(argv)
    figures = measure(arguments.rounds, arguments.seconds)
    print(report(figures))
    return 0 if figures.p99_ms < MOST_P99_MS and not figures.failed else 1


def measure(rounds: int, seconds: float) -> Figures:
    """Service and bare commit by turns, on the same disk."""
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="bench-triggers-") as folder, serving(Path(folder)) as service:
        asyncio.run(at_a_pace(service, "warm-up", 1.0))
        for number in range(rounds):
            figures.accepted.append(asyncio.run(at_a_pace(service, f"pace-{number}", seconds)))
            figures.bare.append(bare_commits(Path(folder) / f"bare-{number}.sqlite", seconds))
            figures.flat_out.append(asyncio.run(flat_out(service, f"flat-{number}", seconds)))
            service.quiet()
    return figures


def delivery(service: Service, name: str, number: int) -> bytes:
    """By turns an alert and a calm window of the drift detector, each of them new."""
    if number % 2:
        return service.request(ALERTMANAGER, alert(f"{name}-{number}"))
    return service.request(CLOUDEVENTS, *window(f"{name}-{number}"))


async def at_a_pace(service: Service, name: str, seconds: float) -> Load:
    """Send `PER_S` events a second, whatever becomes of those before; each one's time counts from when it was due."""
    requests = [delivery(service, name, number) for number in range(int(PER_S * seconds))]
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await connect(service.port))
    latencies: list[float] = []
    begin = time.perf_counter()

    async def send(request: bytes, due: float) -> int:
        await asyncio.sleep(max(due - time.perf_counter(), 0.0))
        connection = await free.get()
        answer = await connection.exchange(request)
        latencies.append(time.perf_counter() - due)
        free.put_nowait(connection)
        return answer.status

    due = (begin + number / PER_S for number in range(len(requests)))
    statuses = await asyncio.gather(*(send(*pair) for pair in zip(requests, due)))
    took = time.perf_counter() - begin
    while not free.empty():
        free.get_nowait().close()
    return summary(latencies, sum(status != 202 for status in statuses), took)


async def flat_out(service: Service, name: str, seconds: float) -> Load:
    """Every connection sends its next event when the last one is acknowledged."""
    latencies: list[float] = []
    begin = time.perf_counter()

    async def send(number: int) -> int:
        connection, failed, count = await connect(service.port), 0, 0
        while (sent := time.perf_counter()) < begin + seconds:
            answer = await connection.exchange(delivery(service, f"{name}-{number}", count))
            latencies.append(time.perf_counter() - sent)
            failed, count = failed + (answer.status != 202), count + 1
        connection.close()
        return failed

    failed = await asyncio.gather(*(send(number) for number in range(CONNECTIONS)))
    return summary(latencies, sum(failed), time.perf_counter() - begin)


def bare_commits(path: Path, seconds: float) -> Load:
    """A row of the same size, committed with full synchronisation at the same pace, and nothing else."""
    latencies: list[float] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE events (number INTEGER PRIMARY KEY, body TEXT)")
        begin = time.perf_counter()
        for number in range(int(PER_S * seconds)):
            time.sleep(max(begin + number / PER_S - time.perf_counter(), 0.0))
            began = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO events (body) VALUES (?)", (BODY,))
            connection.execute("COMMIT")
            latencies.append(time.perf_counter() - began)
        return summary(latencies, 0, time.perf_counter() - begin)


def report(figures: Figures) -> str:
    """The table, and a line on how it was made."""
    kinds = (
        (f"accepted over HTTP, {PER_S} a second", figures.accepted),
        (f"bare SQLite commit, {PER_S} a second", figures.bare),
        (f"accepted over HTTP, {CONNECTIONS} connections flat out", figures.flat_out),
    )
    rows: list[tuple[object, ...]] = [(name, *_row(loads)) for name, loads in kinds]
    ratio = [_middle(figures.accepted, name) / _middle(figures.bare, name) for name in ("p50_ms", "p99_ms")]
    rows.append(("accepted ÷ bare", "", f"{ratio[0]:.1f} ×", f"{ratio[1]:.1f} ×", ""))
    headers = ("what", "events a second", "p50 ms", "p99 ms", "failed")
    rounds = f"Medians of {len(figures.accepted)} rounds; full synchronisation everywhere."
    verdict = f"Target: p99 under {MOST_P99_MS:g} ms: {'met' if figures.p99_ms < MOST_P99_MS else 'missed'}."
    return f"{table(headers, rows)}\n\n{rounds} {verdict} {where_and_when('python -m bench triggers_accept')}"


def _row(loads: Sequence[Load]) -> tuple[str, str, str, int]:
    per_s = median(load.requests / load.seconds for load in loads)
    failed = sum(load.failed for load in loads)
    return f"{per_s:.0f}", f"{_middle(loads, 'p50_ms'):.2f}", f"{_middle(loads, 'p99_ms'):.2f}", failed


def _middle(loads: Sequence[Load], name: str) -> float:
    return median(float(getattr(load, name)) for load in loads)
