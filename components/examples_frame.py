"""Examples back into a table: what the gate needs of them, read column-wise."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import tensorflow as tf
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

RECORDS_PER_BATCH = 65_536


def read_split(folder: Path) -> pd.DataFrame:
    """All records of one split, in order, a column for each feature (dates as days since 1970-01-01)."""
    files = sorted(str(path) for path in folder.glob("*"))
    decoder = ExamplesToRecordBatchDecoder()
    batches = tf.data.TFRecordDataset(files).batch(RECORDS_PER_BATCH).as_numpy_iterator()
    frames = [_frame(decoder.DecodeBatch(list(batch))) for batch in batches]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _frame(batch: object) -> pd.DataFrame:
    columns = batch.schema.names  # type: ignore[attr-defined]  # pyarrow ships no types
    return pd.DataFrame({name: batch.column(name).flatten().to_numpy() for name in columns})  # type: ignore[attr-defined]
