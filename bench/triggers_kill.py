"""Kills the service at random moments under load, and looks whether anything that it acknowledged is lost or any run began twice.

python -m bench triggers_kill
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.table import table, where_and_when
from bench.triggers_pipeline import calls
from bench.triggers_service import (
    ALERTMANAGER,
    PERSON,
    Connection,
    Service,
    alert,
    connect,
    database,
    end,
    free_port,
    ready,
    start,
)
from pedalflow.progress import Progress
from triggers.records import Phase
from triggers.store.store import Store

KILLS = 200
SENDERS = 8
LONGEST_UP_S = 1.5  # after it answers; one kill in ten comes before that
TRY_AGAIN_S = 0.05


@dataclass(frozen=True)
class Killed:
    """What was left after so many kills: what was acknowledged and not kept or not counted, and runs by how often they began."""

    kills: int
    acknowledged: int
    lost: int
    undecided: int
    runs: int
    unfinished: int
    trainings: Counter[str]

    @property
    def twice(self) -> int:
        return sum(times > 1 for times in self.trainings.values())

    @property
    def held(self) -> bool:
        """Whether nothing is lost and every run began once."""
        never = self.runs - len(self.trainings)
        return not (self.lost or self.undecided or self.unfinished or self.twice or never) and self.runs > 0


def main(argv: Sequence[str] | None = None) -> int:
    """Kill and print; returns 1 where something was lost or began twice."""
    parser = argparse.ArgumentParser(
        prog="python -m bench triggers_kill", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--kills", type=int, default=KILLS, help=f"default {KILLS}")
    parser.add_argument("--seed", type=int, default=7, help="of the moments (default 7)")
    arguments = parser.parse_args(argv)
    killed = kill(arguments.kills, random.Random(arguments.seed), Progress(sys.stderr))
    print(report(killed))
    return 0 if killed.held else 1


def kill(kills: int, chance: random.Random, progress: Progress) -> Killed:
    """Kill the service so often while senders go on, start it a last time, and count."""
    with tempfile.TemporaryDirectory(prefix="bench-triggers-") as folder:
        workspace = Path(folder)
        acknowledged = asyncio.run(_kill_under_load(workspace, kills, chance, progress))
        return count(workspace, kills, acknowledged)


async def _kill_under_load(
    workspace: Path, kills: int, chance: random.Random, progress: Progress
) -> Counter[str]:
    """How often each event was acknowledged."""
    acknowledged: Counter[str] = Counter()
    port = free_port()
    service = await _up(workspace, port)
    senders = [asyncio.create_task(_send(service, number, acknowledged)) for number in range(SENDERS)]
    process = service.process
    for number in range(kills):
        progress.say(f"kill {number + 1} of {kills}, {acknowledged.total():,} acknowledged")
        await asyncio.sleep(chance.uniform(0.0, LONGEST_UP_S))
        _kill(process)
        process = start(workspace, port)
        if chance.random() >= 0.1:
            await asyncio.to_thread(ready, workspace, port, process)
    for sender in senders:
        sender.cancel()
    await asyncio.gather(*senders, return_exceptions=True)
    _kill(process)
    await asyncio.to_thread(_finish, workspace, port)
    return acknowledged


async def _up(workspace: Path, port: int) -> Service:
    return await asyncio.to_thread(ready, workspace, port, start(workspace, port))


def _kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL to the service alone: the runs that it began are processes of their own, and go on."""
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _finish(workspace: Path, port: int) -> None:
    """Start the service a last time, and let it do what is left."""
    process = start(workspace, port)
    try:
        ready(workspace, port, process).quiet()
    finally:
        end(process)


async def _send(service: Service, sender: int, acknowledged: Counter[str]) -> None:
    """As senders do: each delivery again and again until it is acknowledged. Every fourth is a person's wish, the others are alerts."""
    connection: Connection | None = None
    number = 0
    while True:
        request = _delivery(service, f"{sender}-{number}", wish=number % 4 == 0)
        try:
            connection = connection or await connect(service.port)
            accepted = (await connection.exchange(request)).accepted()
        except (OSError, EOFError):
            connection, accepted = None, []
        for one in accepted:
            acknowledged[one.id] += 1
        number += bool(accepted)
        await asyncio.sleep(0.0 if accepted else TRY_AGAIN_S)


def _delivery(service: Service, name: str, *, wish: bool) -> bytes:
    if wish:
        return service.request(PERSON, {"reason": "the benchmark", "who": "bench", "id": name})
    return service.request(ALERTMANAGER, alert(name))


def count(workspace: Path, kills: int, acknowledged: Counter[str]) -> Killed:
    """What the database and the pipeline know of it."""
    store = Store(database(workspace), read_only=True)
    kept = {stored.id: stored for stored in store.events(10_000_000)}
    runs = store.runs(10_000_000)
    store.close()
    return Killed(
        kills=kills,
        acknowledged=acknowledged.total(),
        lost=sum(id not in kept or kept[id].deliveries < times for id, times in acknowledged.items()),
        undecided=sum(not stored.outcome for stored in kept.values()),
        runs=len(runs),
        unfinished=sum(run.phase is not Phase.SUCCEEDED for run in runs),
        trainings=Counter(run for run, step in calls(workspace) if step == "train"),
    )


def report(killed: Killed) -> str:
    """The table, and a line on how it was made."""
    rows = [
        ("kills", killed.kills),
        ("deliveries acknowledged", f"{killed.acknowledged:,}"),
        ("acknowledged and lost", killed.lost),
        ("events left undecided", killed.undecided),
        ("runs", killed.runs),
        ("runs that were not finished", killed.unfinished),
        ("runs that began twice", killed.twice),
    ]
    verdict = f"Target: nothing lost, nothing begun twice: {'met' if killed.held else 'missed'}."
    return f"{table(('what', 'seen'), rows)}\n\n{verdict} {where_and_when('python -m bench triggers_kill')}"
