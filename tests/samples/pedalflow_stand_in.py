"""A stand-in for the command `pedalflow` in tests of what calls it: it answers what the workspace's file `answers.json` says.

    {"train": [{"exit": 0, "json": {…}, "say": "…", "until": "go", "deaf": true}, …], "rollout": […]}

Each call takes the next answer of its subcommand, and the last one again and again. `until` waits for a file in the workspace,
`deaf` ignores SIGTERM, `leaves` starts a process that outlives it, whose number is in the file `left`. What it was called with is
added to `calls.jsonl`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, str(Path(__file__).resolve()))
SUBCOMMANDS = ("train", "rollout")


def calls(workspace: Path) -> list[dict[str, Any]]:
    """What it was called with, the first call first."""
    path = workspace / "calls.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main(arguments: list[str]) -> int:
    """Answer one call."""
    workspace = Path(arguments[arguments.index("--workspace") + 1])
    [step] = [word for word in arguments if word in SUBCOMMANDS]
    answers = json.loads((workspace / "answers.json").read_text())[step]
    before = sum(call["step"] == step for call in calls(workspace))
    answer = answers[min(before, len(answers) - 1)]
    signal.signal(signal.SIGTERM, signal.SIG_IGN if answer.get("deaf") else signal.default_int_handler)
    private = sorted(name for name in os.environ if name.startswith("PEDALFLOW_TRIGGERS_"))
    call = {"step": step, "arguments": arguments, "pid": os.getpid(), "private": private}
    with (workspace / "calls.jsonl").open("a") as file:
        file.write(json.dumps(call) + "\n")
    if answer.get("leaves"):
        left = subprocess.Popen(["sleep", "60"], start_new_session=True)
        (workspace / "left").write_text(str(left.pid))
    while "until" in answer and not (workspace / answer["until"]).exists():
        time.sleep(0.01)
    if "json" in answer:
        print(json.dumps(answer["json"]))
    if "say" in answer:
        print(f"Trainer … 1.0 s\npedalflow: {answer['say']}", file=sys.stderr)
    if answer.get("exit", 0) < 0:
        os.kill(os.getpid(), -answer["exit"])
    return int(answer.get("exit", 0))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
