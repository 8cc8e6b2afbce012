"""The rows that the Trainer reads and transforms: all of them, in order, batch by batch or at once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

os.environ["TF_USE_LEGACY_KERAS"] = "0"  # before Keras is imported: tensorflow_transform would set it to 1

import tensorflow as tf
from google.protobuf import text_format
from tfx.components.trainer.fn_args_utils import DataAccessor, FnArgs
from tfx_bsl.tfxio import tf_example_record

from bikeshare import training
from bikeshare.calendar import ORIGIN_SINCE_EPOCH
from bikeshare.columns import FEATURES, LABEL
from bikeshare.schema import schema
from components.span_examples import write_examples
from pedalflow.columns import Kind

ROWS = 300


def columns(rows: int = ROWS) -> dict[str, np.ndarray]:
    random = np.random.default_rng(9)
    made: dict[str, np.ndarray] = {}
    for column in (*FEATURES, LABEL):
        if column.kind is Kind.NUMBER:
            made[column.name] = random.uniform(0, 1, rows).astype(np.float32)
        else:
            made[column.name] = random.integers(0, 2, rows)
    made["dteday"] = ORIGIN_SINCE_EPOCH + np.arange(rows)
    return made


@pytest.fixture
def arguments(tmp_path: Path) -> FnArgs:
    """What TFX hands to `run_fn`, as far as the rows go."""
    write_examples(pa.table(columns()), tmp_path / "Split-train")
    (tmp_path / "schema.pbtxt").write_text(text_format.MessageToString(schema()), encoding="utf-8")
    record = tf_example_record.TFExampleRecord
    accessor = DataAccessor(
        tf_dataset_factory=lambda files, options, proto: record(
            file_pattern=files, telemetry_descriptors=[], schema=proto
        ).TensorFlowDataset(options),
        record_batch_factory=lambda files, options, proto: record(
            file_pattern=files, telemetry_descriptors=[], schema=proto
        ).RecordBatches(options),
        data_view_decode_fn=None,
    )
    return FnArgs(
        train_files=[str(tmp_path / "Split-train" / "*")],
        schema_path=str(tmp_path / "schema.pbtxt"),
        data_accessor=accessor,
    )


@pytest.mark.parametrize("batch", [65_536, 7])
def test_all_rows_are_read_in_order_whatever_the_batch(
    arguments: FnArgs, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(training, "ROWS_PER_BATCH", batch)
    rows = training.read_rows(arguments, arguments.train_files)
    assert set(rows) == {column.name for column in (*FEATURES, LABEL)}
    for name, values in columns().items():
        assert rows[name].shape == (ROWS, 1)
        np.testing.assert_array_equal(rows[name][:, 0], values)


@pytest.mark.parametrize("batch", [65_536, 7])
def test_rows_are_transformed_in_order_whatever_the_batch(
    monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    class Transform(tf.Module):
        def transform_fn(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {"twice": inputs["hr"] * 2}

    monkeypatch.setattr(training, "ROWS_PER_BATCH", batch)
    rows = {name: values.reshape(-1, 1) for name, values in columns().items()}
    np.testing.assert_array_equal(training.transform_rows(Transform(), rows)["twice"], rows["hr"] * 2)


def test_growth_of_one_year_is_not_identified() -> None:
    rows = {name: values.reshape(-1, 1) for name, values in columns().items()}
    growth = training.estimate_growth(rows)
    assert (growth.rate, growth.identified) == (0.0, False)


def test_growth_of_a_second_year_is_found() -> None:
    rows = {name: values.reshape(-1, 1) for name, values in columns(450).items()}
    rows["cnt"] = np.where(rows["dteday"] >= ORIGIN_SINCE_EPOCH + 365, 200, 100)
    growth = training.estimate_growth(rows)
    assert growth.identified
    assert growth.rate == pytest.approx(np.log(2) * 365.25 / 365, rel=0.02)
