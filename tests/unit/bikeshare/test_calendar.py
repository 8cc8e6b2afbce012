"""How the model counts time."""

from __future__ import annotations

from datetime import date

from bikeshare.calendar import DAYS_PER_YEAR, EPOCH, ORIGIN, ORIGIN_SINCE_EPOCH
from bikeshare.columns import COLUMNS
from bikeshare.growth import DAYS_PER_YEAR as GROWTH_DAYS_PER_YEAR


def test_time_begins_with_the_first_day_that_the_data_may_hold() -> None:
    first = next(column.low for column in COLUMNS if column.name == "dteday")
    assert date.fromisoformat(str(first)) == ORIGIN


def test_origin_is_counted_from_the_epoch_in_which_examples_carry_dates() -> None:
    assert ORIGIN_SINCE_EPOCH == 14975
    assert EPOCH.toordinal() + ORIGIN_SINCE_EPOCH == ORIGIN.toordinal()


def test_model_and_growth_rule_have_years_of_the_same_length() -> None:
    assert DAYS_PER_YEAR == GROWTH_DAYS_PER_YEAR
