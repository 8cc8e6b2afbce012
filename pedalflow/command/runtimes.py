"""Starting a runtime: the interpreter of one environment under .venv/, with surroundings in which libraries keep quiet.

A container image holds one runtime only, and says which one in a variable that its Dockerfile sets.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from pedalflow.command.options import ROOT
from pedalflow.errors import EnvironmentMissing

# The same bytes of model on every machine and in every process.
REPRODUCIBLE = {
    "PYTHONHASHSEED": "0",
    "TF_ENABLE_ONEDNN_OPTS": "0",  # oneDNN picks its kernels by processor, and their sums differ in the last bits
    "TF_USE_LEGACY_KERAS": "0",  # tensorflow_transform would set 1, and tf.keras would be another Keras than keras
    "CUDA_VISIBLE_DEVICES": "-1",
    "OPENBLAS_CORETYPE": "Haswell",  # OpenBLAS picks its kernels by processor too
    "OPENBLAS_NUM_THREADS": "1",  # with another number of threads sums of the detectors' fit differ in the last bits
}
QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GRPC_VERBOSITY": "ERROR",
    "GLOG_minloglevel": "2",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Ours are UserWarnings and pass; pedalflow.quiet sorts the rest by where it comes from.
    "PYTHONWARNINGS": "ignore::FutureWarning,ignore::DeprecationWarning,ignore::PendingDeprecationWarning",
}
# MLflow waits minutes for a server that is not there unless it is told otherwise; what the user sets stays.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
# A reference platform does not report on its users.
PRIVATE = {"MLFLOW_DISABLE_TELEMETRY": "true", "DVC_NO_ANALYTICS": "true", "ORT_DISABLE_TELEMETRY": "1"}
IMAGE_VARIABLE = "PEDALFLOW_RUNTIME"


def runtime_of_image() -> str | None:
    """The one runtime that this container image holds; None outside an image."""
    return os.environ.get(IMAGE_VARIABLE)


def python_of(runtime: str, root: Path = ROOT) -> Path:
    """The interpreter of `runtime`; raises EnvironmentMissing if its environment is not there."""
    if held := runtime_of_image():
        return _python_of_image(held, runtime)
    python = root / ".venv" / runtime / "bin" / "python"
    if not os.access(python, os.X_OK):
        raise EnvironmentMissing(
            f"the environment of the runtime {runtime!r} is missing ({python} does not run); "
            f"build it with: make -C {root} setup ENVIRONMENTS={runtime}"
        )
    return python


def _python_of_image(held: str, runtime: str) -> Path:
    if held != runtime:
        raise EnvironmentMissing(
            f"this image holds the runtime {held!r} alone, and the command needs {runtime!r}; "
            f"run it in the image pedalflow-{runtime}"
        )
    return Path(sys.executable)


def surroundings(base: Mapping[str, str], verbose: bool) -> dict[str, str]:
    """The environment variables of a runtime: `base` with what makes runs reproducible and, unless `verbose`, quiet."""
    settings = {
        key: value for key, value in base.items() if key not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    return PATIENCE | settings | REPRODUCIBLE | PRIVATE | ({} if verbose else QUIET)


def start(runtime: str, module: str, arguments: Sequence[str], verbose: bool) -> NoReturn:
    """Becomes the runtime's process, running `module`; raises EnvironmentMissing if the environment is not there.

    The process is replaced, not accompanied: a signal reaches the one process there is exactly once, and its exit code is
    the command's by itself.
    """
    python = python_of(runtime)
    command = [str(python), "-m", module, *arguments]
    os.execve(python, command, surroundings(os.environ, verbose))
