"""Finding the Python interpreters that the environments need, on machines where a name on PATH proves nothing.

Standard library only, Python 3.8 or newer: this runs before anything is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Iterator, NamedTuple, Optional

# An interpreter built without one of these starts and then breaks MLflow, ML Metadata or downloads much later.
NEEDED_MODULES = "bz2, ctypes, lzma, sqlite3, ssl, zlib"
# `_base_executable` is the interpreter behind a virtual environment, which may be the one that is about to be rebuilt.
PROBE = (
    f"import sys, {NEEDED_MODULES}; print('%d.%d.%d' % sys.version_info[:3]); "
    "print(getattr(sys, '_base_executable', sys.executable))"
)


class SetupError(Exception):
    """A reason why the set-up cannot go on, as one sentence that says what to do."""


class Interpreter(NamedTuple):
    """A Python that was seen running. `version` is complete, for example 3.10.13."""

    path: str
    version: str


def probe(path: str) -> Optional[Interpreter]:
    """Runs `path` and returns what it says about itself; None if it does not run or lacks a needed module."""
    try:
        done = subprocess.run([path, "-I", "-c", PROBE], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) != 2:
        return None
    return Interpreter(path=lines[1], version=lines[0])


def pyenv_root() -> Path:
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


def _version_key(folder: Path) -> "tuple[int, ...]":
    return tuple(int(part) for part in re.findall(r"\d+", folder.name))


def candidates(version: str) -> Iterator[str]:
    """Paths that may be a Python of `version` (such as "3.10"): PATH first, then pyenv's versions, newest first."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, f"python{version}")
        if os.access(path, os.X_OK):
            yield path
    installed = pyenv_root().glob(f"versions/{version}.*/bin/python{version}")
    yield from (
        str(path) for path in sorted(installed, key=lambda p: _version_key(p.parents[1]), reverse=True)
    )


def find_without_uv(version: str) -> Optional[Interpreter]:
    for path in candidates(version):
        found = probe(path)
        if found and found.version.startswith(version + "."):
            return found
    return None


def find_with_uv(uv: str, version: str) -> Optional[Interpreter]:
    """The interpreter of `version` that uv knows (its own or the system's); it downloads nothing."""
    command = [uv, "python", "find", "--system", "--no-project", "--no-python-downloads", version]
    done = subprocess.run(command, capture_output=True, text=True)
    return probe(done.stdout.strip()) if done.returncode == 0 else None


def find_or_install(uv: str, version: str) -> Interpreter:
    """Python `version` from PATH, pyenv or uv, or installed by uv; raises SetupError when there is no way."""
    found = find_without_uv(version) or find_with_uv(uv, version)
    if found:
        return found
    print(f"  Python {version} is not on this machine: uv downloads one", flush=True)
    done = subprocess.run([uv, "python", "install", version], capture_output=True, text=True)
    found = find_with_uv(uv, version) if done.returncode == 0 else None
    if found:
        return found
    said = " ".join(done.stderr.split())[-300:] or "nothing"
    raise SetupError(
        f"Python {version} is missing and uv could not install it; install Python {version} yourself (pyenv install "
        f"{version}, or your system's package) or connect this machine to the internet. uv said: {said}"
    )


def python_with_venv(first: str) -> Optional[str]:
    """`first`, or another Python on this machine, that can make a virtual environment with pip in it; None if none can."""
    others = [
        shutil.which(name) for name in ("python3", "python3.10", "python3.11", "python3.12", "python3.13")
    ]
    pyenv = sorted(
        pyenv_root().glob("versions/3.*/bin/python3"), key=lambda p: _version_key(p.parents[1]), reverse=True
    )
    for path in [first, *filter(None, others), *map(str, pyenv)]:
        done = subprocess.run([path, "-I", "-c", "import venv, ensurepip"], capture_output=True)
        if done.returncode == 0:
            return path
    return None
