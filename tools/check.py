"""What `make check` and `make test` do: each step named and timed, output shown only where a step fails, all steps run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
DEV = VENV / "dev" / "bin"
PIPELINES = VENV / "pipelines" / "bin"
DEV312 = VENV / "dev312" / "bin"
SERVING = VENV / "serving" / "bin"
SERVING_NEXT = VENV / "serving-next" / "bin"
TRIGGERS = VENV / "triggers" / "bin"
DELIVERY = VENV / "delivery" / "bin"
CODE = (
    "pedalflow",
    "bikeshare",
    "detectors",
    "components",
    "pipelines",
    "serving",
    "triggers",
    "bench",
    "tools",
)
# The ground floor and the set-up are standard library only, and their tests run without TFX.
GROUND_FLOOR = (
    "tests/unit/pedalflow",
    "tests/unit/command",
    *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("tests/unit/test_setup*.py")),
)
# Judged where they run: alibi-detect and Seldon's wrapper are there, TensorFlow is not.
SERVED = ("tests/unit/serving", "tests/unit/detectors")
DOOR = "tests/unit/triggers"
# One thread each: two pools on a small machine get in each other's way, and sums keep their order.
SURROUNDINGS = {
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_USE_LEGACY_KERAS": "0",
    "ORT_DISABLE_TELEMETRY": "1",
    "no_proxy": "127.0.0.1,localhost",  # the tests reach nothing else
}


@dataclass(frozen=True)
class Step:
    """One check. Where `needs` does not exist the step is left out, and `without` says how to have it.

    `shows` puts the last line of the output beside the result.
    """

    name: str
    command: tuple[str, ...]
    needs: Path | None = None
    without: str = ""
    shows: bool = False


def _with_code(folders: tuple[str, ...]) -> list[str]:
    """Those of `folders` that hold Python files already."""
    return [folder for folder in folders if any((ROOT / folder).rglob("*.py"))]


def _pytest(python: Path, *arguments: str) -> tuple[str, ...]:
    return (str(python / "python"), "-m", "pytest", "-q", *arguments)


def unit_steps() -> list[Step]:
    others = _with_code(tuple(name for name in CODE if name not in ("pedalflow", "triggers", "tools")))
    ignored = [f"--ignore={path}" for path in (*GROUND_FLOOR, *SERVED, DOOR)]
    return [
        Step("ruff check", (str(DEV / "ruff"), "check", ".")),
        Step("ruff format", (str(DEV / "ruff"), "format", "--check", ".")),
        Step("mypy, strict, the ground floor", (str(DEV / "mypy"), "--strict", "pedalflow")),
        # Its libraries have types, so it is judged where they are.
        Step(
            "mypy, strict, triggers",
            (str(DEV / "mypy"), "--strict", "--python-executable", str(TRIGGERS / "python"), "triggers"),
        ),
        Step("mypy, the other rooms", (str(DEV / "mypy"), *others)),
        Step("import rules", (str(DEV / "lint-imports"), "--no-cache")),
        Step("unit tests of the ground floor, Python 3.10", _pytest(DEV, *GROUND_FLOOR), shows=True),
        Step(
            "unit tests of the ground floor, Python 3.12",
            _pytest(DEV312, *GROUND_FLOOR),
            needs=DEV312 / "python",
            without="there is no Python 3.12 on this machine; install one (pyenv install 3.12) to have them",
            shows=True,
        ),
        Step("unit tests of serving and detectors", _pytest(SERVING, *SERVED), shows=True),
        Step("unit tests of triggers", _pytest(TRIGGERS, DOOR), shows=True),
        Step("unit tests of the other rooms", _pytest(PIPELINES, "tests/unit", *ignored), shows=True),
    ]


def slow_steps() -> list[Step]:
    return [
        Step(
            "tests of workflows, images, manifests, alerts and docs",
            _pytest(DELIVERY, "-rs", "tests/delivery"),
            shows=True,
        ),
        Step("integration tests of images", _pytest(DELIVERY, "-rs", "tests/integration_images"), shows=True),
        Step(
            "integration tests of serving", _pytest(SERVING, "-rs", "tests/integration_serving"), shows=True
        ),
        Step(
            "integration tests of triggers",
            _pytest(TRIGGERS, "-rs", "tests/integration_triggers"),
            shows=True,
        ),
        Step("integration tests", _pytest(PIPELINES, "-rs", "tests/integration"), shows=True),
    ]


def next_line_steps() -> list[Step]:
    """The serving tests on the newer line of Seldon and alibi-detect."""
    return [
        Step("unit tests of serving and detectors, newer line", _pytest(SERVING_NEXT, *SERVED), shows=True),
        Step(
            "integration tests of serving, newer line",
            _pytest(SERVING_NEXT, "-rs", "tests/integration_serving"),
            shows=True,
        ),
    ]


def _run(step: Step) -> bool:
    """Runs one step, prints its line, and its output if it failed. True if it passed or cannot run here."""
    if step.needs and not step.needs.exists():
        print(f"{step.name} … left out: {step.without}", flush=True)
        return True
    begun = time.monotonic()
    done = subprocess.run(
        step.command,
        cwd=ROOT,
        env=os.environ | SURROUNDINGS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(_said(step, done, time.monotonic() - begun), flush=True)
    return done.returncode == 0


def _said(step: Step, done: subprocess.CompletedProcess[str], seconds: float) -> str:
    """What is printed of a step: one text, since another step may print at the same time."""
    lines = done.stdout.rstrip().splitlines()
    if done.returncode != 0:
        return f"{step.name} … FAILED after {seconds:.1f} s\n{done.stdout.rstrip()}\n"
    last = f" ({lines[-1].strip('= ')})" if step.shows and lines else ""
    skipped = [f"  left out: {line.removeprefix('SKIPPED ')}" for line in lines if line.startswith("SKIPPED")]
    return "\n".join([f"{step.name} … ok, {seconds:.1f} s{last}", *skipped])


def _failed(steps: list[Step], at_once: int) -> list[str]:
    """Runs the steps, `at_once` at the same time, and returns the names of those that failed."""
    with ThreadPoolExecutor(at_once) as lanes:
        passed = list(lanes.map(_run, steps))
    return [step.name for step, good in zip(steps, passed) if not good]


def main(arguments: list[str]) -> int:
    # A job in a shell's background ignores SIGINT and would hand that on to the tests, some of which send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    begun = time.monotonic()
    if "--next-line" in arguments:
        if not (SERVING_NEXT / "python").exists():
            print(
                "there is no Python 3.12 on this machine; install one (pyenv install 3.12) and call this again"
            )
            return 1
        failed = _failed(next_line_steps(), 1)
    else:
        # The longest first, so that the short ones fill the other lane. Slow tests start servers: one after the other.
        failed = _failed(sorted(unit_steps(), key=lambda step: "other rooms" not in step.name), 2)
        failed += _failed(slow_steps(), 1) if "--slow" in arguments else []
    seconds = time.monotonic() - begun
    print(_summary(failed, seconds))
    return 1 if failed else 0


def _summary(failed: list[str], seconds: float) -> str:
    return f"failed: {', '.join(failed)} ({seconds:.0f} s)" if failed else f"all passed in {seconds:.0f} s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
