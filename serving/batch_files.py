"""Tables as files, CSV and Parquet, read and written in pieces so that memory does not grow with the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from pedalflow.errors import DataMissing, DataRefused, SettingsError
from pedalflow.whole_files import drafted

CSV, PARQUET = ".csv", ".parquet"
_BLOCK_BYTES = 2**20  # of CSV that is parsed at a time; no line may be longer
_SHOWN = 60  # characters of a broken line that a message repeats


@dataclass(frozen=True)
class Ragged:
    """A line of a CSV with more or fewer fields than the header. `row` counts from 1 after the header."""

    row: int
    message: str
    text: str


@dataclass(frozen=True)
class Source:
    """A table that is read. Every value of a CSV is text (`is_text`).

    `ragged` gets the broken lines while `batches` is read, before the rows that follow them.
    """

    path: Path
    schema: pa.Schema
    is_text: bool
    batches: Iterator[pa.RecordBatch]
    ragged: list[Ragged] = field(default_factory=list)


class Sink(Protocol):
    """A table that is written."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""


def kind_of(path: Path) -> str:
    """`.csv` or `.parquet`; raises SettingsError for anything else."""
    if path.suffix.lower() not in (CSV, PARQUET):
        raise SettingsError(
            f"{path} is neither a .csv nor a .parquet file; the extension says how it is read or written"
        )
    return path.suffix.lower()


@contextmanager
def opened(path: Path, batch_rows: int, *, skip_ragged: bool) -> Iterator[Source]:
    """The table in `path`, in pieces of at most `batch_rows`.

    Raises:
        DataMissing: it cannot be opened.
        DataRefused: it is no table of its kind, a name stands in its header twice, or a line is ragged and none may be skipped. This
            may come while the batches are read.
    """
    if (
        path.exists() and not path.is_file()
    ):  # a pipe would be waited for, and its header cannot be read twice
        raise DataMissing(f"{path} is no file; give the path of a .csv or .parquet file")
    try:
        with path.open("rb") as file, _refused_if_arrow_fails(path):
            if kind_of(path) == PARQUET:
                yield _parquet(path, file, batch_rows)
            else:
                yield _csv(path, file, batch_rows, skip_ragged=skip_ragged)
    except OSError as error:
        raise DataMissing(
            f"{path} cannot be read ({error}); give the path of a .csv or .parquet file"
        ) from error


def _parquet(path: Path, file: Any, batch_rows: int) -> Source:
    table = pyarrow.parquet.ParquetFile(file)
    _check_names(path, table.schema_arrow.names)
    return Source(
        path, table.schema_arrow, False, table.iter_batches(batch_size=batch_rows, use_threads=False)
    )


def _csv(path: Path, file: Any, batch_rows: int, *, skip_ragged: bool) -> Source:
    names = _header(path, file)
    _check_names(path, names)
    ragged: list[Ragged] = []

    def on_ragged(line: Any) -> str:
        said = f"has {line.actual_columns} fields, but the header has {line.expected_columns}"
        text = line.text if isinstance(line.text, str) else repr(line.text)
        ragged.append(Ragged(line.number - 1, f"{text[:_SHOWN]!r} {said}", text))
        return "skip" if skip_ragged else "error"

    schema = pa.schema([(name, pa.string()) for name in names])
    options = {
        "read_options": pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
        "parse_options": pyarrow.csv.ParseOptions(invalid_row_handler=on_ragged, newlines_in_values=True),
        "convert_options": pyarrow.csv.ConvertOptions(column_types=schema, strings_can_be_null=False),
    }
    batches = _pieces(lambda: pyarrow.csv.open_csv(file, **options), batch_rows)
    return Source(
        path, schema, True, batches if skip_ragged else _until_ragged(batches, path, ragged), ragged
    )


def _pieces(open_blocks: Callable[[], Iterable[pa.RecordBatch]], batch_rows: int) -> Iterator[pa.RecordBatch]:
    for block in open_blocks():
        for start in range(0, block.num_rows, batch_rows):
            yield block.slice(start, batch_rows)


def _until_ragged(
    batches: Iterator[pa.RecordBatch], path: Path, ragged: Sequence[Ragged]
) -> Iterator[pa.RecordBatch]:
    """The batches up to the first broken line, which is refused in our words and not in Arrow's."""
    try:
        yield from batches
    except pa.ArrowInvalid as error:
        if not ragged:
            raise
        line = ragged[0]
        raise DataRefused(
            f"{path}, row {line.row}: {line.message}; mend it, or leave bad rows out with --on-error skip"
        ) from error


def _header(path: Path, file: Any) -> list[str]:
    """The names in the first line; the file stands at its beginning again."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        names = next(csv.reader(text), None)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataRefused(f"{path} is no CSV in UTF-8 ({error})") from error
    finally:
        text.detach()
        file.seek(0)
    if not names:
        raise DataRefused(f"{path} has no header; its first line has to name the columns")
    return names


def _check_names(path: Path, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataRefused(f"{path} has more than one column named {', '.join(twice)}; name each once")


@contextmanager
def _refused_if_arrow_fails(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError) as error:
        raise DataRefused(f"{path} cannot be used: {' '.join(str(error).split())[:300]}") from error


@contextmanager
def output_draft(path: Path) -> Iterator[Path]:
    """A draft of the file that --output names. Raises SettingsError where it cannot be written."""
    try:
        with drafted(path) as draft:
            yield draft
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error}); give another file with --output") from error


@contextmanager
def written(path: Path, kind: str, schema: pa.Schema) -> Iterator[Sink]:
    """A table of this `schema` that is written to `path`, complete when the block ends."""
    if kind == PARQUET:
        with pyarrow.parquet.ParquetWriter(path, schema, compression="snappy") as writer:
            yield writer
        return
    with path.open("wb") as file:
        sink = _CsvSink(file)
        sink.header(schema.names)
        yield sink


class _CsvSink:
    """Text as it was read, quotes only where a value needs them: Arrow, which is fast, either quotes all text or none."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def header(self, names: list[str]) -> None:
        """The first line."""
        self._by_line([[name] for name in names])

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        columns = [_decoded(column).cast(pa.string()) for column in batch.columns]
        plain = io.BytesIO()
        options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
        try:
            pyarrow.csv.write_csv(pa.RecordBatch.from_arrays(columns, batch.schema.names), plain, options)
        except pa.ArrowInvalid:  # a value needs quotes
            self._by_line([column.to_pylist() for column in columns])
        else:
            self._file.write(plain.getvalue())

    def _by_line(self, columns: list[list[Any]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(zip(*columns))
        self._file.write(text.getvalue().encode())


def _decoded(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
