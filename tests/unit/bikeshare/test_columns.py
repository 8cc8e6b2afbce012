"""The table of columns is the one source, and no leak of the target can get out of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import jsonschema
import pytest

from bikeshare import schema as tfdv
from bikeshare.archive import ARCHIVE, unpack
from bikeshare.column_docs import markdown_table
from bikeshare.columns import COLUMNS, FEATURES, LABEL, NAMES
from bikeshare.request_schema import request_schema
from bikeshare.slices import SLICES
from bikeshare.spans import span_dates, span_of
from bikeshare.use_case import USE_CASE
from pedalflow.columns import Kind, Role
from pedalflow.use_case import SliceFeature

ROOT = Path(__file__).resolve().parents[3]
LEAKS = ("casual", "registered")


@pytest.mark.parametrize("leak", [*LEAKS, "cnt"])
def test_what_gives_the_label_away_can_never_be_a_feature(leak: str) -> None:
    assert leak not in {column.name for column in USE_CASE.features}
    assert leak not in request_schema()["properties"]
    serving = {f.name for f in tfdv.schema().feature if tfdv.SERVING not in f.not_in_environment}
    assert leak not in serving
    for use in ("key", "naive"):
        with pytest.raises(ValueError, match=f"{leak}.*gives the label away"):
            replace(USE_CASE, **{use: ("hr", leak)})
    for use in ("date", "hour"):
        with pytest.raises(ValueError, match="gives the label away"):
            replace(USE_CASE, **{use: leak})
    with pytest.raises(ValueError, match="gives the label away"):
        replace(USE_CASE, slices=(SliceFeature("users", leak, {"none": (0,)}),))


@pytest.mark.parametrize("leak", LEAKS)
def test_schema_does_not_know_a_leak_so_an_example_with_one_is_an_anomaly(leak: str) -> None:
    assert leak not in {feature.name for feature in tfdv.schema().feature}


def test_use_case_refuses_a_label_or_column_that_the_table_does_not_have() -> None:
    with pytest.raises(ValueError, match="not the role LABEL"):
        replace(USE_CASE, label="casual")
    with pytest.raises(ValueError, match="'hour', which is not in the table"):
        replace(USE_CASE, naive=("hour",))


def test_schema_holds_features_and_label_with_the_ranges_of_the_table() -> None:
    features = {feature.name: feature for feature in tfdv.schema().feature}
    assert set(features) == {column.name for column in FEATURES} | {LABEL.name}
    assert (features["hr"].int_domain.min, features["hr"].int_domain.max) == (0, 23)
    assert features["temp"].float_domain.disallow_nan
    assert features["dteday"].int_domain.min == (date(2011, 1, 1) - date(1970, 1, 1)).days
    assert list(features["cnt"].not_in_environment) == [tfdv.SERVING]


def test_committed_schema_is_the_one_that_the_table_gives() -> None:
    assert tfdv.TEXT_FORM.read_text(encoding="utf-8") == tfdv.as_text()


def test_documented_table_is_the_table() -> None:
    assert markdown_table() in (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


def test_every_hour_of_the_archive_is_a_valid_request_and_inside_all_ranges() -> None:
    validator = jsonschema.Draft202012Validator(request_schema(), format_checker=jsonschema.FormatChecker())
    read = {Kind.DATE: str, Kind.INTEGER: int, Kind.NUMBER: float}
    for line in unpack(ARCHIVE).decode("ascii").splitlines()[1::97]:
        values = {c.name: read[c.kind](text) for c, text in zip(COLUMNS, line.split(","), strict=True)}
        assert validator.is_valid({column.name: values[column.name] for column in FEATURES})


@pytest.mark.parametrize(
    "change",
    [
        {"hr": 24},
        {"hr": "6"},
        {"temp": 1.5},
        {"dteday": "1/1/2012"},
        {"dteday": "2012-13-01"},
        {"casual": 3},
        {"cnt": 3},
        {"hum": None},
    ],
)
def test_request_with_a_bad_field_is_refused(change: dict[str, object]) -> None:
    validator = jsonschema.Draft202012Validator(request_schema(), format_checker=jsonschema.FormatChecker())
    good = {
        "dteday": "2012-01-01",
        "season": 1,
        "hr": 0,
        "holiday": 0,
        "weekday": 0,
        "workingday": 0,
        "weathersit": 1,
        "temp": 0.3,
        "atemp": 0.3,
        "hum": 0.8,
        "windspeed": 0,
    }
    assert validator.is_valid(good)
    assert not validator.is_valid(good | change)


@pytest.mark.parametrize("feature", SLICES, ids=lambda feature: feature.name)
def test_bands_of_a_slice_hold_every_value_exactly_once(feature: SliceFeature) -> None:
    column = next(column for column in COLUMNS if column.name == feature.column)
    values = sorted(value for band in feature.bands.values() for value in band)
    assert values == list(range(int(column.low or 0), int(column.high or 0) + 1))


def test_slice_with_a_value_in_two_bands_is_refused() -> None:
    overlapping = SliceFeature("hour_band", "hr", {"night": (0, 1, 2), "early": (2, 3)})
    with pytest.raises(
        ValueError, match="slice 'hour_band' has the value 2 in the bands 'night' and 'early'"
    ):
        replace(USE_CASE, slices=(overlapping,))


def test_each_column_is_in_the_table_once_with_a_sentence_and_one_label() -> None:
    assert len(set(NAMES)) == len(NAMES) == 17
    assert all(column.description.endswith(".") and column.unit for column in COLUMNS)
    assert [column.name for column in COLUMNS if column.role is Role.LABEL] == ["cnt"]


def test_spans_cover_every_day_from_2011_on_without_gap() -> None:
    assert span_dates(1) == (date(2011, 1, 1), date(2011, 12, 31))
    assert span_dates(13) == (date(2012, 12, 1), date(2012, 12, 31))
    for number in range(1, 40):
        first, last = span_dates(number)
        assert span_of(first) == span_of(last) == number
        assert span_dates(number + 1)[0] == last + timedelta(days=1)
    assert span_of(date(2010, 12, 31)) is None
    with pytest.raises(ValueError, match="no span 0"):
        span_dates(0)


def test_every_rule_is_documented() -> None:
    sources = [ROOT / "bikeshare" / "row_rules.py", *(ROOT / "pipelines" / "arrivals").glob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    rules = set(re.findall(r'(?:broken|_at|RowRule)\(\s*"([a-z_]+)"', text))
    documented = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs" / "data.md").read_text(encoding="utf-8")))
    assert len(rules) > 30
    assert rules <= documented
