"""The demand model: wide and deep, a Poisson rate with a fixed growth offset, several members in one graph.

    log rate = wide[hour x working day] + wide[hour x weekday] + deep(calendar, weather, season) + growth * t

Nothing but the offset extrapolates: `t` enters elsewhere through sines and cosines of one year and, once
growth is identified, through a clock that stands still after the last training day. Without growth there is
no clock, because one year cannot tell a level from its season. The growth rate comes from `bikeshare.growth`.
All members train together on the same batches and differ by their start; the prediction is the mean of their
rates. Why this shape: docs/decisions/0021-network.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from bikeshare.layers import MemberDense, MemberEmbedding, MemberLogRates, Periodic, StoppingClock

HOURS, WEEKDAYS, WEATHERS, SEASONS, FLAGS = 24, 7, 5, 5, 2
CATEGORIES: Mapping[str, int] = {
    "hr": HOURS,
    "weekday": WEEKDAYS,
    "workingday": FLAGS,
    "holiday": FLAGS,
    "weathersit": WEATHERS,
    "season": SEASONS,
}
NUMBERS = ("temp", "atemp", "hum", "windspeed")
FEATURES = ("t", *CATEGORIES, *NUMBERS)

Features = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Hyperparameters:
    """How the network is shaped and trained. The same fields stand in params.yaml; unknown ones are refused
    there.
    """

    members: int = 4
    """Networks packed in one graph; the prediction is the mean of their rates."""
    units: tuple[int, ...] = (64, 32)
    """Width of the hidden layers of one member."""
    embedding: int = 8
    """Length of the vector that stands for an hour; the other categories get half of it."""
    frequencies: int = 4
    """Learnt frequencies of the periodic embedding of one weather number."""
    harmonics: int = 2
    """Sine and cosine pairs of the year."""
    epochs: int = 30
    """Passes over the training rows."""
    batch_size: int = 256
    """Rows in one step."""
    learning_rate: float = 0.006
    """Highest learning rate; it falls to zero along a cosine."""
    weight_decay: float = 0.3
    """Decoupled weight decay of AdamW."""
    seed: int = 20110101
    """Seed of the starting weights and of the order of rows."""

    def __post_init__(self) -> None:
        self._check_types()
        object.__setattr__(self, "units", tuple(self.units))
        for name in (
            "members",
            "embedding",
            "frequencies",
            "harmonics",
            "epochs",
            "batch_size",
            "learning_rate",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, but it must be greater than 0")
        if not self.units or min(self.units) <= 0:
            raise ValueError(
                f"units is {self.units}, but it must name at least one layer, each greater than 0"
            )
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay is {self.weight_decay}, but it must not be negative")

    def _check_types(self) -> None:
        """Each value has the type of its default; a whole number is a number too, and True is neither."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, tuple):
                fits = isinstance(value, (list, tuple)) and all(type(item) is int for item in value)
                wanted = "a list of whole numbers such as [64, 32]"
            elif isinstance(field.default, int):
                fits, wanted = type(value) is int, "a whole number"
            else:
                fits = type(value) in (int, float) and math.isfinite(value)
                wanted = "a finite number such as 0.00001"
            if not fits:
                raise ValueError(f"{field.name} is {value!r}, but it must be {wanted}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Hyperparameters:
        """Read a mapping such as params.yaml holds. Raises ValueError that names a field which does not
        exist.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ValueError(f"unknown hyperparameters {unknown}; the known ones are {known}")
        return cls(**values)


@dataclass(frozen=True)
class History:
    """Mean Poisson loss of the training rows, one value for each epoch."""

    loss: tuple[float, ...]


def build(hyperparameters: Hyperparameters, growth_rate: float = 0.0) -> keras.Model:
    """Build the untrained model: a dict of [batch, 1] tensors named as in FEATURES -> expected count [batch,
    1], > 0.

    `growth_rate` is the yearly log rate of `bikeshare.growth.estimate`. The caller seeds Keras
    (`seed_everything`) before.
    """
    inputs = {name: keras.Input((1,), name=name, dtype=_dtype(name)) for name in FEATURES}
    clock = [StoppingClock(name="clock")(inputs["t"])] if growth_rate else []
    parts = [*_wide(inputs, hyperparameters.members), _deep(inputs, clock, hyperparameters)]
    log_rates = MemberLogRates(growth_rate, name="member_log_rates")([inputs["t"], *parts])
    rate = keras.ops.mean(keras.ops.exp(log_rates), axis=-1, keepdims=True)
    return keras.Model(inputs, rate, name="bikeshare")


def seed_everything(hyperparameters: Hyperparameters) -> None:
    """Seed Python, NumPy and Keras and ask TensorFlow for deterministic kernels: call once before `build`."""
    keras.utils.set_random_seed(hyperparameters.seed)
    tf.config.experimental.enable_op_determinism()


def fit(
    model: keras.Model,
    features: Features,
    count: npt.NDArray[Any],
    hyperparameters: Hyperparameters,
    log_dir: Path | None = None,
) -> History:
    """Train `model` on rows in memory; return the loss of each epoch, and log it to `log_dir` too.

    `features`: the columns of FEATURES, each [rows, 1] or [rows]; `count`: the hour's rentals. Raises
    ValueError where there are fewer rows than one batch, or where training diverged.
    """
    target = np.asarray(count, np.float32).reshape(-1, 1)
    columns = {name: np.asarray(features[name]).astype(_dtype(name)).reshape(-1, 1) for name in FEATURES}
    steps = len(target) // hyperparameters.batch_size
    if steps == 0:
        raise ValueError(
            f"{len(target)} rows are fewer than one batch of {hyperparameters.batch_size}: give more data"
        )
    _set_level(model, columns["t"], target)
    _stop_clock(model, columns["t"])
    trainer = keras.Model(model.inputs, model.get_layer("member_log_rates").output)
    schedule = keras.optimizers.schedules.CosineDecay(
        hyperparameters.learning_rate, steps * hyperparameters.epochs
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=hyperparameters.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["level", "bias"])
    losses = _run_epochs(trainer, optimizer, columns, target, hyperparameters, steps)
    if not np.isfinite(losses).all():
        rate = hyperparameters.learning_rate
        raise ValueError(
            f"training diverged, the loss is {losses[-1]}: check the rows, lower learning_rate ({rate})"
        )
    if log_dir is not None:
        _write_losses(log_dir, losses)
    return History(tuple(losses))


def _wide(inputs: Mapping[str, Any], members: int) -> list[Any]:
    by_day_type = inputs["hr"] * FLAGS + inputs["workingday"]
    by_weekday = inputs["hr"] * WEEKDAYS + inputs["weekday"]
    return [
        MemberEmbedding(members, HOURS * FLAGS, 1, scale=0.0, name="wide_hour_workingday")(by_day_type),
        MemberEmbedding(members, HOURS * WEEKDAYS, 1, scale=0.0, name="wide_hour_weekday")(by_weekday),
    ]


def _deep(inputs: Mapping[str, Any], clock: list[Any], hyperparameters: Hyperparameters) -> Any:
    shared = [inputs[name] for name in NUMBERS] + clock
    shared += [
        wave(2.0 * math.pi * k * inputs["t"])
        for k in range(1, hyperparameters.harmonics + 1)
        for wave in (keras.ops.sin, keras.ops.cos)
    ]
    tiled = _for_each_member(keras.ops.concatenate(shared, axis=-1), hyperparameters.members)
    weather = keras.ops.concatenate([inputs[name] for name in NUMBERS], axis=-1)
    periodic = Periodic(hyperparameters.members, hyperparameters.frequencies, name="periodic_weather")
    parts = [tiled, periodic(weather)]
    for name, size in CATEGORIES.items():
        length = hyperparameters.embedding if name == "hr" else max(1, hyperparameters.embedding // 2)
        layer = MemberEmbedding(hyperparameters.members, size, length, name=f"embed_{name}")
        parts.append(layer(inputs[name]))
    hidden = keras.ops.concatenate(parts, axis=-1)
    for index, units in enumerate(hyperparameters.units):
        hidden = MemberDense(units, "silu", name=f"hidden_{index}")(hidden)
    return MemberDense(1, name="deep")(hidden)


def _for_each_member(tensor: Any, members: int) -> Any:
    """[batch, n] -> [members, batch, n]."""
    return keras.ops.tile(keras.ops.expand_dims(tensor, 0), (members, 1, 1))


def _dtype(name: str) -> str:
    return "int64" if name in CATEGORIES else "float32"


def _set_level(model: keras.Model, t: npt.NDArray[Any], target: npt.NDArray[Any]) -> None:
    """Start at the mean of the training rows, growth taken off: the first steps need not search for it."""
    layer = model.get_layer("member_log_rates")
    exposure = np.exp(layer.growth_rate * t.astype(np.float64)).sum()
    layer.level.assign([math.log(max(float(target.sum()), 1.0) / exposure)])


def _stop_clock(model: keras.Model, t: npt.NDArray[Any]) -> None:
    """Tell the clock, where the model has one, which day is the last that it may know."""
    for layer in model.layers:
        if isinstance(layer, StoppingClock):
            layer.last.assign([float(t.max())])


def _run_epochs(
    trainer: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    columns: Features,
    target: npt.NDArray[Any],
    hyperparameters: Hyperparameters,
    steps: int,
) -> list[float]:
    """One compiled call for each epoch: the whole epoch loops inside the graph, which costs far less than
    `Model.fit`.
    """
    rows = {name: tf.constant(values) for name, values in columns.items()}
    labels = tf.constant(target)
    optimizer.build(trainer.trainable_variables)

    @tf.function(autograph=False, jit_compile=False)
    def epoch(order: tf.Tensor) -> tf.Tensor:
        def step(index: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            batch = order[index]
            with tf.GradientTape() as tape:
                log_rates = trainer(
                    {name: tf.gather(values, batch) for name, values in rows.items()}, training=True
                )
                loss = tf.reduce_mean(tf.exp(log_rates) - tf.gather(labels, batch) * log_rates)
            gradients = tape.gradient(loss, trainer.trainable_variables)
            optimizer.apply_gradients(zip(gradients, trainer.trainable_variables, strict=True))
            return index + 1, total + loss

        _, total = tf.while_loop(
            lambda index, total: index < steps,
            step,
            (tf.constant(0), tf.constant(0.0)),
            parallel_iterations=1,
        )
        return total / steps

    shuffler = np.random.default_rng(hyperparameters.seed)
    losses = []
    for _ in range(hyperparameters.epochs):
        order = shuffler.permutation(len(target))[: steps * hyperparameters.batch_size]
        losses.append(float(epoch(tf.constant(order.reshape(steps, -1)))))
    return losses


def _write_losses(log_dir: Path, losses: list[float]) -> None:
    writer = tf.summary.create_file_writer(str(log_dir))
    with writer.as_default():
        for epoch, loss in enumerate(losses):
            tf.summary.scalar("loss", loss, step=epoch)
    writer.close()
