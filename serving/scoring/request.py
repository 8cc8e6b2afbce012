"""The rows of a request: read by the release's own request schema, strictly, into columns.

Three ways in, for the forms that rows travel in: records (a mapping for each row), a table (names and rows) and a matrix of numbers.
Each accepts the same rows and refuses the same ones. One row is read in plain Python, many are read column by column; where a whole
column does not pass, its values are looked at one by one to name the first that is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import BadRequest, Rule

Columns = Mapping[str, npt.NDArray[Any]]
Row = dict[str, float]

DATE, INTEGER, NUMBER = "date", "integer", "number"
DTYPES = {DATE: np.dtype(np.int64), INTEGER: np.dtype(np.int64), NUMBER: np.dtype(np.float64)}
_EXACT = {
    DATE: object,
    INTEGER: int,
    NUMBER: float,
}  # what passes quickly; a date never does, for no value is just an object
_EPOCH = date(1970, 1, 1)
_WIDEST = {
    DATE: ((date.min - _EPOCH).days, (date.max - _EPOCH).days),
    INTEGER: (-(2**53), 2**53),  # what a JSON number carries exactly
    NUMBER: (-1.7976931348623157e308, 1.7976931348623157e308),
}
_SHOWN = 60  # characters of a refused value that an answer repeats


@dataclass(frozen=True)
class Field:
    """One field of a row: `low` and `high` bound its values (both included), for a date in days since 1970-01-01."""

    name: str
    kind: str
    low: float
    high: float
    description: str = ""

    @property
    def takes(self) -> str:
        """What may be sent for this field, in words."""
        low, high = self._as_text(self.low), self._as_text(self.high)
        if self.kind == DATE:
            return f"a date from {low} to {high} as text YYYY-MM-DD, or its days since 1970-01-01"
        return f"{'a whole number' if self.kind == INTEGER else 'a number'} from {low} to {high}"

    def _as_text(self, bound: float) -> str:
        return days_to_text(int(bound)) if self.kind == DATE else f"{bound:.15g}"


@dataclass(frozen=True)
class RequestSchema:
    """The fields of a row, in the order that a matrix without names has."""

    fields: tuple[Field, ...]

    @staticmethod
    def from_json(described: Mapping[str, Any]) -> RequestSchema:
        """Read a release's `request_schema.json`; the order of the fields is that of its `required`.

        Raises:
            ValueError: it describes something else than rows of dates, integers and numbers that are all required.
        """
        properties, required = described["properties"], described["required"]
        if set(required) != set(properties) or len(required) != len(properties) or not required:
            raise ValueError("every field of a request must be required, and there must be one at least")
        return RequestSchema(tuple(_field(name, properties[name]) for name in required))

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    def from_records(self, records: Sequence[Mapping[str, Any]]) -> Columns:
        """Rows as mappings from field to value. Raises BadRequest, as all the readers here do."""
        return self.from_table(self.names, [self._values(record, row) for row, record in enumerate(records)])

    def from_table(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Columns:
        """Rows as sequences of values, in the order of `names`."""
        order = self.order(names)
        if len(rows) == 1:
            return self.columns(self._one(order, rows[0]))
        if not rows:
            raise no_rows()
        if set(map(type, rows)) - {list, tuple} or set(map(len, rows)) != {len(order)}:
            raise _odd_row(rows, len(order))
        by_position = list(zip(*rows))
        columns = {name: by_position[position] for name, position in zip(self.names, order)}
        plain: dict[str, npt.NDArray[Any]] = {}
        for kind, fields in self._by_kind:
            plain.update(_together(kind, fields, columns))
        return {
            field.name: plain[field.name] if field.name in plain else _column(field, columns[field.name])
            for field in self.fields
        }

    def from_matrix(self, matrix: npt.NDArray[np.float64], names: Sequence[str] | None = None) -> Columns:
        """Numbers only, [rows, fields]; dates are days since 1970-01-01. Without names the columns stand in the schema's order."""
        order = tuple(range(len(self.fields))) if names is None else self.order(names)
        if matrix.ndim != 2 or matrix.shape[1] != len(order):
            shape = list(matrix.shape)
            raise BadRequest(
                Rule.SHAPE,
                f"the shape {shape} does not fit: send [rows, {len(order)}], a column for each field",
            )
        if not len(matrix):
            raise no_rows()
        return {
            field.name: _numeric_column(field, matrix[:, position])
            for field, position in zip(self.fields, order)
        }

    def one_record(self, record: Mapping[str, Any]) -> Row:
        """The values of a single row by field, dates as days: what `from_records` does with one record, without arrays."""
        return self._one(self._in_order, self._values(record, 0))

    def one_row(self, names: Sequence[str], values: Sequence[Any]) -> Row:
        """The values of a single row by field, dates as days: what `from_table` does with one row, without arrays."""
        return self._one(self.order(names), values)

    def columns(self, row: Mapping[str, float]) -> Columns:
        """A row that was read as columns of one value each."""
        columns: dict[str, npt.NDArray[Any]] = {}
        for dtype, names in self._names_by_dtype:
            values = np.array([row[name] for name in names], dtype)
            columns.update(zip(names, values.reshape(-1, 1)))
        return columns

    def to_records(self, columns: Columns) -> list[dict[str, Any]]:
        """The rows as mappings, dates as text: `from_records` gives the same columns back."""
        texts = self.to_lists(columns)
        return [dict(zip(self.names, values)) for values in zip(*(texts[name] for name in self.names))]

    def to_lists(self, columns: Columns) -> dict[str, list[Any]]:
        """The columns as plain lists, dates as text: how rows stand in a log."""
        return {
            field.name: _as_texts(columns[field.name]) if field.kind == DATE else columns[field.name].tolist()
            for field in self.fields
        }

    def row_to_lists(self, row: Mapping[str, float]) -> dict[str, list[Any]]:
        """`to_lists` for a single row."""
        return {
            name: [days_to_text(int(row[name])) if is_date else row[name]] for name, is_date in self._is_date
        }

    def order(self, names: Sequence[str]) -> tuple[int, ...]:
        """Where each field stands in `names`."""
        known = self._orders.get(key := tuple(names)) if _are_texts(names) else None
        if known is not None:
            return known
        order = self._new_order(names)
        if len(self._orders) < 64:  # a client uses one order; whoever tries many must not fill the memory
            self._orders[key] = order
        return order

    def _new_order(self, names: Sequence[str]) -> tuple[int, ...]:
        if not _are_texts(names):
            raise BadRequest(Rule.NAMES, f"the names must be a list of texts; {self._needed}")
        self._check_names(names)
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise BadRequest(
                Rule.DUPLICATE_FIELD, f"field {twice!r} is named twice; name each once", field=twice
            )
        return tuple(names.index(name) for name in self.names)

    def _check_names(self, names: Sequence[str]) -> None:
        unknown = next((name for name in names if name not in self._known), None)
        if unknown is not None:
            field = shown(unknown)
            raise BadRequest(
                Rule.UNKNOWN_FIELD, f"field {field} is not known; {self._needed}", field=str(unknown)[:_SHOWN]
            )
        missing = next((name for name in self.names if name not in names), None)
        if missing is not None:
            raise BadRequest(
                Rule.MISSING_FIELD, f"field {missing!r} is missing; {self._needed}", field=missing
            )

    def _values(self, record: Mapping[str, Any], row: int) -> list[Any]:
        if type(record) is not dict:
            raise BadRequest(
                Rule.TYPE,
                f"row {row} is {shown(record)}, but must be an object with a value for each field",
                row=row,
            )
        if record.keys() != self._known:
            try:
                self._check_names(list(record))
            except BadRequest as bad:
                bad.row = row
                raise
        return [record[name] for name in self.names]

    def _one(self, order: tuple[int, ...], values: Sequence[Any]) -> Row:
        if type(values) not in (list, tuple) or len(values) != len(order):
            raise _odd_row([values], len(order))
        return {
            name: value
            if type(value := values[position]) is exact and low <= value <= high
            else clean(field, value, 0)
            for (name, exact, low, high, field), position in zip(self._quick, order)
        }

    @cached_property
    def _quick(self) -> tuple[tuple[str, Any, float, float, Field], ...]:
        """What the values of one row are checked by."""
        return tuple((field.name, _EXACT[field.kind], field.low, field.high, field) for field in self.fields)

    @cached_property
    def _by_kind(self) -> tuple[tuple[str, tuple[Field, ...]], ...]:
        """The fields that arrive as numbers, those of a kind together."""
        kinds = dict.fromkeys(field.kind for field in self.fields if field.kind != DATE)
        return tuple((kind, tuple(field for field in self.fields if field.kind == kind)) for kind in kinds)

    @cached_property
    def _names_by_dtype(self) -> tuple[tuple[np.dtype[Any], tuple[str, ...]], ...]:
        dtypes = dict.fromkeys(DTYPES[field.kind] for field in self.fields)
        return tuple(
            (dtype, tuple(f.name for f in self.fields if DTYPES[f.kind] == dtype)) for dtype in dtypes
        )

    @cached_property
    def _is_date(self) -> tuple[tuple[str, bool], ...]:
        return tuple((field.name, field.kind == DATE) for field in self.fields)

    @cached_property
    def _in_order(self) -> tuple[int, ...]:
        return tuple(range(len(self.fields)))

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def _orders(self) -> dict[tuple[str, ...], tuple[int, ...]]:
        return {self.names: self._in_order}

    @cached_property
    def _needed(self) -> str:
        return f"a row needs {', '.join(self.names)}"


