"""Examples back into columns: what the statistics and the gate need of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import tensorflow as tf
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from pedalflow.columns import Column, Kind

RECORDS_PER_BATCH = 65_536
_TYPES = {Kind.DATE: tf.int64, Kind.INTEGER: tf.int64, Kind.NUMBER: tf.float32}


def read_columns(folder: Path, columns: Sequence[Column]) -> pd.DataFrame:
    """The given columns of all records of one split, in order (dates as days since 1970-01-01).

    TensorFlow reads known columns five times as fast as tfx_bsl reads unknown ones. It raises an error where a value is missing.
    """
    specification = {column.name: tf.io.FixedLenFeature([], _TYPES[column.kind]) for column in columns}
    parsed = [tf.io.parse_example(records, specification) for records in _records(folder)]
    frames = [pd.DataFrame({name: batch[name].numpy() for name in specification}) for batch in parsed]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(specification))


def read_split(folder: Path) -> pd.DataFrame:
    """All records of one split, in order, with whatever columns they have (dates as days since 1970-01-01)."""
    frames = [_frame(batch) for batch in read_batches(folder)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def read_batches(folder: Path) -> Iterator[pa.RecordBatch]:
    """The records of one split, in order; each value is a list of one, as tf.Example has it."""
    decoder = ExamplesToRecordBatchDecoder()
    for records in _records(folder):
        yield decoder.DecodeBatch(list(records.numpy()))


def _records(folder: Path) -> tf.data.Dataset:
    files = sorted(str(path) for path in folder.glob("*"))
    return tf.data.TFRecordDataset(files).batch(RECORDS_PER_BATCH)


def _frame(batch: pa.RecordBatch) -> pd.DataFrame:
    return pd.DataFrame({name: batch.column(name).flatten().to_numpy() for name in batch.schema.names})
