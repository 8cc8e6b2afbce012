"""Predicting a file: the request schema, the model and the outlier judge of a release, over rows that are read in pieces."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pedalflow.errors import DataRefused, SettingsError
from pedalflow.progress import Progress
from serving.batch_files import PARQUET, Source, kind_of, opened, output_draft, written
from serving.errors import ModelFailed
from serving.scoring.errors import BadRequest, ModelBroken, Rule
from serving.scoring.request import DATE, INTEGER, Columns, Field, RequestSchema
from serving.served import Served

PREDICTION, RELEASE, OUTLIER, REASONS = "prediction", "release", "outlier", "outlier_reasons"
REFUSED_HEADER = ("row", "rule", "field", "value", "message")
STEP_ROWS = 500_000  # after so many rows another line of progress begins
_SEPARATOR = "; "
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_ARROW_TYPES = {DATE: pa.date32(), INTEGER: pa.int64()}


@dataclass(frozen=True)
class BatchWish:
    """What to predict: a file, where the result goes, rows at a time, whether bad rows are skipped, whether to say why."""

    source: Path
    target: Path
    batch_rows: int = 8192
    skip_bad_rows: bool = False
    reasons: bool = False

    @property
    def refused(self) -> Path:
        """Where skipped rows go."""
        return self.target.with_name(f"{self.target.name}.refused.csv")


@dataclass(frozen=True)
class BatchSummary:
    """What was done. `passed_through` names the input's columns that the model does not take."""

    release: str
    rows: int
    predicted: int
    refused: int
    outliers: int
    passed_through: tuple[str, ...]
    output: str
    refused_file: str | None


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be predicted; `row` counts from 1 after the header."""

    row: int
    rule: str
    field: str
    value: str
    message: str
    values: tuple[str, ...] = ()


def predict_file(
    served: Served, wish: BatchWish, progress: Progress, between_batches: Callable[[], None] = lambda: None
) -> BatchSummary:
    """Predict every row of a file, in the file's order: its columns, then prediction, release, outlier and, if wished, the reasons.

    The output appears whole or not at all. What `between_batches` raises ends the work, such as an interrupt that was held back.

    Raises:
        DataMissing: the input cannot be read.
        DataRefused: a column is missing, or a row is bad and bad rows are not to be skipped; row, field, value and rule are named.
        SettingsError: a file of another kind, two of input, output and refused rows are one file, or one cannot be written.
        ModelFailed: a prediction is no finite number.
    """
    _check_files(wish)
    with opened(wish.source, wish.batch_rows, skip_ragged=wish.skip_bad_rows) as source:
        check_columns(source, served.schema, wish)
        work = _Work(served, wish, source)
        with (
            output_draft(wish.target) as draft,
            output_draft(wish.refused) as refused_draft,
            ExitStack() as files,
        ):
            sink = files.enter_context(written(draft, kind_of(wish.target), work.schema))
            refused = _RefusedFile(refused_draft, source.schema.names, files)
            for batch in _in_steps(work, progress):
                predicted, bad = work.predict(batch)
                refused.write(bad)
                sink.write(predicted)
                between_batches()
            refused.write(work.ragged_until(None))
        if not refused.rows:
            with suppress(FileNotFoundError):
                wish.refused.unlink()  # an earlier run's would be taken for this one's
    return work.summary(refused.rows)


def _check_files(wish: BatchWish) -> None:
    for path in (wish.source, wish.target):
        kind_of(path)
    source, target, refused = (path.resolve() for path in (wish.source, wish.target, wish.refused))
    if source == target:
        raise SettingsError(f"{wish.target} is the input too; give another file with --output")
    if refused in (source, target):
        which = "input" if refused == source else "output"
        raise SettingsError(
            f"{wish.refused}, where refused rows go, is the {which} too; give another file with --output"
        )


def check_columns(source: Source, schema: RequestSchema, wish: BatchWish) -> None:
    """Raises DataRefused where a column that the model takes is missing, or one of ours would stand there twice."""
    missing = [field for field in schema.fields if field.name not in source.schema.names]
    if missing:
        needs = f"{missing[0].name!r} holds {missing[0].takes}"
        names = ", ".join(field.name for field in missing)
        raise DataRefused(
            f"{source.path} has no column {names}; the model needs every one of its features ({needs})"
        )
    taken = [name for name in _own_names(wish) if name in source.schema.names]
    if taken:
        raise DataRefused(
            f"{source.path} already has a column {', '.join(taken)}, which the output adds; rename it or leave it out"
        )


def _own_names(wish: BatchWish) -> tuple[str, ...]:
    return (PREDICTION, RELEASE, OUTLIER, *((REASONS,) if wish.reasons else ()))


def _in_steps(work: _Work, progress: Progress) -> Iterator[pa.RecordBatch]:
    """The batches of the input, with a line of progress for every so many rows."""
    more: pa.RecordBatch | None = next(work.source.batches, None)
    while more is not None:
        with progress.step(f"predicting {work.source.path.name} from row {work.last_row + 1:,}"):
            until = work.last_row + STEP_ROWS
            while more is not None and work.last_row < until:
                yield more
                more = next(work.source.batches, None)


class _RefusedFile:
    """The rows that were skipped, with the rule that each breaks and all its values; opened when there is one."""

    def __init__(self, path: Path, names: Sequence[str], files: ExitStack) -> None:
        self.rows = 0
        self._path, self._names, self._files = path, names, files
        self._writer: Any = None

    def write(self, bad: Sequence[BadRow]) -> None:
        """Append rows."""
        if bad and self._writer is None:
            file = self._files.enter_context(self._path.open("w", encoding="utf-8", newline=""))
            self._writer = csv.writer(file, lineterminator="\n")
            self._writer.writerow((*REFUSED_HEADER, *self._names))
        for entry in bad:
            self._writer.writerow(
                (entry.row, entry.rule, entry.field, entry.value, entry.message, *entry.values)
            )
        self.rows += len(bad)


class _Work:
    """One file's way through the model; `last_row` is the number of the last row that was read, from 1 after the header."""

    def __init__(self, served: Served, wish: BatchWish, source: Source) -> None:
        self.source = source
        self.last_row = 0
        self.schema = output_schema(source, served.schema, wish)
        self._served, self._wish = served, wish
        self._predicted = self._outliers = self._ragged_taken = 0

    def predict(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[BadRow]]:
        """The good rows with what is predicted of them, and the bad rows."""
        rows = numbered(self.last_row, batch.num_rows, {line.row for line in self.source.ragged})
        schema = self._served.schema
        bad: list[BadRow] = []
        try:
            columns = schema.from_matrix(as_matrix(batch, schema.fields, is_text=self.source.is_text))
        except (BadRequest, pa.ArrowInvalid, TypeError):
            batch, columns, bad = self._one_by_one(batch, rows)
        self.last_row = rows[-1]
        bad = sorted([*bad, *self.ragged_until(self.last_row)], key=lambda entry: entry.row)
        return self._output(batch, columns), bad

    def ragged_until(self, row: int | None) -> list[BadRow]:
        """The broken lines up to a row (or all) that were not asked for before."""
        lines = [line for line in self.source.ragged[self._ragged_taken :] if row is None or line.row <= row]
        self._ragged_taken += len(lines)
        return [BadRow(line.row, Rule.SHAPE.value, "", line.text, line.message) for line in lines]

    def summary(self, refused: int) -> BatchSummary:
        """What was done."""
        known = self._served.schema.names
        return BatchSummary(
            self._served.release.name,
            self._predicted + refused,
            self._predicted,
            refused,
            self._outliers,
            tuple(name for name in self.source.schema.names if name not in known),
            str(self._wish.target),
            str(self._wish.refused) if refused else None,
        )

    def _one_by_one(
        self, batch: pa.RecordBatch, rows: Sequence[int]
    ) -> tuple[pa.RecordBatch, Columns, list[BadRow]]:
        """The good rows of a batch that holds a bad one, their columns, and the bad rows."""
        schema = self._served.schema
        records = plain_rows(batch, schema.fields, is_text=self.source.is_text)
        good: list[int] = []
        bad: list[BadRow] = []
        for position, values in enumerate(records):
            try:
                schema.one_row(schema.names, values)
                good.append(position)
            except BadRequest as reason:
                bad.append(self._refused(batch, position, rows[position], reason))
        kept = batch.take(pa.array(good, pa.int64()))
        return kept, schema.from_table(schema.names, [records[at] for at in good]) if good else {}, bad

    def _refused(self, batch: pa.RecordBatch, position: int, row: int, reason: BadRequest) -> BadRow:
        """The row with its values. Raises DataRefused where bad rows are not to be skipped."""
        said = reason.message.removeprefix("row 0, ")
        if not self._wish.skip_bad_rows:
            raise DataRefused(
                f"{self.source.path}, row {row}: {said} (rule {reason.rule}); "
                "mend it, or leave bad rows out with --on-error skip"
            )
        found = (column[position].as_py() for column in batch.columns)
        values = tuple("" if value is None else str(value) for value in found)
        return BadRow(row, reason.rule, reason.field or "", str(reason.value or ""), said, values)

    def _output(self, batch: pa.RecordBatch, columns: Columns) -> pa.RecordBatch:
        served = self._served
        if not batch.num_rows:
            return pa.RecordBatch.from_pylist([], self.schema)
        try:
            predictions = served.model.predict(columns)
        except ModelBroken as error:
            raise ModelFailed(f"{self.source.path}, up to row {self.last_row}: {error}") from error
        judged = served.judge.rows(columns)
        self._predicted += batch.num_rows
        self._outliers += int(judged.flagged.sum())
        own = {
            PREDICTION: pa.array(predictions),
            RELEASE: pa.array([served.release.name] * batch.num_rows),
            OUTLIER: pa.array(judged.flagged),
            REASONS: pa.array([_SEPARATOR.join(reasons) for reasons in judged.reasons]),
        }
        inputs = [
            _as_type(columns[field.name], field.type)
            if batch.schema.field(field.name) != field
            else batch[field.name]
            for field in self.schema
            if field.name not in own
        ]
        return pa.RecordBatch.from_arrays(
            [*inputs, *(own[name] for name in _own_names(self._wish))], schema=self.schema
        )


