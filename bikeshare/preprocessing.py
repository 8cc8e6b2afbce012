"""The preprocessing of a request or a row, as a TensorFlow Transform graph that is exported with the model.

TFT learns the means and deviations from the training split; the rest is arithmetic. Because the graph travels inside the
model, training and serving cannot skew. `bikeshare.network` says what it does with the result.
"""

from __future__ import annotations

import tensorflow as tf
import tensorflow_transform as tft

from bikeshare.calendar import DAYS_PER_YEAR, ORIGIN_SINCE_EPOCH

CODES = ("hr", "season", "weekday", "holiday", "workingday", "weathersit")
SCALED = ("temp", "atemp", "hum", "windspeed")


def preprocessing_fn(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Raw features of shape [batch, 1] (dates as days since 1970) to the network's inputs of shape [batch, 1]."""
    days = inputs["dteday"] - ORIGIN_SINCE_EPOCH
    years = {"t": tf.cast(days, tf.float32) / DAYS_PER_YEAR}
    codes = {name: inputs[name] for name in CODES}
    # One analysis of four columns costs Beam a quarter of four analyses of one.
    together = tft.scale_to_z_score(tf.concat([inputs[name] for name in SCALED], axis=1), elementwise=True)
    scaled = dict(zip(SCALED, tf.split(together, len(SCALED), axis=1), strict=True))
    return years | codes | scaled
