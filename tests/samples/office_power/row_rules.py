"""What has to hold within one row."""

from __future__ import annotations

from pedalflow.row_rule import RowRule

ROW_RULES: tuple[RowRule, ...] = (
    RowRule(
        "weekday_of_day",
        "weekday",
        "weekday has to be that of day, Monday is 0",
        lambda f: f["weekday"] != f["day"].dt.dayofweek,
    ),
    RowRule(
        "closed_at_night", "open", "nobody works before five", lambda f: (f["hour"] < 5) & (f["open"] == 1)
    ),
)