def output_schema(source: Source, schema: RequestSchema, wish: BatchWish) -> pa.Schema:
    """The input's columns as they are, then ours. The text of a CSV gets the types of the features where Parquet is written."""
    typed = source.is_text and kind_of(wish.target) == PARQUET
    types = (
        {field.name: _ARROW_TYPES.get(field.kind, pa.float64()) for field in schema.fields} if typed else {}
    )
    fields = [pa.field(column.name, types.get(column.name, column.type)) for column in source.schema]
    own = {PREDICTION: pa.float64(), RELEASE: pa.string(), OUTLIER: pa.bool_(), REASONS: pa.string()}
    return pa.schema([*fields, *((name, own[name]) for name in _own_names(wish))])


def numbered(last: int, count: int, left_out: Collection[int]) -> Sequence[int]:
    """The numbers of the next `count` rows after row `last` in a file of which the rows `left_out` were not read."""
    if not left_out:
        return range(last + 1, last + count + 1)
    return list(itertools.islice((row for row in itertools.count(last + 1) if row not in left_out), count))


def as_matrix(batch: pa.RecordBatch, fields: Sequence[Field], *, is_text: bool) -> npt.NDArray[np.float64]:
    """The features as float64[rows, fields], dates as days. Raises pa.ArrowInvalid or TypeError where a value is no number or date."""
    return np.column_stack([_numbers(batch[field.name], field, is_text=is_text) for field in fields])


