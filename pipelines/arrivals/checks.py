"""The checks of an arriving batch. Pure: bytes, a use case and what is known of older spans in; what is broken out.

They go from the file to its header, its values, its rows and its place among the spans; a later step runs only where an earlier
one left it something to stand on, so that one cause is not reported ten times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date as Day

import numpy as np
import pandas as pd

from pedalflow.columns import Column, Kind, Role
from pedalflow.row_rule import RowRule
from pipelines.arrivals.reading import check_fields, check_header, check_text, lines_of, read_frame
from pipelines.arrivals.violations import Broken, broken

# The emptiest month of the archive (February 2011, after snow) holds 96.6 % of its hours: 649 of 672.
LEAST_SHARE_OF_HOURS = 0.90
_INTEGER = r"-?[0-9]{1,18}"
# Arrow, which reads the spans later, takes no leading plus.
_NUMBER = r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


@dataclass(frozen=True)
class Rules:
    """What a batch is held against: the use case's table, row rules and calendar of spans."""

    columns: tuple[Column, ...]
    date: str
    hour: str
    row_rules: tuple[RowRule, ...]
    span_of: Callable[[Day], int | None]
    span_dates: Callable[[int], tuple[Day, Day]]

    def of(self, header: Sequence[str]) -> Rules:
        """The rules of a batch with this header.

        A source sends the whole table. What was collected from requests and their labels has the features and the label alone, which
        is all that the pipeline reads; rules about the other columns have nothing to say of it.
        """
        served = tuple(column for column in self.columns if column.role in (Role.FEATURE, Role.LABEL))
        names = [column.name for column in served]
        if list(header) != names:
            return self
        told = tuple(rule for rule in self.row_rules if {rule.column, *rule.needs} <= set(names))
        return replace(self, columns=served, row_rules=told)


@dataclass(frozen=True)
class KnownSpans:
    """The spans in the store: their numbers, and `hours(number)`: the set of (YYYY-MM-DD, hour) that a span holds."""

    numbers: tuple[int, ...]
    hours: Callable[[int], frozenset[tuple[str, int]]]

    @property
    def newest(self) -> int:
        """The highest number; 0 for an empty store."""
        return max(self.numbers, default=0)


@dataclass(frozen=True)
class Batch:
    """A batch that broke no rule: the span it is, its rows and its first and last day (YYYY-MM-DD)."""

    span: int
    rows: int
    first: str
    last: str


def check_batch(content: bytes, rules: Rules, known: KnownSpans) -> tuple[Batch | None, tuple[Broken, ...]]:
    """The batch, or everything that is wrong with it. `content` is the unpacked CSV."""
    found = check_text(content)
    if found:
        return None, found
    lines = lines_of(content)
    rules = rules.of(lines[0].split(","))
    found = _check_lines(lines, rules)
    if found:
        return None, found
    text = read_frame(content)
    frame, found = typed(text, rules.columns)
    if frame.empty:
        return None, found
    found += check_rows(frame, text, rules)
    span, misplaced = check_place(frame, text, rules, known)
    found += misplaced
    if found:
        return None, found
    days = text[rules.date]
    return Batch(span, len(frame), days.min(), days.max()), ()


def _check_lines(lines: Sequence[str], rules: Rules) -> tuple[Broken, ...]:
    names = [column.name for column in rules.columns]
    found = check_header(lines[0].split(","), names) or check_fields(lines, len(names))
    if not found and len(lines) == 1:
        return (broken("no_rows", "the file has a header and no rows; send the rows"),)
    return found


def typed(text: pd.DataFrame, columns: Sequence[Column]) -> tuple[pd.DataFrame, tuple[Broken, ...]]:
    """The rows whose every value has its column's type, as typed columns; and what is missing or of another type."""
    found: list[Broken] = []
    values: dict[str, pd.Series] = {}
    good = pd.Series(True, index=text.index)
    for column in columns:
        raw = text[column.name]
        missing = raw.str.strip() == ""
        values[column.name], wrong = _parsed(raw, column.kind)
        wrong &= ~missing
        found += _at(
            "missing_value", f"{column.name} has to have a value in every row", column.name, raw, missing
        )
        found += _at("type", f"{column.name} has to be {_TYPE_WORDS[column.kind]}", column.name, raw, wrong)
        good &= ~(missing | wrong)
    kinds = {column.name: "int64" for column in columns if column.kind is Kind.INTEGER}
    return pd.DataFrame(values)[good].astype(kinds), tuple(found)


_TYPE_WORDS: Mapping[Kind, str] = {
    Kind.DATE: "a date that exists, written YYYY-MM-DD",
    Kind.INTEGER: "a whole number, written with digits only",
    Kind.NUMBER: "a finite number with a decimal point, without blanks or quotes",
}


def _parsed(raw: pd.Series, kind: Kind) -> tuple[pd.Series, pd.Series]:
    """Typed values, and where the text is not of that type."""
    if kind is Kind.DATE:
        days = pd.to_datetime(raw.where(raw.str.fullmatch(_DATE)), format="%Y-%m-%d", errors="coerce")
        return days, days.isna()
    fits = raw.str.fullmatch(_INTEGER if kind is Kind.INTEGER else _NUMBER)
    if kind is Kind.INTEGER:
        return raw.where(fits, "0").astype("int64"), ~fits
    numbers = pd.to_numeric(raw.where(fits), errors="coerce").astype("float64")
    return numbers, ~numbers.between(-np.inf, np.inf, inclusive="neither")


