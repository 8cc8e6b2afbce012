"""Stands for the pipeline in the benchmarks of the triggers: takes no time, and writes down which run called it for what.

Called as `pedalflow` would be; the run is named by the folder in the command line of the process that calls.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from bench.serving_processes import PROC

CALLS = "calls"  # in the workspace: a line for each call
_ANSWERS = {
    "train": {"run_id": "span-01-bench", "outcome": "challenger", "release_id": "r-000000000001"},
    "rollout": {"outcome": "promoted", "reason": "nothing serves here", "champion": {}, "canary": {}},
}


def calls(workspace: Path) -> list[tuple[str, str]]:
    """The run and the step of each call, the first one first."""
    path = workspace / CALLS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [(run, step) for run, _, step in (line.partition(" ") for line in lines)]


def main(arguments: list[str]) -> int:
    """Answer one call."""
    workspace = Path(arguments[arguments.index("--workspace") + 1])
    (step,) = (word for word in arguments if word in _ANSWERS)
    with (workspace / CALLS).open("a", encoding="utf-8") as file:
        file.write(f"{_calling_run()} {step}\n")
    print(json.dumps(_ANSWERS[step]))
    return 0


def _calling_run() -> str:
    words = (PROC / str(os.getppid()) / "cmdline").read_bytes().decode().split("\0")
    return next(name for name in (Path(word).name for word in words) if name.startswith("q-"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
