"""What a request costs: our endpoint beside what a team would pick instead, on the same ONNX model.

python -m bench serving
"""

from __future__ import annotations

import argparse
import csv
import gzip
import http.client
import json
import math
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.serving_contenders import (
    BENTOML,
    CONTENDERS,
    FASTAPI,
    MLFLOW,
    MLSERVER,
    MLSERVER_ONE,
    OURS,
    PORTS_EACH,
    SELDON,
    Contender,
    Place,
    Rows,
    environment,
    run_helper,
)
from bench.serving_load import HOST, Load
from bench.serving_processes import Running, running
from bench.table import table, where_and_when
from pedalflow.champion import read_pointer
from pedalflow.command.options import ROOT
from pedalflow.command.runtimes import python_of
from pedalflow.errors import EnvironmentMissing, RunFailed
from pedalflow.progress import Progress
from pedalflow.workspace import Workspace

CONNECTIONS = (1, 8, 32)
BATCHES = (1, 64)
GRPC_CONNECTIONS = 8
FIRST_PORT = 24000
# CPU of a single-row request, ours ÷ theirs.
GREATEST_RATIO = {MLSERVER: 0.8, MLSERVER_ONE: 0.8, BENTOML: 0.35, MLFLOW: 0.25, FASTAPI: 2.0}
LEAST_ROWS_PER_CPU_S = 60_000
SAME_PREDICTION = 1e-4  # relative: the peers take and give float32
WARM_UP_S = 0.4
REST = "REST"
LOAD_RUNTIME = "serving"  # its interpreter has grpcio


@dataclass(frozen=True)
class Phase:
    """One kind of load: REST, or gRPC in a `form`."""

    rows: int
    connections: int
    form: str = REST


@dataclass(frozen=True)
class Sample:
    """One phase of one round: CPU ms for each request, over all processes of the server, and what the client saw."""

    cpu_ms: float
    load: Load


@dataclass(frozen=True)
class Started:
    """A contender that answers: its place, its interpreter, its processes, and the file of each batch's request."""

    contender: Contender
    place: Place
    server: Running
    bodies: Mapping[int, Path]
    messages: Mapping[tuple[str, int], Path]


@dataclass(frozen=True)
class Figures:
    """What was measured of one server. Every phase has a sample for each round."""

    start_s: float
    memory_mib: float
    samples: Mapping[Phase, Sequence[Sample]]

    def cpu_ms(self, phase: Phase) -> float:
        """CPU ms of a request, median over the rounds."""
        return median(sample.cpu_ms for sample in self.samples[phase])

    def latency(self, phase: Phase) -> str:
        """p50 and p99 in ms, medians over the rounds."""
        loads = [sample.load for sample in self.samples[phase]]
        return f"{median(load.p50_ms for load in loads):.1f} / {median(load.p99_ms for load in loads):.1f}"

    def per_s(self, phase: Phase) -> float:
        """Requests a second, median over the rounds."""
        return median(sample.load.requests / sample.load.seconds for sample in self.samples[phase])


REST_PHASES = tuple(Phase(rows, connections) for rows in BATCHES for connections in CONNECTIONS)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns 1 where a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench serving", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--release",
        type=Path,
        default=Workspace(ROOT / "run").champion,
        help="folder or pointer (default: run/'s)",
    )
    parser.add_argument("--seconds", type=float, default=0.5, help="of one phase (default 0.5)")
    parser.add_argument("--rounds", type=int, default=4, help="rounds over all servers (default 4)")
    parser.add_argument(
        "--only", nargs="*", default=(), metavar="NAME", help="servers whose name holds one of these"
    )
    arguments = parser.parse_args(argv)
    figures, left_out = measure_all(arguments, Progress(sys.stderr))
    print(report(figures, left_out))
    return 0 if met(figures) else 1