def clean(field: Field, value: Any, row: int) -> float:
    """The value as it is stored, an integer for dates and integers. Raises BadRequest with field, row and value."""
    number = value
    if type(value) is str and field.kind == DATE:
        number = _days(value)
        if number is None:
            raise _bad(Rule.NOT_A_DATE, field, row, value)
    elif type(value) is not int and type(value) is not float:
        raise _bad(Rule.TYPE, field, row, value)
    elif type(value) is float and not math.isfinite(value):
        raise _bad(Rule.NOT_FINITE, field, row, value)
    elif field.kind != NUMBER and value != int(value):
        raise _bad(Rule.NOT_AN_INTEGER, field, row, value)
    if not field.low <= number <= field.high:
        raise _bad(Rule.RANGE, field, row, value)
    return float(number) if field.kind == NUMBER else int(number)


@lru_cache(maxsize=4096)
def days_to_text(days: int) -> str:
    """The date that is so many days after 1970-01-01, as YYYY-MM-DD."""
    return (_EPOCH + timedelta(days)).isoformat()


def no_rows() -> BadRequest:
    return BadRequest(Rule.NO_ROWS, "there are no rows; send one at least")


def shown(value: Any) -> str:
    """A value of a request as an answer repeats it: short, whatever was sent."""
    text = repr(value[:_SHOWN] if isinstance(value, (str, bytes, list, tuple)) else value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _field(name: str, described: Mapping[str, Any]) -> Field:
    kind = DATE if described.get("format") == "date" else described.get("type")
    if kind not in DTYPES:
        raise ValueError(f"field {name!r} is neither a date, an integer nor a number")
    if kind == DATE:
        low, high = (
            _days(described[key]) if key in described else None for key in ("x-minimum", "x-maximum")
        )
    else:
        low, high = described.get("minimum"), described.get("maximum")
    widest = _WIDEST[kind]
    return Field(
        name,
        kind,
        widest[0] if low is None else low,
        widest[1] if high is None else high,
        described.get("description", ""),
    )


def _together(kind: str, fields: Sequence[Field], columns: Mapping[str, Sequence[Any]]) -> Columns:
    """The columns of all fields of a kind, made into arrays at once; none where one of them has to be looked at by itself."""
    values = [columns[field.name] for field in fields]
    if set(map(type, chain.from_iterable(values))) != {_EXACT[kind]}:
        return {}
    try:
        arrays = np.array(values, DTYPES[kind])
    except OverflowError:  # an integer beyond 64 bits
        return {}
    ranges = zip(fields, arrays.min(axis=1).tolist(), arrays.max(axis=1).tolist())
    if not all(field.low <= least and most <= field.high for field, least, most in ranges):  # so for NaN
        return {}
    return {field.name: array for field, array in zip(fields, arrays)}


def _column(field: Field, values: Sequence[Any]) -> npt.NDArray[Any]:
    """The values of one column as an array of the field's type."""
    types = set(map(type, values))
    if types == {str} and field.kind == DATE:
        days = [_days(value) for value in values]
        if None not in days and field.low <= min(days) and max(days) <= field.high:  # type: ignore[type-var, operator]
            return np.array(days, np.int64)
    elif types == {int} and field.low <= min(values) and max(values) <= field.high:
        return np.array(values, DTYPES[field.kind])
    elif types == {float}:
        return _numeric_column(field, np.array(values, np.float64))
    return np.array([clean(field, value, row) for row, value in enumerate(values)], DTYPES[field.kind])


def _numeric_column(field: Field, values: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """A column that came as numbers."""
    if field.low <= values.min() and values.max() <= field.high:  # not so where there is a NaN
        stored = values.astype(DTYPES[field.kind])
        if field.kind == NUMBER or (stored == values).all():
            return stored
    cleaned = [clean(field, value, row) for row, value in enumerate(values.tolist())]
    return np.array(cleaned, DTYPES[field.kind])


@lru_cache(maxsize=4096)
def _days(text: str) -> int | None:
    """Days since 1970-01-01 of a date written YYYY-MM-DD; `None` for any other text."""
    if len(text) != 10 or text[4] != "-" or text[7] != "-":  # Python 3.11 and later read other ISO forms too
        return None
    try:
        return (date.fromisoformat(text) - _EPOCH).days
    except ValueError:
        return None


def _as_texts(days: npt.NDArray[np.int64]) -> list[str]:
    return list(map(days_to_text, days.tolist()))


def _are_texts(names: Any) -> bool:
    return type(names) in (list, tuple) and set(map(type, names)) == {str}


def _odd_row(rows: Sequence[Any], width: int) -> BadRequest:
    row, values = next(
        (row, values)
        for row, values in enumerate(rows)
        if type(values) not in (list, tuple) or len(values) != width
    )
    what = f"has {len(values)} values" if type(values) in (list, tuple) else f"is {shown(values)}"
    return BadRequest(
        Rule.SHAPE, f"row {row} {what}, but must be a list of {width}, one for each name", row=row
    )


def _bad(rule: Rule, field: Field, row: int, value: Any) -> BadRequest:
    message = f"row {row}, field {field.name!r}: {shown(value)} {_WRONG[rule]}; send {field.takes}"
    return BadRequest(rule, message, field=field.name, row=row, value=shown(value))


_WRONG = {
    Rule.TYPE: "is of the wrong type",
    Rule.NOT_FINITE: "is not a finite number",
    Rule.NOT_AN_INTEGER: "is not a whole number",
    Rule.NOT_A_DATE: "is not a date",
    Rule.RANGE: "is out of range",
}
