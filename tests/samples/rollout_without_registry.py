"""`pedalflow rollout` without MLflow: `python rollout_without_registry.py MOMENT ARGUMENTS…`.

What stands for the promotion moves the champion's pointer, and nothing else. MOMENT is `promoted` to be killed right after that, `refused`
for a promotion that is refused, or `-`.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial

from pedalflow.champion import Pointer, write_pointer
from pedalflow.command.outermost import outermost
from pedalflow.errors import RunFailed
from pedalflow.release import open_release
from pedalflow.workspace import Workspace
from serving.rollout_command import main


def promote(moment: str, workspace: Workspace, name: str) -> None:
    """Let the workspace's pointer name a release of the workspace."""
    if moment == "refused":
        raise RunFailed(f"{name} was judged against another champion")
    release = open_release(workspace.releases / name, name)
    write_pointer(workspace.champion, Pointer(release.name, release.checksum, release.folder))
    if moment == "promoted":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(outermost(partial(main, promote=partial(promote, sys.argv[1])), sys.argv[2:]))
