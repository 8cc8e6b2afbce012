"""THE table of columns: the only place that knows what the bike-sharing hours hold.

The checks of an arriving batch, the TFDV schema (`bikeshare.schema`), the schema of a prediction request
(`bikeshare.request_schema`) and the table in `docs/data.md` are derived from it. Order is the order in UCI's `hour.csv`.
"""

from __future__ import annotations

from pedalflow.columns import Column, Kind, Role, with_role

COLUMNS: tuple[Column, ...] = (
    Column("instant", Kind.INTEGER, Role.DERIVED, "-", "Running number of the hour, from 1.", 1),
    Column("dteday", Kind.DATE, Role.FEATURE, "date", "Local date, YYYY-MM-DD.", "2011-01-01", "2050-12-31"),
    Column("season", Kind.INTEGER, Role.FEATURE, "code",
           "Season by date: 1 from 21 December, 2 from 21 March, 3 from 21 June, 4 from 23 September.", 1, 4),
    Column("yr", Kind.INTEGER, Role.DERIVED, "years", "Year of the date, counted from 2011.", 0),
    Column("mnth", Kind.INTEGER, Role.DERIVED, "month", "Month of the date.", 1, 12),
    Column("hr", Kind.INTEGER, Role.FEATURE, "hour", "Hour of the day in local time.", 0, 23),
    Column("holiday", Kind.INTEGER, Role.FEATURE, "flag", "1 on a public holiday of Washington, D.C.", 0, 1),
    Column("weekday", Kind.INTEGER, Role.FEATURE, "code", "Day of the week, Sunday is 0.", 0, 6),
    Column("workingday", Kind.INTEGER, Role.FEATURE, "flag", "1 where the day is neither Saturday, Sunday nor a holiday.", 0, 1),
    Column("weathersit", Kind.INTEGER, Role.FEATURE, "code",
           "Weather: 1 clear, 2 mist or cloud, 3 light rain or snow, 4 heavy rain, ice or fog.", 1, 4),
    Column("temp", Kind.NUMBER, Role.FEATURE, "(°C + 8) / 47", "Air temperature, normalised from -8 to 39 °C.", 0.0, 1.0),
    Column("atemp", Kind.NUMBER, Role.FEATURE, "(°C + 16) / 66", "Temperature as felt, normalised from -16 to 50 °C.", 0.0, 1.0),
    Column("hum", Kind.NUMBER, Role.FEATURE, "% / 100", "Relative humidity as a share.", 0.0, 1.0),
    Column("windspeed", Kind.NUMBER, Role.FEATURE, "(km/h) / 67", "Wind speed, divided by the greatest one measured.", 0.0, 1.0),
    Column("casual", Kind.INTEGER, Role.LEAK, "rentals", "Rentals by casual users: a part of `cnt`.", 0),
    Column("registered", Kind.INTEGER, Role.LEAK, "rentals", "Rentals by registered users: the other part of `cnt`.", 0),
    Column("cnt", Kind.INTEGER, Role.LABEL, "rentals", "All rentals of the hour: what the model predicts.", 0),
)  # fmt: skip

NAMES: tuple[str, ...] = tuple(column.name for column in COLUMNS)
FEATURES: tuple[Column, ...] = with_role(COLUMNS, Role.FEATURE)
LABEL: Column = with_role(COLUMNS, Role.LABEL)[0]
HOUR = "hr"
