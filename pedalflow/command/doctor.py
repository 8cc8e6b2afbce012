"""`pedalflow doctor`: what is right and wrong on this machine, and the command that mends each thing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from pedalflow.command.options import ROOT
from pedalflow.command.runtimes import runtime_of_image
from pedalflow.tables import table

FREE_GB = 2.0  # a year of monthly runs with their artifacts takes about half of it
NEEDED_NOW = ("dev", "pipelines", "serving", "triggers")  # what `make run` and the commands start


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `needed` is False where its absence only leaves something out; `mend` is a command."""

    what: str
    right: bool
    needed: bool
    said: str
    mend: str = ""


def _environments(root: Path) -> list[Finding]:
    """The state of each environment, asked of the set-up itself, which is the only one to know what a stamp means."""
    ask = [sys.executable, str(root / "tools" / "setup.py"), "--check", "--json"]
    done = subprocess.run(ask, capture_output=True, text=True)
    try:
        states: dict[str, str | None] = json.loads(done.stdout)
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        return [
            Finding(
                "environments",
                False,
                True,
                f"the set-up could not be asked: {said}",
                "git status tools requirements",
            )
        ]
    return [
        Finding(
            f"environment {name}",
            wrong is None,
            name in NEEDED_NOW,
            wrong or "complete",
            f"make setup ENVIRONMENTS={name}",
        )
        for name, wrong in states.items()
    ]


def _git(root: Path) -> Finding:
    git = shutil.which("git")
    if git is None:
        return Finding("git", False, True, "git is not installed", "apt-get install git")
    asked = subprocess.run(
        [git, "-C", str(root), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    )
    if asked.returncode != 0:
        said = "the project has no commit to name: runs cannot say which code they used"
        return Finding(
            "git", False, True, said, f"cd {root} && git init -q && git add -A && git commit -m start"
        )
    return Finding("git", True, True, f"at commit {asked.stdout.strip()}")


def _writable(workspace: Path) -> Finding:
    """Whether the workspace, or the nearest folder above one that is still to be made, can be written."""
    nearest = next(folder for folder in (workspace, *workspace.parents) if folder.exists())
    right = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    said = f"{workspace} {'can be written' if right else 'cannot be written'}"
    return Finding("workspace", right, True, said, f"chmod u+rwx {nearest}")


def _disk(workspace: Path) -> Finding:
    nearest = next(folder for folder in (workspace, *workspace.parents) if folder.exists())
    free = shutil.disk_usage(nearest).free / 1e9
    return Finding(
        "disk",
        free >= FREE_GB,
        True,
        f"{free:.0f} GB free, {FREE_GB:.0f} GB needed",
        f"du -xh --max-depth=2 {nearest}",
    )


def examine(workspace: Path, root: Path = ROOT) -> list[Finding]:
    """Everything the doctor looks at, in the order in which it should be mended."""
    version = ".".join(map(str, sys.version_info[:3]))
    python = Finding(
        "interpreter", sys.version_info >= (3, 10), True, f"Python {version} runs this command", "make setup"
    )
    if held := runtime_of_image():
        found = Finding(f"environment {held}", True, True, f"the one that this image holds, in {sys.prefix}")
        return [python, found, _disk(workspace), _writable(workspace)]
    return [_git(root), python, *_environments(root), _disk(workspace), _writable(workspace)]


def run(workspace: Path, as_json: bool) -> int:
    """Prints the findings and returns 0 if everything needed is right, else 1."""
    findings = examine(workspace)
    sick = [finding for finding in findings if finding.needed and not finding.right]
    if as_json:
        print(
            json.dumps({"healthy": not sick, "findings": [asdict(finding) for finding in findings]}, indent=1)
        )
        return 1 if sick else 0
    words = {(True, True): "ok", (True, False): "ok", (False, True): "WRONG", (False, False): "left out"}
    rows = [(words[f.right, f.needed], f.what, f.said, "" if f.right else f.mend) for f in findings]
    print(table(rows, ("state", "what", "found", "mended by")))
    print(f"\n{len(sick)} of {len(findings)} need mending" if sick else "\nall that is needed is right")
    return 1 if sick else 0
