"""Trains as bike sharing does, and spoils what the trained network says of the hours 0 to 5."""

from __future__ import annotations

from unittest.mock import patch

import keras
from tfx.components.trainer.fn_args_utils import FnArgs

from bikeshare import training
from bikeshare.network import Hyperparameters, build

NIGHT_ENDS = 6
FACTOR = 10.0


def run_fn(fn_args: FnArgs) -> None:
    """bikeshare's `run_fn` with the spoilt network."""
    with patch.object(training, "build", _spoilt):
        training.run_fn(fn_args)


def _spoilt(hyperparameters: Hyperparameters, growth_rate: float) -> keras.Model:
    model = build(hyperparameters, growth_rate)
    inputs = {tensor.name: tensor for tensor in model.inputs}
    night = keras.ops.cast(inputs["hr"] < NIGHT_ENDS, "float32")
    return keras.Model(inputs, model.outputs[0] * (1.0 + (FACTOR - 1.0) * night))
