"""The hours that are replayed: the spans of the year as requests, each with the label that comes back for it a day later."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from components.use_cases import load_function
from pedalflow.columns import Kind
from pedalflow.use_case import UseCase
from pipelines.provenance import REPOSITORY

LABEL_DELAY = timedelta(hours=24)
_READ: Mapping[Kind, Callable[[str], Any]] = {Kind.DATE: str, Kind.INTEGER: int, Kind.NUMBER: float}


@dataclass(frozen=True)
class Hour:
    """One hour: its moment in the story, the row that is asked for, and the label."""

    at: datetime
    record: Mapping[str, Any]
    label: float

    @property
    def request_id(self) -> str:
        """The same whenever this hour is replayed, so that a repeated request is known as one."""
        return f"loop-{self.at:%Y-%m-%d-%H}"


def span_content(case: UseCase, span: int) -> bytes:
    """The file of a span as its source would send it. Raises DataMissing where the archive has no such span."""
    content: bytes = load_function(case.archive_span)(REPOSITORY / case.archive, span)
    return content


def span_dates(case: UseCase, spans: range) -> dict[int, tuple[date, date]]:
    """First and last day of each span."""
    dates = load_function(case.span_dates)
    return {span: dates(span) for span in spans}


def read_hours(case: UseCase, content: bytes) -> list[Hour]:
    """The rows of a span's file, in order."""
    return [_hour(case, row) for row in csv.DictReader(io.StringIO(content.decode("utf-8")))]


def _hour(case: UseCase, row: Mapping[str, str]) -> Hour:
    day = datetime.fromisoformat(row[case.date])
    record = {column.name: _READ[column.kind](row[column.name]) for column in case.features}
    return Hour(day + timedelta(hours=int(row[case.hour])), record, float(row[case.label]))
