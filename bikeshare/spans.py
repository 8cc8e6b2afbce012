"""Which span a day belongs to: span 1 is the year 2011, every later span one month, so spans 2 to 13 are 2012."""

from __future__ import annotations

import calendar
from datetime import date

FIRST_DAY = date(2011, 1, 1)
FIRST_SPAN_LAST_DAY = date(2011, 12, 31)
ARCHIVE_SPANS = 13


def span_of(day: date) -> int | None:
    """The number of the span that `day` belongs to; None before 2011."""
    if day < FIRST_DAY:
        return None
    if day <= FIRST_SPAN_LAST_DAY:
        return 1
    return 2 + (day.year - 2012) * 12 + (day.month - 1)


def span_dates(number: int) -> tuple[date, date]:
    """First and last day of a span, both included. Raises ValueError for a number below 1."""
    if number < 1:
        raise ValueError(f"there is no span {number}; spans count from 1")
    if number == 1:
        return FIRST_DAY, FIRST_SPAN_LAST_DAY
    year, month = 2012 + (number - 2) // 12, (number - 2) % 12 + 1
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])
