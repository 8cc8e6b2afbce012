"""Where the code came from and what it ran on."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PLATFORM = ("components", "detectors", "pedalflow", "pipelines")
ENVIRONMENT = (
    "tfx",
    "tensorflow",
    "tensorflow-transform",
    "keras",
    "numpy",
    "scipy",
    "pyarrow",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "mlflow",
)
UNKNOWN = "unknown"
IMAGE_COMMIT_VARIABLE = (
    "PEDALFLOW_COMMIT"  # an image holds no git; its Dockerfile says what it was built from
)
DIRTY = "-dirty"


def code_folders(use_case: str) -> tuple[str, ...]:
    """The folders whose sources decide a release of the use case with this dotted name, below the repository."""
    return (use_case.replace(".", "/"), *PLATFORM)


def commit(folders: tuple[str, ...]) -> tuple[str, bool]:
    """The commit that is checked out, and whether the code in `folders` differs from it.

    Without a git repository it is the commit that the image was built from, and `unknown` where there is no image either.
    """
    head = _git("rev-parse", "HEAD")
    if head is None:
        return _commit_of_image()
    return head, bool(_git("status", "--porcelain", "--", *folders))


def _commit_of_image() -> tuple[str, bool]:
    built_from = os.environ.get(IMAGE_COMMIT_VARIABLE, UNKNOWN)
    return built_from.removesuffix(DIRTY), built_from == UNKNOWN or built_from.endswith(DIRTY)


def environment() -> dict[str, str]:
    """Versions of the interpreter and of the packages that decide the bytes of a release."""
    return {"python": platform.python_version()} | {name: version(name) for name in ENVIRONMENT}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(REPOSITORY), *arguments], capture_output=True, text=True, check=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