def _numbers(column: pa.Array, field: Field, *, is_text: bool) -> npt.NDArray[np.float64]:
    if column.null_count:
        raise TypeError(f"{field.name} has missing values")
    is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if field.kind == DATE and not is_number:
        if not (pa.types.is_string(column.type) or pa.types.is_temporal(column.type)):
            raise TypeError(f"{field.name} holds {column.type}")
        dates = column.cast(pa.date32())
        if pa.types.is_timestamp(column.type) and not dates.cast(column.type).equals(column):
            raise TypeError(f"{field.name} has a time of day")
        column = dates.cast(pa.int32())
    elif not (is_text or is_number):
        raise TypeError(f"{field.name} holds {column.type}")
    return column.cast(pa.float64(), safe=False).to_numpy()


def plain_rows(batch: pa.RecordBatch, fields: Sequence[Field], *, is_text: bool) -> list[tuple[Any, ...]]:
    """The features as rows of plain values, as a request would bring them; what is no number or date stays as it is."""
    plain = _number_of if is_text else _date_of
    columns = [
        [value if is_text and field.kind == DATE else plain(value) for value in batch[field.name].to_pylist()]
        for field in fields
    ]
    return list(zip(*columns))


def _number_of(text: str) -> Any:
    if not _NUMBER.fullmatch(text):
        return text
    return int(text) if text.isdecimal() else float(text)


def _date_of(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time.min else value
    return value.isoformat() if isinstance(value, date) else value


def _as_type(values: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values.astype(np.int32) if pa.types.is_date32(kind) else values, kind)
