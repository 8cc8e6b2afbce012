"""`pedalflow train` that signals itself at a chosen place, once: `python -m tests.samples.stopped_train PLACE SIGNAL ARGUMENTS…`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from pedalflow.command.outermost import outermost
from pedalflow.quiet import silence


def _signalling(number: int, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        os.kill(os.getpid(), number)
        return function(*arguments, **named)

    return wrapper


def _place(name: str) -> tuple[Any, str]:
    """The object and the attribute that is called at the place `name`."""
    if (
        name == "trainer"
    ):  # the SavedModel is written, ONNX is not; TFX loads the module of `run_fn` anew, so patch below it
        from bikeshare import export

        return export, "export_onnx"
    if name == "upload":  # the MLflow run is begun, the model is not logged
        from components import registration

        return registration, "_log_model"
    from mlflow import MlflowClient

    if name == "registrar":  # all is logged, there is no version yet
        return MlflowClient, "create_model_version"
    if name == "alias":  # the version is there, without an alias
        return MlflowClient, "set_registered_model_alias"
    raise ValueError(name)


def main(argv: list[str]) -> int:
    """Train with the signal planted."""
    place, name, *arguments = argv
    silence(verbose=False)
    owner, attribute = _place(place)
    setattr(owner, attribute, _signalling(signal.Signals[name], getattr(owner, attribute)))
    from pipelines import train_command

    return train_command.main(arguments)


if __name__ == "__main__":
    sys.exit(outermost(main))
