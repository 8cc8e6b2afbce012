"""The graph that TFT learns, against the same computation in numpy."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

os.environ["TF_USE_LEGACY_KERAS"] = "0"  # before Keras is imported: tensorflow_transform would set it to 1

import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from bikeshare.columns import FEATURES, LABEL
from bikeshare.network import FEATURES as NETWORK_INPUTS
from bikeshare.preprocessing import CODES, SCALED, preprocessing_fn
from pedalflow.columns import Kind

ROWS = 50


def raw(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}
    for column in (*FEATURES, LABEL):
        if column.kind is Kind.NUMBER:
            made[column.name] = random.uniform(0, 1, (ROWS, 1)).astype(np.float32)
        else:
            made[column.name] = random.integers(0, 5, (ROWS, 1))
    made["dteday"] = 14975 + random.integers(0, 700, (ROWS, 1))
    return made


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, np.ndarray], Any]:
    """Training rows, and the graph that TFT learnt from them."""
    train = raw(1)
    types = {name: tf.int64 if values.dtype == np.int64 else tf.float32 for name, values in train.items()}
    specification = {name: tf.io.FixedLenFeature([1], kind) for name, kind in types.items()}
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(specification))
    rows = [{name: values[index] for name, values in train.items()} for index in range(ROWS)]
    folder = tmp_path_factory.mktemp("tft")
    with tft_beam.Context(temp_dir=str(folder / "temp")):
        _, transform = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(preprocessing_fn)
        transform | tft_beam.WriteTransformFn(str(folder / "graph"))
    return train, tft.TFTransformOutput(str(folder / "graph")).transform_features_layer()


@pytest.fixture(scope="module")
def transformed(learnt: tuple[dict[str, np.ndarray], Any]) -> dict[str, np.ndarray]:
    """Other rows than those learnt from, transformed."""
    _, layer = learnt
    return {
        name: value.numpy() for name, value in layer({n: tf.constant(v) for n, v in raw(2).items()}).items()
    }


def test_weather_is_scaled_by_mean_and_deviation_of_the_training_rows(
    learnt: tuple[dict[str, np.ndarray], Any], transformed: dict[str, np.ndarray]
) -> None:
    train, rows = learnt[0], raw(2)
    for name in SCALED:
        expected = (rows[name] - train[name].mean(dtype=np.float64)) / train[name].std(dtype=np.float64)
        np.testing.assert_allclose(transformed[name], expected, rtol=1e-4, atol=1e-5)


def test_codes_pass_as_they_are(transformed: dict[str, np.ndarray]) -> None:
    for name in CODES:
        np.testing.assert_array_equal(transformed[name], raw(2)[name])


def test_time_is_years_since_the_first_day(transformed: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(transformed["t"], (raw(2)["dteday"] - 14975) / 365.25, rtol=1e-6)


def test_output_is_what_the_network_takes_and_the_label_is_not_in_it(
    transformed: dict[str, np.ndarray],
) -> None:
    assert set(transformed) == set(NETWORK_INPUTS)
    assert LABEL.name not in transformed
    assert {values.shape for values in transformed.values()} == {(ROWS, 1)}
    assert {values.dtype for name, values in transformed.items() if name not in CODES} == {
        np.dtype(np.float32)
    }
