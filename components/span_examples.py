"""Spans in, tf.Examples out: reads the CSV files of a window, splits their rows by time and writes TFRecords, column-wise.

Row order is the order of the spans and of the rows inside them, so the same window always gives the same records.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import tensorflow as tf
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

from pedalflow.columns import Column, Kind
from pedalflow.errors import DataMissing

ROWS_PER_BATCH = 65_536
ARROW_TYPES = {Kind.DATE: pa.date32(), Kind.INTEGER: pa.int64(), Kind.NUMBER: pa.float32()}


@dataclass(frozen=True)
class SpanFile:
    """One span of the window: its number, where its CSV lies and the md5 that DVC knows it by."""

    number: int
    path: str
    md5: str


def spans_to_json(spans: Sequence[SpanFile]) -> str:
    """The spans as text that fits a TFX execution property."""
    return json.dumps([asdict(span) for span in spans], sort_keys=True)


def spans_from_json(text: str) -> tuple[SpanFile, ...]:
    """The inverse of `spans_to_json`."""
    return tuple(SpanFile(**item) for item in json.loads(text))


def below(folder: Path, spans: Sequence[SpanFile]) -> tuple[SpanFile, ...]:
    """The same spans, their relative paths taken from `folder`."""
    return tuple(replace(span, path=str(folder / span.path)) for span in spans)


def read_window(spans: Sequence[SpanFile], columns: Sequence[Column]) -> pa.Table:
    """The rows of all spans, in order, with the given columns only.

    Raises:
        DataMissing: a file is absent, or its bytes are not those that the window was resolved with.
    """
    return pa.concat_tables([_read_span(span, columns) for span in spans])


def split_by_day(table: pa.Table, date_column: str, first_evaluation_day: str) -> dict[str, pa.Table]:
    """Rows before `first_evaluation_day` (YYYY-MM-DD) train, the others evaluate."""
    first = pa.scalar(date.fromisoformat(first_evaluation_day), pa.date32())
    is_evaluation = pc.greater_equal(table[date_column], first)
    return {"train": table.filter(pc.invert(is_evaluation)), "eval": table.filter(is_evaluation)}


def write_examples(table: pa.Table, folder: Path) -> None:
    """Write `table` as one TFRecord file of tf.Examples under `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder = RecordBatchToExamplesEncoder()
    with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001")) as writer:
        for batch in _dates_as_days(table).combine_chunks().to_batches(max_chunksize=ROWS_PER_BATCH):
            for record in encoder.encode(_as_lists(batch)):
                writer.write(record)


def _read_span(span: SpanFile, columns: Sequence[Column]) -> pa.Table:
    path = Path(span.path)
    if not path.is_file():
        raise DataMissing(
            f"span {span.number} is not at {path}; run `pedalflow data prepare` to bring it back"
        )
    content = path.read_bytes()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != span.md5:
        raise DataMissing(
            f"span {span.number} at {path} has md5 {found}, but the window was resolved with {span.md5}; "
            "the file changed under the run: start it again"
        )
    options = pa.csv.ConvertOptions(
        include_columns=[column.name for column in columns],
        column_types={column.name: ARROW_TYPES[column.kind] for column in columns},
    )
    return pa.csv.read_csv(pa.BufferReader(content), convert_options=options)


def _as_lists(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Each value as a list of one, which is how tf.Example (and tfx_bsl's encoder) holds it."""
    offsets = pa.array(range(batch.num_rows + 1), type=pa.int32())
    arrays = [pa.ListArray.from_arrays(offsets, column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _dates_as_days(table: pa.Table) -> pa.Table:
    """Dates as int64 days since 1970-01-01 (Arrow's own date32 count), the form in which examples and requests carry them."""
    for index, field in enumerate(table.schema):
        if pa.types.is_date32(field.type):
            days = table.column(index).cast(pa.int32()).cast(pa.int64())
            table = table.set_column(index, field.name, days)
    return table
