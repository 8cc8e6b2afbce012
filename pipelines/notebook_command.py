"""What `pedalflow notebook` does: copies the notebooks into the workspace and opens them there, so that no file of ours changes."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from pedalflow.command import options
from pedalflow.command.main import WORKSPACE_VARIABLE
from pedalflow.command.outermost import outermost
from pedalflow.errors import EnvironmentMissing
from pedalflow.workspace import Workspace
from pipelines.provenance import REPOSITORY

NOTEBOOKS = REPOSITORY / "notebooks"


def main(argv: list[str]) -> int:
    """Run `pedalflow notebook` with the given arguments; becomes JupyterLab."""
    arguments = options.parse("notebook", argv)
    if importlib.util.find_spec("jupyterlab") is None:
        raise EnvironmentMissing(
            "JupyterLab is missing in this environment; build it with: make setup ENVIRONMENTS=pipelines"
        )
    workspace = Workspace(arguments.workspace)
    folder = workspace.state / "notebooks"
    copied = bring(NOTEBOOKS, folder, fresh=arguments.fresh)
    _say(folder, copied, as_json=arguments.json)
    _become(lab(folder, arguments.port, browser=not arguments.no_browser), workspace)


def bring(source: Path, folder: Path, *, fresh: bool) -> tuple[str, ...]:
    """Copy the notebooks that `folder` lacks, or all of them if `fresh`; returns the names of those that were copied."""
    folder.mkdir(parents=True, exist_ok=True)
    copied = [path for path in sorted(source.glob("*.ipynb")) if fresh or not (folder / path.name).exists()]
    for path in copied:
        shutil.copyfile(path, folder / path.name)
    return tuple(path.name for path in copied)


def lab(folder: Path, port: int, *, browser: bool) -> list[str]:
    """The command line of JupyterLab: on this machine only, with its token, ended by one Ctrl-C, and reporting to nobody."""
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.answer_yes=True",
        "--Application.log_level=WARN",  # its address is shown all the same
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *([] if browser else ["--no-browser"]),
        *(["--allow-root"] if os.geteuid() == 0 else []),
    ]


def _say(folder: Path, copied: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"folder": str(folder), "copied": copied}), flush=True)
        return
    new = f"{len(copied)} notebooks are new there" if copied else "your own copies are there already"
    print(f"The notebooks are in {folder}: {new}. Ctrl-C ends JupyterLab.", file=sys.stderr, flush=True)


def _become(command: list[str], workspace: Workspace) -> NoReturn:
    os.execve(command[0], command, {**os.environ, WORKSPACE_VARIABLE: str(workspace.root)})


if __name__ == "__main__":
    sys.exit(outermost(main))
