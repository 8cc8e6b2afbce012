"""Which span a day belongs to: span 1 is the year 2019, every later span one month."""

from __future__ import annotations

import calendar
from datetime import date


def span_of(day: date) -> int | None:
    """The number of the span that `day` belongs to; None before 2019."""
    if day.year < 2019:
        return None
    return 1 if day.year == 2019 else 2 + (day.year - 2020) * 12 + (day.month - 1)


def span_dates(number: int) -> tuple[date, date]:
    """First and last day of a span, both included."""
    if number == 1:
        return date(2019, 1, 1), date(2019, 12, 31)
    year, month = 2020 + (number - 2) // 12, (number - 2) % 12 + 1
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])
