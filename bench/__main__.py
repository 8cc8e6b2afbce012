"""`python -m bench NAME|all`: prints the figures that docs/benchmarks.md keeps; what follows a name goes to that benchmark."""

from __future__ import annotations

import argparse
import subprocess
import sys

from pedalflow.command.options import ROOT
from pedalflow.command.runtimes import python_of

PIPELINES, SERVING, TRIGGERS = "pipelines", "serving", "triggers"
BENCHMARKS = {
    "quality": PIPELINES,
    "cost": PIPELINES,
    "scale": PIPELINES,
    "detection": SERVING,
    "serving": PIPELINES,
    "serving_soak": PIPELINES,
    "triggers_accept": TRIGGERS,
    "triggers_storm": TRIGGERS,
    "triggers_kill": TRIGGERS,
}


def main(argv: list[str]) -> int:
    """Run one benchmark, or all one after the other, each in its runtime. Returns 1 where any missed a target."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("benchmark", choices=(*BENCHMARKS, "all"))
    arguments, rest = parser.parse_known_args(argv)
    chosen = list(BENCHMARKS) if arguments.benchmark == "all" else [arguments.benchmark]
    return max(_run(name, rest) for name in chosen)


def _run(name: str, arguments: list[str]) -> int:
    call = f"import sys; from bench.{name} import main; sys.exit(main(sys.argv[1:]))"
    command = [str(python_of(BENCHMARKS[name])), "-W", "ignore", "-c", call, *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
