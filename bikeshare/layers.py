"""Keras layers that hold all members of an ensemble at once: the members are every tensor's first axis.

Only operations that ONNX knows at opset 17 and that TensorFlow computes deterministically on a CPU.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("bikeshare")
class MemberDense(keras.layers.Layer):
    """One dense layer for each member at once: [members, batch, inputs] -> [members, batch, units]."""

    def __init__(self, units: int, activation: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: tuple[int, ...]) -> None:
        members, _, inputs = input_shape
        limit = math.sqrt(6.0 / (inputs + self.units))
        self.kernel = self.add_weight(
            shape=(members, inputs, self.units), initializer=keras.initializers.RandomUniform(-limit, limit)
        )
        self.bias = self.add_weight(name="bias", shape=(members, 1, self.units), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        return self.activation(keras.ops.matmul(inputs, self.kernel) + self.bias)

    def get_config(self) -> dict[str, Any]:
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "units": self.units, "activation": activation}


@keras.saving.register_keras_serializable("bikeshare")
class MemberEmbedding(keras.layers.Layer):
    """One table for each member: codes [batch, 1], clipped to the table -> [members, batch, length].

    Training multiplies by indicators, whose gradient TensorFlow adds up in the same order each time; answering looks the same rows up.
    """

    def __init__(self, members: int, size: int, length: int, scale: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.members, self.size, self.length, self.scale = members, size, length, scale

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.table = self.add_weight(
            shape=(self.members, self.size, self.length),
            initializer=keras.initializers.RandomNormal(stddev=self.scale) if self.scale else "zeros",
        )

    def call(self, codes: Any, training: bool = False) -> Any:
        known = keras.ops.clip(keras.ops.squeeze(codes, -1), 0, self.size - 1)
        if training:
            return keras.ops.matmul(keras.ops.one_hot(known, self.size), self.table)
        return tf.gather(self.table, known, axis=1)

    def get_config(self) -> dict[str, Any]:
        shape = {"members": self.members, "size": self.size, "length": self.length, "scale": self.scale}
        return {**super().get_config(), **shape}


@keras.saving.register_keras_serializable("bikeshare")
class Periodic(keras.layers.Layer):
    """Sines and cosines of each member's learnt frequencies: [batch, n] -> [members, batch, n * 2 * frequencies].

    Source: Gorishniy et al., "On Embeddings for Numerical Features in Tabular Deep Learning", 2022.
    """

    def __init__(self, members: int, frequencies: int, scale: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.members, self.frequencies, self.scale = members, frequencies, scale

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.frequency = self.add_weight(
            shape=(self.members, 1, input_shape[-1], self.frequencies),
            initializer=keras.initializers.RandomNormal(stddev=self.scale),
        )

    def call(self, numbers: Any) -> Any:
        angle = 2.0 * math.pi * numbers[..., None] * self.frequency
        waves = keras.ops.concatenate([keras.ops.sin(angle), keras.ops.cos(angle)], axis=-1)
        members, _, count, _ = self.frequency.shape
        return keras.ops.reshape(waves, (members, -1, count * 2 * self.frequencies))

    def get_config(self) -> dict[str, Any]:
        shape = {"members": self.members, "frequencies": self.frequencies, "scale": self.scale}
        return {**super().get_config(), **shape}


@keras.saving.register_keras_serializable("bikeshare")
class MemberLogRates(keras.layers.Layer):
    """Sum of the parts, a level and the fixed growth offset: [members, batch, 1] each -> log rates [batch,
    members].
    """

    def __init__(self, growth_rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.growth_rate = growth_rate

    def build(self, input_shape: list[tuple[int, ...]]) -> None:
        self.level = self.add_weight(name="level", shape=(1,), initializer="zeros")

    def call(self, inputs: list[Any]) -> Any:
        t, *parts = inputs
        log_rates = keras.ops.transpose(keras.ops.squeeze(sum(parts[1:], parts[0]), -1))
        return log_rates + self.level + self.growth_rate * t

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "growth_rate": self.growth_rate}


@keras.saving.register_keras_serializable("bikeshare")
class StoppingClock(keras.layers.Layer):
    """Years since the origin, scaled, which stand still after `last`, the last training day, that training
    sets.

    It lets the network tell the level of the latest weeks from older ones without ever extrapolating a trend.
    """

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.last = self.add_weight(name="last", shape=(1,), initializer="zeros", trainable=False)

    def call(self, t: Any) -> Any:
        return 2.0 * (keras.ops.minimum(t, self.last) - 1.0)
