"""What a server that runs for long must bear: 10,000 malformed requests, and half an hour's worth of mixed load.

python -m bench serving_soak
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.serving import LOAD_RUNTIME, release_folder, sample_rows
from bench.serving_contenders import CONTENDERS, OURS, Place, environment
from bench.serving_processes import Running, running
from bench.table import table, where_and_when
from pedalflow.command.options import ROOT
from pedalflow.command.runtimes import python_of
from pedalflow.errors import RunFailed
from pedalflow.progress import Progress
from pedalflow.workspace import Workspace

MALFORMED_REQUESTS = 10_000
MIXED_REQUESTS = 18_000  # what a client sends in 30 minutes at 10 requests a second, as fast as it goes
PORT = 24900
BATCH_ROWS = 64
MALFORMED = "REST, malformed"
# Kinds of the mixed load, by their share in twentieths.
MIX = {
    "REST, 1 row": 9,
    "REST, 64 rows": 3,
    MALFORMED: 2,
    "feedback": 3,
    "gRPC, 1 row": 2,
    "gRPC, 64 rows": 1,
}
SAMPLE_S = 0.5
MOST_GROWTH = 0.03  # of the memory, from the second quarter of the load to the last
EXPECTED = {MALFORMED: "400"}


@dataclass(frozen=True)
class Seen:
    """One load: answers by kind and status, the memory in MiB before, meanwhile and after, CPU seconds, wall seconds."""

    answers: Mapping[tuple[str, str], int]
    memory_mib: tuple[float, ...]
    cpu_s: float
    wall_s: float

    @property
    def requests(self) -> int:
        """How many were answered, or not."""
        return sum(count for (_, status), count in self.answers.items() if status != "reopened")

    @property
    def growth(self) -> float:
        """Share by which the memory grew from the second quarter to the last."""
        quarter = max(1, len(self.memory_mib) // 4)
        return median(self.memory_mib[-quarter:]) / median(self.memory_mib[quarter : 2 * quarter]) - 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run both and print; returns 1 where a request failed, a malformed one was not refused, or memory grew."""
    parser = argparse.ArgumentParser(
        prog="python -m bench serving_soak", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--release",
        type=Path,
        default=Workspace(ROOT / "run").champion,
        help="folder or pointer (default: run/'s)",
    )
    parser.add_argument("--malformed", type=int, default=MALFORMED_REQUESTS, help="malformed requests")
    parser.add_argument("--mixed", type=int, default=MIXED_REQUESTS, help="requests of the mixed load")
    arguments = parser.parse_args(argv)
    progress = Progress(sys.stderr)
    contender = next(entry for entry in CONTENDERS if entry.name == OURS)
    release = release_folder(arguments.release)
    rows, features = sample_rows(release, BATCH_ROWS)
    python = python_of(contender.runtime)
    with tempfile.TemporaryDirectory(prefix="pedalflow-soak-") as folder:
        place = Place(Path(folder), release, features, PORT)
        (place.folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
        probe = (contender.path, json.dumps(contender.body(rows[:1])).encode())
        command = [str(python), *contender.arguments(place)]
        with running(command, environment(place, python), place.folder, place.port, probe) as server:
            with progress.step("warming up"):
                _watched(server, place, "mixed", max(400, arguments.mixed // 10))
            with progress.step(f"{arguments.malformed:,} malformed requests"):
                fuzzed = _watched(server, place, "fuzz", arguments.malformed)
            with progress.step(f"{arguments.mixed:,} mixed requests"):
                mixed = _watched(server, place, "mixed", arguments.mixed)
    print(report(fuzzed, mixed))
    return 0 if passed_fuzz(fuzzed) and passed_mix(mixed) else 1


def _watched(server: Running, place: Place, what: str, requests: int) -> Seen:
    """Run the client to its end and look at the server's memory meanwhile. Raises RunFailed where client or server ends badly."""
    plan = {
        "port": place.port,
        "grpc_port": place.grpc_port,
        "requests": requests,
        "rows": str(place.folder / "rows.json"),
    }
    command = [str(python_of(LOAD_RUNTIME)), "-m", "bench.serving_soak_load", what, json.dumps(plan)]
    memory = [server.memory_mib()]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_S):
            memory.append(server.memory_mib())

    watcher = threading.Thread(target=watch)
    before = server.cpu_s()
    watcher.start()
    try:
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    finally:
        over.set()
        watcher.join()
    if ended.returncode != 0 or server.process.poll() is not None:
        raise RunFailed(
            f"{what}: the client ended with {ended.returncode}, the server with {server.process.poll()}:\n{ended.stderr}"
        )
    memory.append(server.memory_mib())
    answers = {(kind, status): count for kind, status, count in json.loads(ended.stdout)}
    return Seen(answers, tuple(memory), server.cpu_s() - before, SAMPLE_S * len(memory))


def passed_fuzz(seen: Seen) -> bool:
    """No answer is a server's error and no connection broke."""
    return not any(status.startswith("5") or status == "broken" for _, status in seen.answers)


def passed_mix(seen: Seen) -> bool:
    """Every answer is the one that its kind should get, and the memory is flat."""
    return not _unexpected(seen) and seen.growth <= MOST_GROWTH


def _unexpected(seen: Seen) -> dict[tuple[str, str], int]:
    return {
        (kind, status): count
        for (kind, status), count in seen.answers.items()
        if status not in ((EXPECTED[kind],) if kind in EXPECTED else ("200", "OK"))
    }


def report(fuzzed: Seen, mixed: Seen) -> str:
    """The tables."""
    return "\n\n".join(
        [
            where_and_when("python -m bench serving_soak"),
            f"{fuzzed.requests:,} malformed requests: {'no' if passed_fuzz(fuzzed) else 'SOME'} 5xx or broken connections.",
            _answers(fuzzed),
            f"{mixed.requests:,} mixed requests (what 30 minutes at 10 a second bring), sent as fast as they go in {mixed.wall_s:.0f} s, "
            f"{1000 * mixed.cpu_s / mixed.requests:.2f} CPU ms each: {sum(_unexpected(mixed).values())} failed.",
            _answers(mixed),
            table(
                [
                    "memory of all processes, MiB",
                    "before",
                    "greatest",
                    "after",
                    "growth, 2nd to last quarter",
                ],
                [_memory("malformed", fuzzed), _memory("mixed", mixed)],
            ),
        ]
    )


def _answers(seen: Seen) -> str:
    statuses = sorted({status for _, status in seen.answers})
    kinds = dict.fromkeys(kind for kind, _ in seen.answers)
    rows = [[kind, *(seen.answers.get((kind, status), 0) for status in statuses)] for kind in kinds]
    return table(["answers", *statuses], rows)


def _memory(name: str, seen: Seen) -> list[str]:
    first, last = seen.memory_mib[0], seen.memory_mib[-1]
    return [name, f"{first:.1f}", f"{max(seen.memory_mib):.1f}", f"{last:.1f}", f"{seen.growth:+.1%}"]


if __name__ == "__main__":
    sys.exit(main())
