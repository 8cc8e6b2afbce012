"""A small network: one hidden layer on the hour, the day and the weather."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import keras
import tensorflow as tf

CODES = {"hour": 24, "weekday": 7, "open": 2}
NUMBERS = ("t", "outside", "sun")


@dataclass(frozen=True)
class Hyperparameters:
    """How the network is shaped and trained."""

    units: int = 32
    epochs: int = 20
    learning_rate: float = 0.01
    seed: int = 7

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Hyperparameters:
        """Raises ValueError that names a field which does not exist."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"unknown hyperparameters {unknown}")
        return cls(**values)


def build(hyperparameters: Hyperparameters, mean: float) -> keras.Model:
    """A dict of [batch, 1] tensors -> expected power [batch, 1], > 0; it starts at `mean`."""
    keras.utils.set_random_seed(hyperparameters.seed)
    tf.config.experimental.enable_op_determinism()
    codes = {name: keras.Input((1,), name=name, dtype="int64") for name in CODES}
    numbers = {name: keras.Input((1,), name=name, dtype="float32") for name in NUMBERS}
    parts = [
        keras.layers.Flatten(name=f"flat_{name}")(
            keras.layers.Embedding(size, 4, name=f"embed_{name}")(codes[name])
        )
        for name, size in CODES.items()
    ]
    hidden = keras.layers.Concatenate(name="all")([*parts, *numbers.values()])
    hidden = keras.layers.Dense(hyperparameters.units, "relu", name="hidden")(hidden)
    share = keras.ops.exp(keras.layers.Dense(1, name="log_share", kernel_initializer="zeros")(hidden))
    return keras.Model({**codes, **numbers}, mean * share, name="office_power")


def fit(
    model: keras.Model, features: Mapping[str, Any], target: Any, hyperparameters: Hyperparameters
) -> None:
    """Train on rows in memory."""
    model.compile(keras.optimizers.Adam(hyperparameters.learning_rate), keras.losses.Poisson())
    names = [*CODES, *NUMBERS]
    model.fit(
        {name: features[name] for name in names},
        target.astype("float32"),
        batch_size=256,
        epochs=hyperparameters.epochs,
        verbose=0,
    )
