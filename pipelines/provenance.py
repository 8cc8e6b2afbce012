"""Where the code came from and what it ran on."""

from __future__ import annotations

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


def code_folders(use_case: str) -> tuple[str, ...]:
    """The folders whose sources decide a release of the use case with this dotted name, below the repository."""
    return (use_case.replace(".", "/"), *PLATFORM)


def commit(folders: tuple[str, ...]) -> tuple[str, bool]:
    """The commit that is checked out, and whether the code in `folders` differs from it; `unknown` outside a git repository."""
    head = _git("rev-parse", "HEAD")
    if head is None:
        return UNKNOWN, True
    return head, bool(_git("status", "--porcelain", "--", *folders))


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
