"""The preprocessing, as a TensorFlow Transform graph."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_transform as tft

from office_power.calendar import DAYS_PER_YEAR, ORIGIN_SINCE_EPOCH

CODES, SCALED = ("hour", "weekday", "open"), ("outside", "sun")


def preprocessing_fn(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Raw features of shape [batch, 1] to the network's inputs of shape [batch, 1]."""
    years = tf.cast(inputs["day"] - ORIGIN_SINCE_EPOCH, tf.float32) / DAYS_PER_YEAR
    scaled = {name: tft.scale_to_z_score(inputs[name]) for name in SCALED}
    return {"t": years, **{name: inputs[name] for name in CODES}, **scaled}