def _at(rule: str, hint: str, column: str, raw: pd.Series, mask: pd.Series) -> list[Broken]:
    """The rule broken where `mask` is True (aligned with part of `raw`'s rows); nothing where it is True nowhere."""
    rows = mask[mask.astype(bool)].index
    return [broken(rule, hint, column, rows.tolist(), raw.loc[rows].tolist())] if len(rows) else []


def check_rows(frame: pd.DataFrame, text: pd.DataFrame, rules: Rules) -> tuple[Broken, ...]:
    """Ranges, the use case's row rules, the order of rows and hours that occur twice."""
    found: list[Broken] = []
    explained: set[str] = set()
    outside = {column.name: _outside(frame[column.name], column) for column in rules.columns}
    for rule in rules.row_rules:
        hits = _at(rule.name, rule.hint, rule.column, text[rule.column], rule.breaks(frame))
        found += hits
        explained |= {rule.column} if hits and rule.explains_range else set()
    for column in rules.columns:
        if column.name not in explained:
            hint = _range_hint(column)
            found += _at("range", hint, column.name, text[column.name], outside[column.name])
    has_a_moment = ~(outside[rules.date] | outside[rules.hour])
    return (*found, *_check_keys(frame[has_a_moment], text, rules))


def _outside(values: pd.Series, column: Column) -> pd.Series:
    """Where a value lies below or above its column's range."""
    low = pd.Timestamp(column.low) if column.kind is Kind.DATE and column.low is not None else column.low
    high = pd.Timestamp(column.high) if column.kind is Kind.DATE and column.high is not None else column.high
    outside = pd.Series(False, index=values.index)
    outside |= values < low if low is not None else False
    outside |= values > high if high is not None else False
    return outside


def _range_hint(column: Column) -> str:
    limits = [
        f"at least {column.low}" if column.low is not None else "",
        f"at most {column.high}" if column.high is not None else "",
    ]
    return f"{column.name} has to be {' and '.join(limit for limit in limits if limit)} ({column.unit})"


def _check_keys(frame: pd.DataFrame, text: pd.DataFrame, rules: Rules) -> list[Broken]:
    """The order of rows and hours that occur twice, among rows whose date and hour lie in their ranges."""
    moments = frame[rules.date] + pd.to_timedelta(frame[rules.hour], unit="h")
    twice = moments.duplicated(keep="first")
    written = text[rules.date] + " " + text[rules.hour]
    backwards = (moments.diff() < pd.Timedelta(0)) & ~twice
    return [
        *_at(
            "duplicate_hour",
            "this hour stands in the file before; keep one of the rows",
            rules.hour,
            written,
            twice,
        ),
        *_at(
            "row_order",
            "rows have to go forward in time; sort by date and hour",
            rules.date,
            written,
            backwards,
        ),
    ]


def check_place(
    frame: pd.DataFrame, text: pd.DataFrame, rules: Rules, known: KnownSpans
) -> tuple[int, tuple[Broken, ...]]:
    """Which span the batch is (0 if none), and why it cannot be the next one. Dates decide, one span a batch."""
    raw = text[rules.date].loc[frame.index]
    days = raw.map({day: rules.span_of(Day.fromisoformat(day)) or 0 for day in raw.unique()})
    found = _at("no_span", "no span covers this date; leave the row out", rules.date, raw, days == 0)
    span = int(days.mode().iloc[0])
    mixed_hint = f"most rows belong to span {span} and this one does not; send one span a file"
    found += _at("mixed_spans", mixed_hint, rules.date, raw, (days != span) & (days != 0))
    found += _check_known(frame, raw, days, rules, known)
    if span > known.newest + 1:
        hint = f"span {known.newest + 1} has to arrive before span {span}; send {_dates_words(rules, known.newest + 1)} first"
        found.append(broken("span_skipped", hint, rules.date, [int(raw.index[0])], [raw.iloc[0]]))
    if span and not found:
        found += _check_size(frame, raw, rules, span)
    return span, tuple(found)


def _check_known(
    frame: pd.DataFrame, raw: pd.Series, days: pd.Series, rules: Rules, known: KnownSpans
) -> list[Broken]:
    found: list[Broken] = []
    for number in sorted(set(days) & set(known.numbers)):
        inside = days == number
        hours = known.hours(number)
        same = inside & pd.Series(
            [key in hours for key in zip(raw, frame[rules.hour], strict=True)], index=raw.index
        )
        written = raw + " " + frame[rules.hour].astype(str)
        hint = f"span {number} holds this hour already; a span is never changed, leave the row out"
        found += _at("known_hour", hint, rules.hour, written, same)
        hint = (
            f"this hour lies inside span {number}, which is closed; only span {known.newest + 1} can arrive"
        )
        found += _at("overlap", hint, rules.date, written, inside & ~same)
    missing_older = sorted({int(n) for n in set(days) if 0 < n < known.newest} - set(known.numbers))
    for number in missing_older:
        hint = f"span {number} is older than span {known.newest}, the newest; only span {known.newest + 1} can arrive"
        found += _at("older_than_newest", hint, rules.date, raw, days == number)
    return found


def _check_size(frame: pd.DataFrame, raw: pd.Series, rules: Rules, span: int) -> list[Broken]:
    first, last = rules.span_dates(span)
    hours = ((last - first).days + 1) * 24
    if len(frame) >= LEAST_SHARE_OF_HOURS * hours:
        return []
    hint = (
        f"span {span} has {hours} hours ({first} to {last}) and the file holds {len(frame)} of them; "
        f"at least {LEAST_SHARE_OF_HOURS:.0%} have to be there"
    )
    return [broken("too_few_rows", hint, rules.date, [int(raw.index[-1])], [raw.iloc[-1]])]


def _dates_words(rules: Rules, span: int) -> str:
    first, last = rules.span_dates(span)
    return f"{first} to {last}"
