"""A storm: the same alert ten thousand times from fifty connections. It starts one run, nothing fails, and every delivery is counted.

python -m bench triggers_storm
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.serving_load import Load, summary
from bench.table import table, where_and_when
from bench.triggers_pipeline import calls
from bench.triggers_service import ALERTMANAGER, Answer, Service, alert, connect, database, serving
from triggers.store.store import Store

DELIVERIES = 10_000
CONNECTIONS = 50


@dataclass(frozen=True)
class Storm:
    """What a storm came to: answers by status, latencies, events and deliveries that were kept, runs, and trainings begun."""

    answers: Counter[int]
    first_seen: int
    load: Load
    events: int
    deliveries: int
    runs: int
    trainings: int

    @property
    def held(self) -> bool:
        """Whether there was exactly one run, no failure, and nothing uncounted."""
        sent = self.answers.total()
        return (
            self.answers[200] + self.answers[202] == sent == self.deliveries
            and self.first_seen == self.events == self.runs == self.trainings == 1
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Let it blow and print; returns 1 where it did not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m bench triggers_storm", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--deliveries", type=int, default=DELIVERIES, help=f"default {DELIVERIES}")
    arguments = parser.parse_args(argv)
    storm = blow(arguments.deliveries)
    print(report(storm))
    return 0 if storm.held else 1


def blow(deliveries: int) -> Storm:
    """Send one alert so many times to a real service, and see what it made of it."""
    with tempfile.TemporaryDirectory(prefix="bench-triggers-") as folder:
        workspace = Path(folder)
        with serving(workspace) as service:
            answers, load = asyncio.run(send(service, deliveries))
            service.quiet()
        store = Store(database(workspace), read_only=True)
        events, runs = store.events(deliveries), store.runs(deliveries)
        store.close()
        return Storm(
            answers=Counter(answer.status for answer in answers),
            first_seen=sum(not one.duplicate for answer in answers for one in answer.accepted()),
            load=load,
            events=len(events),
            deliveries=sum(stored.deliveries for stored in events),
            runs=len(runs),
            trainings=sum(step == "train" for _, step in calls(workspace)),
        )


async def send(service: Service, deliveries: int) -> tuple[list[Answer], Load]:
    """The same request over and over, from all connections at once."""
    request = service.request(ALERTMANAGER, alert("storm", pedalflow_reason="drift", model_name="bikes"))
    left = iter(range(deliveries))
    answers: list[Answer] = []
    latencies: list[float] = []

    async def go_on() -> None:
        connection = await connect(service.port)
        for _ in left:
            sent = time.perf_counter()
            answers.append(await connection.exchange(request))
            latencies.append(time.perf_counter() - sent)
        connection.close()

    begin = time.perf_counter()
    await asyncio.gather(*(go_on() for _ in range(CONNECTIONS)))
    failed = sum(answer.status >= 400 for answer in answers)
    return answers, summary(latencies, failed, time.perf_counter() - begin)


def report(storm: Storm) -> str:
    """The table, and a line on how it was made."""
    sent = storm.answers.total()
    rows = [
        (f"deliveries of one alert from {CONNECTIONS} connections", f"{sent:,}"),
        ("deliveries a second", f"{sent / storm.load.seconds:,.0f}"),
        ("p50 / p99 ms", f"{storm.load.p50_ms:.1f} / {storm.load.p99_ms:.1f}"),
        ("answers by status", ", ".join(f"{code}: {many:,}" for code, many in sorted(storm.answers.items()))),
        ("answers that are no success", storm.load.failed),
        ("deliveries that the database counted", f"{storm.deliveries:,}"),
        ("events / runs / trainings begun", f"{storm.events} / {storm.runs} / {storm.trainings}"),
    ]
    verdict = f"Target: one run, no failure, every delivery counted: {'met' if storm.held else 'missed'}."
    return f"{table(('what', 'seen'), rows)}\n\n{verdict} {where_and_when('python -m bench triggers_storm')}"
