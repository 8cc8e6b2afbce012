"""What `pedalflow rollout` does: checks the release, rolls it out on the servers here (`serving.rolling_out`) or on a cluster
(`serving.cluster`), and says what it came to.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from pedalflow.champion import Pointer
from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.command.runtimes import python_of, surroundings
from pedalflow.command.table import PIPELINES
from pedalflow.errors import ReleaseBroken, RunFailed, SettingsError
from pedalflow.lock import exclusive
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.workspace import Workspace
from serving.cluster.pace import USUAL_PACE, Pace
from serving.rolling_out import Promote, Trial, rolled_out
from serving.rollout import Rule
from serving.served import load_served

CLUSTER_ONLY = (
    *("namespace", "context", "prometheus", "release_uri", "checksum"),
    *("steps", "hold_s", "available_s", "no_registry"),
)
PROMOTED_WITHIN_S = 600.0  # a training may be at work, which a promotion waits for


def promote_by_registry(workspace: Workspace, release: str) -> None:
    """Let the pipelines' runtime, which has the registry, make the release champion.

    Raises:
        RunFailed: it refused, or took too long.
    """
    command = [
        *(str(python_of(PIPELINES)), "-m", "pipelines.promote_command"),
        *("--workspace", str(workspace.root), release, "--json"),
    ]
    try:
        done = subprocess.run(
            command,
            cwd=options.ROOT,
            env=surroundings(os.environ, verbose=False),
            capture_output=True,
            text=True,
            timeout=PROMOTED_WITHIN_S,
        )
    except subprocess.TimeoutExpired as error:
        raise RunFailed(
            f"the promotion of {release} did not end within {PROMOTED_WITHIN_S:g} s; look at the registry, then roll out again"
        ) from error
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1].removeprefix("pedalflow: ")
        raise RunFailed(f"{release} was not promoted: {said}")


def main(argv: list[str], promote: Promote = promote_by_registry, pace: Pace = USUAL_PACE) -> int:
    """Run `pedalflow rollout` with the given arguments; returns the exit code."""
    arguments = options.parse("rollout", argv)
    silence(verbose=arguments.verbose)
    workspace, progress = Workspace(arguments.workspace), Progress(sys.stderr)
    rule = Rule(rows=arguments.canary_rows, patience_s=arguments.patience_s)
    if arguments.cluster:
        from serving.cluster.command import (
            rolled_out_on_cluster,
        )  # the cluster's client takes a while to import

        return rolled_out_on_cluster(arguments, workspace, rule, promote, progress.say, pace)
    _check_local(arguments)
    with progress.step("checking the release"):
        pointer = candidate(workspace, arguments.release)
    busy = f"another rollout is at work in {workspace.root}; wait until it is over"
    with exclusive(workspace.serving / "rollout.lock", busy):
        trial = Trial(workspace, pointer, arguments.percent, rule, promote, progress.say)
        record = rolled_out(trial)
    print(record.to_json() if arguments.json else f"{record.release} is {record.outcome}: {record.reason}")
    return 0


def _check_local(arguments: argparse.Namespace) -> None:
    """Raises SettingsError where no release is named, or an option is given that servers on this machine know nothing of."""
    if arguments.release is None:
        raise SettingsError("name the release to roll out, such as r-ac5bb310e003")
    given = [name for name in CLUSTER_ONLY if getattr(arguments, name) is not None]
    if given:
        options_ = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise SettingsError(f"{options_} counts on a cluster only; add --cluster, or leave it out")


def candidate(workspace: Workspace, wanted: str) -> Pointer:
    """The release by its name or its folder, checked whole.

    Raises:
        SettingsError: there is no such release.
        ReleaseBroken: it cannot serve.
    """
    is_name = "/" not in wanted and (workspace.releases / wanted).is_dir()
    folder = workspace.releases / wanted if is_name else Path(wanted).expanduser().resolve()
    if not folder.is_dir():
        raise SettingsError(f"there is no release {wanted}, neither in {workspace.releases} nor as a folder")
    release = load_served(folder).release
    if is_name and release.name != wanted:
        raise ReleaseBroken(f"{folder} holds {release.name}; move the folder away")
    return Pointer(release.name, release.checksum, release.folder)


if __name__ == "__main__":
    sys.exit(outermost(main))
