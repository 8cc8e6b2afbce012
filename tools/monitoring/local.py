"""A real Prometheus beside the local servers, with the manifests' own rules: `python -m tools.monitoring.local --data DIR`.

It scrapes what `pedalflow serve` (or the loop) starts and the triggers service, until Ctrl-C. `--faster N` lets the rules' time run N times
as fast, for a replay in which a year passes in minutes.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.monitoring.plain import faster, plain_prometheus, rule_files, scrape_config

HOST = "127.0.0.1"
TRIGGERS = 100  # above the first port of the servers, where the loop starts it
# Job, offset from the first port, path and labels; docs/serving.md has the ports.
TARGETS = (
    ("pedalflow-executor", 0, "/prometheus", {"container": "seldon-container-engine"}),
    ("pedalflow-serving", 3, "/metrics", {"container": "predictor"}),
    ("pedalflow-serving", 6, "/metrics", {"container": "canary"}),
    ("pedalflow-serving", 13, "/metrics", {"container": "outliers"}),
    ("pedalflow-serving", 23, "/metrics", {"container": "explainer"}),
    ("pedalflow-events", 31, "/metrics", {"service": "drift"}),
)


def scrapes(first_port: int, triggers: str) -> list[dict[str, Any]]:
    """The jobs for the servers whose block begins at `first_port`, and for the triggers service at `triggers` (host:port)."""
    made = [
        scrape_config(job, f"{HOST}:{first_port + offset}", path, labels)
        for job, offset, path, labels in TARGETS
    ]
    service = scrape_config("pedalflow-triggers", triggers, "/metrics", {"service": "triggers"})
    return [*made, service]


def write_rules(folder: Path, factor: float) -> list[Path]:
    """The rule files of the manifests, their time `factor` times as fast; where they lie."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, spec in sorted(rule_files().items()):
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(faster(spec, factor), sort_keys=False), encoding="utf-8")
        paths.append(path)
    return paths


def command(data: Path, config: Path, port: int) -> list[str]:
    """How Prometheus is started."""
    return [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={data / 'tsdb'}",
        f"--web.listen-address={HOST}:{port}",
        "--log.level=warn",
    ]


def main(arguments: Sequence[str]) -> int:
    """Write the configuration and run Prometheus until a signal."""
    given = _parser().parse_args(arguments)
    if shutil.which("prometheus") is None:
        print(
            "prometheus is missing; Debian's package `prometheus` has it: apt-get install prometheus",
            file=sys.stderr,
        )
        return 1
    rules = write_rules(given.data / "rules", given.faster)
    config = given.data / "prometheus.yaml"
    interval = f"{given.interval_s}s"
    config.write_text(
        yaml.safe_dump(
            plain_prometheus(
                scrapes(given.first_port, f"{HOST}:{given.first_port + TRIGGERS}"), rules, "", interval
            )
        ),
        encoding="utf-8",
    )
    print(f"Prometheus is http://{HOST}:{given.port}/ ; Ctrl-C stops it", flush=True)
    process = subprocess.Popen(command(given.data, config, given.port))
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        return process.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.monitoring.local", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the configuration and of what is measured"
    )
    parser.add_argument(
        "--first-port", type=int, default=9000, help="first port of the servers' block (9000)"
    )
    parser.add_argument("--port", type=int, default=9090, help="port of Prometheus (9090)")
    parser.add_argument("--interval-s", type=int, default=30, help="seconds between two scrapes (30)")
    parser.add_argument(
        "--faster", type=float, default=1.0, help="how many times as fast the rules' time runs (1)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