def measure_all(
    arguments: argparse.Namespace, progress: Progress
) -> tuple[dict[str, Figures], dict[str, str]]:
    """Figures by server, and those that could not be measured with the reason.

    All servers run at the same time and take turns in every phase, A B C, A B C, so that whatever else the machine does meets all.
    Raises RunFailed where one does not start, answers with an error, or predicts something else than the others.
    """
    release = release_folder(arguments.release)
    rows, features = sample_rows(release, max(BATCHES))
    chosen = [c for c in CONTENDERS if not arguments.only or any(part in c.name for part in arguments.only)]
    pythons, left_out = _interpreters(chosen)
    with ExitStack() as running_servers:
        started = []
        for number, contender in enumerate(entry for entry in chosen if entry.name in pythons):
            with progress.step(f"starting {contender.name}"):
                folder = running_servers.enter_context(tempfile.TemporaryDirectory(prefix="pedalflow-bench-"))
                place = Place(Path(folder), release, features, FIRST_PORT + PORTS_EACH * number)
                start = _start(contender, place, pythons[contender.name], rows)
                started.append(running_servers.enter_context(start))
        _check_same(started)
        samples: dict[str, dict[Phase, list[Sample]]] = {s.contender.name: defaultdict(list) for s in started}
        for number in range(1, arguments.rounds + 1):
            with progress.step(f"round {number} of {arguments.rounds}"):
                for entry, phase in _turns(started):
                    samples[entry.contender.name][phase].append(_sample(entry, phase, arguments.seconds))
        figures = {
            entry.contender.name: Figures(
                entry.server.start_s, entry.server.memory_mib(), samples[entry.contender.name]
            )
            for entry in started
        }
    return figures, left_out


def _turns(started: Sequence[Started]) -> Iterator[tuple[Started, Phase]]:
    """The phases of one round, in each of which every server that knows it has its turn."""
    forms = dict.fromkeys(form for entry in started for form in entry.contender.grpc_forms)
    grpc_phases = [Phase(rows, GRPC_CONNECTIONS, form) for form in forms for rows in BATCHES]
    for phase in (*REST_PHASES, *grpc_phases):
        for entry in started:
            if phase.form == REST or phase.form in entry.contender.grpc_forms:
                yield entry, phase


def release_folder(place: Path) -> Path:
    """The release's folder, itself or by a pointer to the champion."""
    return place.resolve() if place.is_dir() else read_pointer(place).folder


