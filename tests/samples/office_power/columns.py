"""The table of columns."""

from __future__ import annotations

from pedalflow.columns import Column, Kind, Role, with_role

COLUMNS: tuple[Column, ...] = (
    Column("day", Kind.DATE, Role.FEATURE, "date", "Local date.", "2019-01-01", "2049-12-31"),
    Column("hour", Kind.INTEGER, Role.FEATURE, "hour", "Hour of the day.", 0, 23),
    Column("weekday", Kind.INTEGER, Role.FEATURE, "code", "Day of the week, Monday is 0.", 0, 6),
    Column("open", Kind.INTEGER, Role.FEATURE, "flag", "1 where people work in that hour.", 0, 1),
    Column("outside", Kind.NUMBER, Role.FEATURE, "°C", "Temperature outside.", -40.0, 50.0),
    Column("sun", Kind.NUMBER, Role.FEATURE, "W/m²", "Radiation on the roof.", 0.0, 1400.0),
    Column("kwh", Kind.INTEGER, Role.LABEL, "kWh", "What the building drew in that hour.", 0),
)
NAMES: tuple[str, ...] = tuple(column.name for column in COLUMNS)
FEATURES: tuple[Column, ...] = with_role(COLUMNS, Role.FEATURE)
LABEL: Column = with_role(COLUMNS, Role.LABEL)[0]
HOUR = "hour"
