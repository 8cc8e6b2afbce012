"""Which programs the commands of the docs may call, and what stands for each. A program in none of these tables is not found by the shell
in which the pages run, and its page fails.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

STAND_INS = Path(__file__).with_name("stand_ins.py")

# Run for real. `dvc`, `mlflow`, `pedalflow` and `python` come from the environment that the docs activate.
OF_THE_SHELL = (
    *("base64", "basename", "bash", "cat", "cp", "cut", "date", "dirname", "env", "getconf", "grep", "head", "ls", "mkdir", "mv"),
    *("ps", "readlink", "rm", "sed", "sh", "sha256sum", "sleep", "sort", "tail", "tr", "uname"),
)  # fmt: skip
HERE = ("curl", "git", "openssl", "prometheus")
# Run in part: what each stand-in leaves out is said beside it, in stand_ins.py.
IN_PART = {
    "kubectl": "the real one makes, renders and reads its own arguments; there is no cluster that it could speak to",
    "make": "make itself looks whether it knows the targets; tests run what they do, each for itself",
    "pip": "uv installs into a folder of the test; the environments of the project stay as they are",
}
# Where what a target of make does is run: the pages' make only looks whether there is such a target.
TARGETS = {
    "check": "tools/check.py",
    "images": "tests/delivery/images/test_images_tool.py",
    "manifests": "tests/delivery/manifests/test_renderings.py",
    "run": "tests/integration/test_loop.py",
    "setup": "tests/unit/test_setup_environments.py",
    "test": "tools/check.py",
}
# Not to be had where the tests run: their calls are noted, and nobody looks at their options.
NOT_HERE = {
    "docker": "needs an engine, and images that take minutes to build",
    "gcloud": "needs Google's SDK and an account",
    "helm": "is in none of the package indexes that the environments come from",
    "kind": "is in none of the package indexes that the environments come from",
    "kubeseal": "is in none of the package indexes that the environments come from",
    "kustomize": "is in none of the package indexes that the environments come from; kubectl brings the part that renders",
    "mc": "is in none of the package indexes that the environments come from",
    "rclone": "speaks to a store that is not there",
}
TABLES = (OF_THE_SHELL, HERE, tuple(IN_PART), tuple(NOT_HERE))


def install(folder: Path) -> None:
    """Fill a folder with all of them, so that it can be the whole PATH."""
    folder.mkdir(parents=True)
    for name in (*OF_THE_SHELL, *HERE):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    for name in (*IN_PART, *NOT_HERE):
        program = folder / name
        program.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" "{STAND_INS}" {name} "$@"\n', encoding="utf-8"
        )
        program.chmod(0o755)
