"""How the model counts time: in years from the first day of the data."""

from __future__ import annotations

from datetime import date

ORIGIN = date(2019, 1, 1)
DAYS_PER_YEAR = 365.25
ORIGIN_SINCE_EPOCH = (ORIGIN - date(1970, 1, 1)).days