def sample_rows(release: Path, count: int) -> tuple[Rows, tuple[str, ...]]:
    """Hours of the second year, evenly spaced, as a client has them, and the names of the features in the schema's order."""
    schema = json.loads((release / "request_schema.json").read_bytes())
    names = tuple(schema["required"])
    read = {"string": str, "integer": int, "number": float}
    kinds = {name: read[schema["properties"][name]["type"]] for name in names}
    with gzip.open(ROOT / "data" / "raw" / "hour.csv.gz", "rt", encoding="utf-8", newline="") as archive:
        hours = list(csv.DictReader(archive))
    newest = hours[len(hours) // 2 :]
    chosen = newest[:: len(newest) // count][:count]
    return [{name: kind(hour[name]) for name, kind in kinds.items()} for hour in chosen], names


def _interpreters(contenders: Sequence[Contender]) -> tuple[dict[str, Path], dict[str, str]]:
    """The interpreter of every server whose environment is there, and what is wrong with the others."""
    found, missing = {}, {}
    for contender in contenders:
        try:
            found[contender.name] = python_of(contender.runtime)
        except EnvironmentMissing as error:
            missing[contender.name] = str(error)
    return found, missing


@contextmanager
def _start(contender: Contender, place: Place, python: Path, rows: Rows) -> Iterator[Started]:
    """A contender that has answered and is warm."""
    contender.prepare(place, python)
    bodies = {batch: place.folder / f"body-{batch}.json" for batch in BATCHES}
    messages = {
        (form, batch): place.folder / f"{form}-{batch}.bin"
        for form in contender.grpc_forms
        for batch in BATCHES
    }
    for batch, path in bodies.items():
        path.write_text(json.dumps(contender.body(rows[:batch])), encoding="utf-8")
    for (form, batch), path in messages.items():
        run_helper(place, python, "bench.serving_peers.grpc_bodies", form, str(bodies[batch]), str(path))
    command = [str(python), *contender.arguments(place)]
    probe = (contender.path, bodies[1].read_bytes())
    with running(command, environment(place, python), place.folder, place.port, probe) as server:
        entry = Started(contender, place, server, bodies, messages)
        for form in (REST, *contender.grpc_forms):
            _load(entry, Phase(1, GRPC_CONNECTIONS, form), WARM_UP_S)
        yield entry


def _sample(entry: Started, phase: Phase, seconds: float) -> Sample:
    before = entry.server.cpu_s()
    load = _load(entry, phase, seconds)
    cpu = entry.server.cpu_s() - before
    if load.failed or not load.requests:
        raise RunFailed(f"{entry.contender.name}: {load.failed} of {load.requests} requests failed ({phase})")
    return Sample(1000 * cpu / load.requests, load)


def _load(entry: Started, phase: Phase, seconds: float) -> Load:
    """One phase of the load generator, in a process of its own."""
    if phase.form == REST:
        target = {"kind": "rest", "port": entry.place.port, "path": entry.contender.path}
        body = entry.bodies[phase.rows]
    else:
        target = {"kind": "grpc", "port": entry.place.grpc_port, "path": entry.contender.grpc}
        body = entry.messages[phase.form, phase.rows]
    plan = {**target, "body": str(body), "connections": phase.connections, "seconds": seconds}
    command = [str(python_of(LOAD_RUNTIME)), "-m", "bench.serving_load", json.dumps(plan)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if ended.returncode != 0:
        raise RunFailed(f"the load generator ended with {ended.returncode}:\n{ended.stderr[-2000:]}")
    return Load(**json.loads(ended.stdout))


def _check_same(started: Sequence[Started]) -> None:
    """Raises RunFailed where two servers predict different things: then they do not serve the same model."""
    found = {entry.contender.name: _predictions(entry) for entry in started}
    first, expected = next(iter(found.items()))
    for name, predictions in found.items():
        same = len(predictions) == len(expected) and all(
            math.isclose(one, other, rel_tol=SAME_PREDICTION) for one, other in zip(predictions, expected)
        )
        if not same:
            raise RunFailed(
                f"{name} predicts {predictions[:3]} …, {first} {expected[:3]} …; not the same model"
            )


def _predictions(entry: Started) -> list[float]:
    connection = http.client.HTTPConnection(HOST, entry.place.port, timeout=30)
    body = entry.bodies[max(BATCHES)].read_bytes()
    try:
        connection.request("POST", entry.contender.path, body, {"Content-Type": "application/json"})
        return entry.contender.predictions(json.loads(connection.getresponse().read()))
    finally:
        connection.close()


def ratios(figures: Mapping[str, Figures], peer: str, rows: int = 1) -> tuple[float, ...]:
    """CPU of ours ÷ CPU of the peer at each number of connections: the median of the rounds' own ratios."""
    ours, theirs = figures[OURS].samples, figures[peer].samples
    return tuple(
        median(one.cpu_ms / other.cpu_ms for one, other in zip(ours[phase], theirs[phase]))
        for phase in REST_PHASES
        if phase.rows == rows
    )


def rows_per_cpu_s(figures: Figures) -> tuple[float, ...]:
    """At the greatest batch, at each number of connections."""
    return tuple(1000 * p.rows / figures.cpu_ms(p) for p in REST_PHASES if p.rows == max(BATCHES))


def met(figures: Mapping[str, Figures]) -> bool:
    """Whether every target is met, at every number of connections, with nobody left out."""
    return all(
        peer in figures and max(ratios(figures, peer)) <= limit for peer, limit in GREATEST_RATIO.items()
    ) and (min(rows_per_cpu_s(figures[OURS])) >= LEAST_ROWS_PER_CPU_S)


def report(figures: Mapping[str, Figures], left_out: Mapping[str, str]) -> str:
    """The tables."""
    parts = [
        where_and_when("python -m bench serving"),
        "CPU ms of a request: user and system time of all of a server's processes, one worker each, nothing subtracted. All servers "
        "run at the same time and take turns; medians over the rounds, ratios round by round. The load generator is a process of "
        "its own on the same cores, so that requests/s are not the servers' best.",
        _cost_table(figures),
        *([_ratio_table(figures), _rows_line(figures[OURS])] if OURS in figures else []),
        _latency_table(figures),
        _grpc_table(figures),
        *(f"Not measured: {name}: {reason}" for name, reason in left_out.items()),
    ]
    return "\n\n".join(parts)


def _cost_table(figures: Mapping[str, Figures]) -> str:
    heads = [f"{_rows(p.rows)}, {p.connections} conn." for p in REST_PHASES]
    rows = [
        [
            name,
            f"{seen.start_s:.1f}",
            f"{seen.memory_mib:.0f}",
            *(f"{seen.cpu_ms(p):.2f}" for p in REST_PHASES),
        ]
        for name, seen in figures.items()
    ]
    return table(["CPU ms of a REST request", "start s", "memory MiB", *heads], rows)


def _ratio_table(figures: Mapping[str, Figures]) -> str:
    rows = []
    for peer in (name for name in (*GREATEST_RATIO, SELDON) if name in figures):
        limit = GREATEST_RATIO.get(peer)
        found = ratios(figures, peer)
        verdict = "" if limit is None else "yes" if max(found) <= limit else "NO"
        rows.append(
            [peer, "" if limit is None else f"{limit}", *(f"{ratio:.2f}" for ratio in found), verdict]
        )
    heads = [f"{connections} conn." for connections in CONNECTIONS]
    return table(["CPU of a single-row request, ours ÷ theirs", "at most", *heads, "met"], rows)


def _rows_line(ours: Figures) -> str:
    found = ", ".join(f"{rate:,.0f}" for rate in rows_per_cpu_s(ours))
    return (
        f"Rows per CPU second at batch {max(BATCHES)}, ours, at {', '.join(map(str, CONNECTIONS))} connections: {found} "
        f"(target: at least {LEAST_ROWS_PER_CPU_S:,})."
    )


def _latency_table(figures: Mapping[str, Figures]) -> str:
    heads = [f"{_rows(p.rows)}, {p.connections} conn." for p in REST_PHASES]
    rows = [
        [name, *(f"{seen.latency(p)} / {seen.per_s(p):,.0f}" for p in REST_PHASES)]
        for name, seen in figures.items()
    ]
    return table(["p50 ms / p99 ms / requests/s", *heads], rows)


def _grpc_table(figures: Mapping[str, Figures]) -> str:
    rows = []
    for name, seen in figures.items():
        for form in dict.fromkeys(phase.form for phase in seen.samples if phase.form != REST):
            one, many = (Phase(batch, GRPC_CONNECTIONS, form) for batch in BATCHES)
            costs = [f"{seen.cpu_ms(phase):.2f}" for phase in (one, many)]
            seen_by_client = [seen.latency(p) for p in (one, many)]
            rows.append([f"{name}, {form}", *costs, *seen_by_client, f"{seen.per_s(one):,.0f}"])
    heads = [f"CPU ms, {_rows(batch)}" for batch in BATCHES] + [
        f"p50 / p99 ms, {_rows(batch)}" for batch in BATCHES
    ]
    return table([f"gRPC, {GRPC_CONNECTIONS} connections", *heads, "requests/s, 1 row"], rows)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


if __name__ == "__main__":
    sys.exit(main())
