"""The warm worker: imports everything once, then forks a child for each task that is asked for on the standard input.

One line in, a job as JSON; one line out, the exit code. The worker itself never runs an operation of TensorFlow's, whose threads would
not survive the fork. When the standard input closes, a child that is at work is killed and the worker ends.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import signal
import sys
import traceback
from importlib import import_module
from typing import Any, NoReturn

from pedalflow.long_lived import long_lived
from pedalflow.quiet import silence

IMPORTED = (
    "pipelines.builder",
    "pipelines.kubeflow.execution",
    "pipelines.kubeflow.run_plan",
    "keras",
    "mlflow.onnx",
    "tf2onnx",
)
READY = "ready"
LOOK_S = 0.02


def main() -> int:
    """Serve jobs until the standard input closes."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    silence(verbose=False)
    with long_lived():
        for name in IMPORTED:
            import_module(name)
    print(READY, file=answers)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _work(json.loads(line))
        print(_code_of(child), file=answers)
    return 0


def _work(job: dict[str, Any]) -> NoReturn:
    """In the child: run the module as `python -m` would."""
    output = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(number, target)
    os.environ.clear()
    os.environ.update(job["variables"])
    sys.argv = [job["module"], *job["arguments"]]
    code: Any = 1
    try:
        runpy.run_module(job["module"], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _code_of(child: int) -> int:
    """Wait for the child, as long as somebody waits for the answer."""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if _nobody_asks():
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise SystemExit(1)


def _nobody_asks() -> bool:
    """Whether the standard input was closed. Whoever asks sends nothing while a task is at work."""
    readable, _, _ = select.select([0], [], [], LOOK_S)
    return bool(readable) and not os.read(0, 1)


if __name__ == "__main__":
    sys.exit(main())
