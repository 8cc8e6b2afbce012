"""`pedalflow predict` as a process: the same answers as the server's, exit codes, memory, and what an interruption leaves."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pedalflow.release import Release
from tests.integration_serving import servers
from tests.samples.small_release import sample_rows

MIB = 2**20
# Prints the greatest memory of the command, in bytes, which a parent cannot see of one child among many.
MEASURED = """
import resource, sys
from serving.predict_command import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
sys.exit(code)
"""


def write_csv(path: Path, rows: Sequence[dict[str, Any]], times: int = 1) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for _ in range(times):
            writer.writerows(rows)
    return path


def command(release: Release, source: Path, target: Path, *more: str) -> list[str]:
    given = ["--release", str(release.folder), "--input", str(source), "--output", str(target), *more]
    return [sys.executable, "-m", "serving.predict_command", *given]


def test_a_file_gets_the_predictions_that_the_server_gives(release: Release, tmp_path: Path) -> None:
    rows = sample_rows(300)
    source = write_csv(tmp_path / "in.csv", rows)
    subprocess.run(
        command(release, source, tmp_path / "out.csv"), cwd=servers.ROOT, check=True, capture_output=True
    )
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    body = {"data": {"names": list(rows[0]), "ndarray": [list(row.values()) for row in rows]}}
    with servers.wrapper(tmp_path / "server", {"release": str(release.folder)}) as server:
        reply = server.post("/predict", body).json
    assert [float(row["prediction"]) for row in found] == [row[0] for row in reply["data"]["ndarray"]]
    assert [row["outlier"] == "true" for row in found] == reply["meta"]["tags"]["outlier"]
    assert {row["release"] for row in found} == {reply["meta"]["tags"]["release"]}


def test_a_bad_row_ends_the_command_with_the_exit_code_of_refused_data(
    release: Release, tmp_path: Path
) -> None:
    rows = [{**row, "hum": 2.5} if n == 4 else row for n, row in enumerate(sample_rows(9))]
    source = write_csv(tmp_path / "in.csv", rows)
    done = subprocess.run(
        command(release, source, tmp_path / "out.csv"), cwd=servers.ROOT, capture_output=True, text=True
    )
    assert done.returncode == 3
    assert "row 5: field 'hum': 2.5 is out of range" in done.stderr
    assert not (tmp_path / "out.csv").exists()
    done = subprocess.run(
        command(release, source, tmp_path / "out.csv", "--on-error", "skip", "--json"),
        cwd=servers.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and json.loads(done.stdout)["refused"] == 1


def test_memory_does_not_grow_with_the_file(release: Release, tmp_path: Path) -> None:
    rows = sample_rows(8000)
    greatest = []
    for times in (4, 40):
        source = write_csv(tmp_path / f"{times}.csv", rows, times)
        given = command(release, source, tmp_path / f"{times}.parquet")[3:]
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, *given],
            cwd=servers.ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        greatest.append(int(done.stdout.splitlines()[-1]))
    assert greatest[1] - greatest[0] < 48 * MIB


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_command_leaves_no_output(
    release: Release, tmp_path: Path, stop: signal.Signals
) -> None:
    source = write_csv(tmp_path / "in.csv", sample_rows(8000), 20)
    slow = command(release, source, tmp_path / "out.csv", "--batch-rows", "10")
    with servers.process(slow, tmp_path / "process") as (started, output):
        servers.wait_for(lambda: list(tmp_path.glob(".out.csv.*.draft")))
        started.send_signal(stop)
        started.wait(servers.END_S)
    assert started.returncode == 130, output.read_text(encoding="utf-8")
    assert not list(tmp_path.glob("*out.csv*"))


def test_a_pipe_is_no_input(release: Release, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in.csv")
    given = command(release, tmp_path / "in.csv", tmp_path / "out.csv")
    done = subprocess.run(given, cwd=servers.ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and "is no file" in done.stderr
