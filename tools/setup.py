"""Sets up what the project needs on this machine: uv, interpreters and one virtual environment per runtime.

    tools/python tools/setup.py dev pipelines      # what `make run` and `make test` call first
    tools/python tools/setup.py --check            # says what is there and what is not, changes nothing

Standard library only, Python 3.8 or newer. A second call compares stamps and returns at once.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import List, Optional

import locks
from environments import ENVIRONMENTS, VENV, Environment, build, interpreter_for, what_is_wrong
from interpreters import SetupError, python_with_venv

OLDEST_UV = (0, 5)
EXIT_ENVIRONMENT_MISSING = 5  # the same number as in pedalflow.command.exits
EXIT_INTERRUPTED = 130


def _uv_runs(path: str) -> bool:
    """True if `path` is a uv that starts and is new enough for the options used here."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30)
        version = tuple(int(part) for part in done.stdout.split()[1].split(".")[:2])
    except (OSError, subprocess.TimeoutExpired, IndexError, ValueError):
        return False
    return done.returncode == 0 and version >= OLDEST_UV


def _bootstrap_uv(folder: Path) -> str:
    """Installs the locked uv into its own environment at `folder` and returns its path."""
    begun = time.monotonic()
    lock = locks.path_of("uv")
    version = locks.read(lock)["uv"]
    python = python_with_venv(sys.executable)
    if python is None:
        raise SetupError(
            "uv is missing, and no Python here can make an environment to install it into; install the venv module "
            "(on Debian or Ubuntu: apt-get install python3-venv) or uv itself, and call this again"
        )
    print(
        f"uv {version}: not on this machine, installing it into {folder.relative_to(locks.ROOT)}", flush=True
    )
    made = subprocess.run([python, "-m", "venv", "--clear", str(folder)], capture_output=True, text=True)
    if made.returncode != 0:
        raise SetupError(
            f"{python} could not make an environment in {folder}: {' '.join(made.stdout.split())[-300:]}"
        )
    install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "-r",
        str(lock),
    ]
    done = subprocess.run([str(folder / "bin" / "python"), *install], capture_output=True, text=True)
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["nothing"]
        raise SetupError(
            f"pip could not install uv from requirements/uv.txt; check this machine's connection, or install uv yourself. "
            f"pip said: {said[-1].strip()}"
        )
    print(f"  done in {time.monotonic() - begun:.0f} s", flush=True)
    return str(folder / "bin" / "uv")


def find_uv() -> str:
    """A uv that runs: the one on PATH, the one installed here before, or a fresh one."""
    on_path = shutil.which("uv")
    if on_path and _uv_runs(on_path):
        return on_path
    ours = VENV / "uv" / "bin" / "uv"
    return str(ours) if _uv_runs(str(ours)) else _bootstrap_uv(VENV / "uv")


def _one_at_a_time():  # type: ignore[no-untyped-def]  # an open file; its type has no name on 3.8
    """Waits until no other set-up works in this folder; the lock ends with the returned file or the process."""
    VENV.mkdir(exist_ok=True)
    held = (VENV / "setup.lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("another set-up is at work here: waiting for it", flush=True)
        fcntl.flock(held, fcntl.LOCK_EX)
    return held


def set_up(wanted: List[Environment]) -> None:
    """Builds those of the `wanted` environments that are not complete; raises SetupError."""
    if all(what_is_wrong(environment) is None for environment in wanted):
        return
    begun = time.monotonic()
    with _one_at_a_time():
        uv = ""
        built = 0
        for environment in wanted:
            wrong = what_is_wrong(environment)
            if wrong is None:
                continue
            uv = uv or find_uv()
            interpreter = interpreter_for(environment, uv)
            if interpreter is None:
                continue
            if wrong != "it does not exist":
                print(f"{environment.name} is built again: {wrong}", flush=True)
            build(environment, uv, interpreter)
            built += 1
    if built:
        print(f"set-up finished in {time.monotonic() - begun:.0f} s", flush=True)


def report(wanted: List[Environment], as_json: bool) -> bool:
    """Prints the state of each environment and returns True if every one that must be there is complete."""
    states = {environment.name: what_is_wrong(environment) for environment in wanted}
    if as_json:
        print(json.dumps(states))
    else:
        for name, wrong in states.items():
            print(f"{name:10} {'complete' if wrong is None else wrong}")
    return all(wrong is None for name, wrong in states.items() if not ENVIRONMENTS[name].optional)


def parse(argv: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/setup.py", description="Sets up the project's virtual environments."
    )
    parser.add_argument(
        "environments",
        nargs="*",
        metavar="ENVIRONMENT",
        help=f"of {', '.join(ENVIRONMENTS)}; all if none is named",
    )
    parser.add_argument("--check", action="store_true", help="only say what is complete and what is not")
    parser.add_argument(
        "--json", action="store_true", help="with --check: as JSON, null where nothing is wrong"
    )
    parser.add_argument(
        "--renew-locks", action="store_true", help="compile requirements/*.txt again (`make locks`)"
    )
    parser.add_argument(
        "--upgrade", action="store_true", help="with --renew-locks: take the newest versions that fit"
    )
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.environments if name not in ENVIRONMENTS]
    if unknown:
        parser.error(f"there is no environment {unknown[0]!r}; choose of {', '.join(ENVIRONMENTS)}")
    return arguments


def main(argv: Optional[List[str]] = None) -> int:
    arguments = parse(argv)
    wanted = [ENVIRONMENTS[name] for name in arguments.environments or ENVIRONMENTS]
    try:
        if arguments.renew_locks:
            locks.renew(find_uv(), arguments.upgrade)
        elif arguments.check:
            return 0 if report(wanted, arguments.json) else EXIT_ENVIRONMENT_MISSING
        else:
            set_up(wanted)
    except SetupError as error:
        print(f"pedalflow: {error}", file=sys.stderr)
        return EXIT_ENVIRONMENT_MISSING
    except KeyboardInterrupt:
        print(
            "\npedalflow: interrupted; the next call begins the unfinished environment again", file=sys.stderr
        )
        return EXIT_INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
