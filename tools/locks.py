"""The locks in requirements/: which there are, what they are compiled from, how they are read and renewed.

`make locks` calls this file. A lock holds `name==version` lines with the sha256 of every file of that version, and no
address: where packages come from is the business of the machine that installs them.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

from interpreters import SetupError

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
# The image's and Debian 12's C library is newer than this; TFX 1.16's own wheels ask for less.
LINUX = ("--python-platform", "x86_64-manylinux_2_28")
PLATFORM = ("--python-version", "3.10", *LINUX)
NEXT = ("--python-version", "3.12", *LINUX)
PIN = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9._-]*)(\[[a-z0-9,_-]+\])?==(?P<version>[^\s;]+)(\s*;[^\\]*)?\s*\\$"
)
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


class Lock(NamedTuple):
    """A lock and what it is compiled from. `options` are uv's, relative to the repository root."""

    name: str
    source: str
    options: Tuple[str, ...]


LOCKS = (
    Lock("pipelines", "pyproject.toml", ("--extra", "pipelines", *PLATFORM)),
    # dev is laid over pipelines, so that the tests run beside TFX: every version the two share must be the same.
    Lock(
        "dev", "pyproject.toml", ("--extra", "dev", "--constraints", "requirements/pipelines.txt", *PLATFORM)
    ),
    Lock(
        "notebooks",
        "pyproject.toml",
        (
            "--extra",
            "notebooks",
            "--constraints",
            "requirements/pipelines.txt",
            "--constraints",
            "requirements/dev.txt",
            *PLATFORM,
        ),
    ),
    Lock(
        "serving",
        "pyproject.toml",
        ("--extra", "serving", "--overrides", "requirements/serving-overrides.txt", *PLATFORM),
    ),
    Lock(
        "serving-tests",
        "pyproject.toml",
        ("--extra", "serving-tests", "--constraints", "requirements/serving.txt", *PLATFORM),
    ),
    Lock("serving-next", "pyproject.toml", ("--extra", "serving-next", *NEXT)),
    Lock(
        "serving-next-tests",
        "pyproject.toml",
        ("--extra", "serving-tests", "--constraints", "requirements/serving-next.txt", *NEXT),
    ),
    Lock("peers", "pyproject.toml", ("--extra", "peers", *PLATFORM)),
    Lock("peers-mlserver", "pyproject.toml", ("--extra", "peers-mlserver", *PLATFORM)),
    Lock("triggers", "pyproject.toml", ("--extra", "triggers", *PLATFORM)),
    Lock(
        "triggers-tests",
        "pyproject.toml",
        ("--extra", "triggers-tests", "--constraints", "requirements/triggers.txt", *PLATFORM),
    ),
    Lock("delivery", "pyproject.toml", ("--extra", "delivery", *PLATFORM)),
    Lock("uv", "requirements/uv.in", ()),
)


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.txt"


def broken(path: Path, why: str) -> SetupError:
    return SetupError(
        f"the lock {path.relative_to(ROOT)} is broken: {why}; take it back with `git checkout {path.relative_to(ROOT)}` "
        "or renew it with `make locks`"
    )


def read(path: Path) -> Dict[str, str]:
    """The versions a lock pins, by package name; raises SetupError at the first line that is no pin or has no hash."""
    if not path.is_file():
        raise broken(path, "it is missing")
    pins: Dict[str, str] = {}
    hashed = True
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        pin = PIN.match(line)
        if pin and hashed:
            pins[pin.group("name")] = pin.group("version")
            hashed = False
        elif HASH.match(line) and pins:
            hashed = True
        else:
            raise broken(path, f"line {number} is neither a pin of the form name==version nor its sha256")
    if not pins or not hashed:
        raise broken(path, "it ends before the last pin's sha256" if pins else "it is empty")
    return pins


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def compile_command(uv: str, lock: Lock, upgrade: bool) -> List[str]:
    """The command that renews `lock`; without `upgrade` uv keeps every version that still fits."""
    plain = [
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--no-emit-index-url",
        "--no-emit-find-links",
        "--quiet",
    ]
    command = [
        uv,
        "pip",
        "compile",
        lock.source,
        *lock.options,
        *plain,
        "--output-file",
        f"requirements/{lock.name}.txt",
    ]
    return [*command, "--upgrade"] if upgrade else command


def renew(uv: str, upgrade: bool) -> None:
    """Compiles every lock again, in the order in which they constrain each other."""
    for lock in LOCKS:
        begun = time.monotonic()
        command = compile_command(uv, lock, upgrade)
        print(f"{lock.name}: {' '.join(['uv', *command[1:]])}", flush=True)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            raise SetupError(f"no set of versions was found for {lock.name}. uv said:\n{done.stderr.strip()}")
        print(f"  {len(read(path_of(lock.name)))} packages, {time.monotonic() - begun:.1f} s", flush=True)


if __name__ == "__main__":
    from setup import main

    sys.exit(main(["--renew-locks", *sys.argv[1:]]))
