"""From spans to examples and back: order, types, dates as days, the split by day, and nothing that was not asked for."""

from __future__ import annotations

import functools
import hashlib
import operator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.examples_frame import read_columns, read_split
from components.span_examples import (
    SpanFile,
    read_window,
    spans_from_json,
    spans_to_json,
    split_by_day,
    write_examples,
)
from components.use_cases import load_use_case, model_columns
from pedalflow.errors import DataMissing

COLUMNS = model_columns(load_use_case("bikeshare"))
HEADER = "instant,dteday,season,yr,mnth,hr,holiday,weekday,workingday,weathersit,temp,atemp,hum,windspeed,casual,registered,cnt"


def row(day: str, hour: int, count: int) -> str:
    return f"9,{day},1,0,1,{hour},0,6,0,1,0.24,0.2879,0.81,0.1,3,13,{count}"


def span(folder: Path, number: int, *rows: str) -> SpanFile:
    path = folder / f"span-{number:02d}.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="ascii")
    return SpanFile(number, str(path), hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest())


@pytest.fixture
def window(tmp_path: Path) -> tuple[SpanFile, ...]:
    return (
        span(tmp_path, 1, row("2011-01-02", 5, 7), row("2011-01-01", 3, 2)),
        span(tmp_path, 2, row("2012-01-01", 0, 5), row("2012-01-02", 23, 1)),
    )


def test_rows_keep_the_order_of_spans_and_of_rows_inside_them(window: tuple[SpanFile, ...]) -> None:
    assert read_window(window, COLUMNS)["cnt"].to_pylist() == [7, 2, 5, 1]


def test_only_the_columns_that_are_asked_for_are_read(window: tuple[SpanFile, ...]) -> None:
    assert set(read_window(window, COLUMNS).column_names) == {column.name for column in COLUMNS}


def test_evaluation_begins_on_its_first_day(window: tuple[SpanFile, ...]) -> None:
    parts = split_by_day(read_window(window, COLUMNS), "dteday", "2012-01-01")
    assert {name: part["cnt"].to_pylist() for name, part in parts.items()} == {
        "train": [7, 2],
        "eval": [5, 1],
    }


def test_no_row_is_in_both_splits_or_in_none(window: tuple[SpanFile, ...]) -> None:
    table = read_window(window, COLUMNS)
    for day in ("2011-01-01", "2011-01-02", "2012-01-02", "2013-01-01"):
        parts = split_by_day(table, "dteday", day)
        assert sorted(
            functools.reduce(operator.iadd, (part["cnt"].to_pylist() for part in parts.values()), [])
        ) == [1, 2, 5, 7]


def test_examples_round_trip_with_dates_as_days(window: tuple[SpanFile, ...], tmp_path: Path) -> None:
    write_examples(read_window(window, COLUMNS), tmp_path / "Split-train")
    frame = read_split(tmp_path / "Split-train")
    assert frame["dteday"].tolist() == [14976, 14975, 15340, 15341]
    assert frame["hr"].tolist() == [5, 3, 0, 23]
    assert frame["cnt"].dtype == np.int64
    assert frame["temp"].dtype == np.float32
    np.testing.assert_array_equal(frame["atemp"], np.full(4, 0.2879, np.float32))
    assert set(frame.columns) == {column.name for column in COLUMNS}


def test_known_columns_read_fast_are_the_same_as_read_unknown(
    window: tuple[SpanFile, ...], tmp_path: Path
) -> None:
    write_examples(read_window(window, COLUMNS), tmp_path / "Split-train")
    fast = read_columns(tmp_path / "Split-train", COLUMNS)
    pd.testing.assert_frame_equal(fast, read_split(tmp_path / "Split-train")[list(fast.columns)])


def test_same_window_gives_the_same_records_in_the_same_order(
    window: tuple[SpanFile, ...], tmp_path: Path
) -> None:
    """As messages: a tf.Example is a map, which protocol buffers write in no fixed order."""
    for name in ("a", "b"):
        write_examples(read_window(window, COLUMNS), tmp_path / name)
    one, other = (read_split(tmp_path / name) for name in ("a", "b"))
    pd.testing.assert_frame_equal(one[sorted(one.columns)], other[sorted(other.columns)])


def test_split_without_rows_is_an_empty_file(window: tuple[SpanFile, ...], tmp_path: Path) -> None:
    parts = split_by_day(read_window(window, COLUMNS), "dteday", "2013-01-01")
    write_examples(parts["eval"], tmp_path / "Split-eval")
    assert read_split(tmp_path / "Split-eval").empty


def test_file_that_changed_since_the_window_was_resolved_is_refused(window: tuple[SpanFile, ...]) -> None:
    path = Path(window[1].path)
    path.write_text(path.read_text(encoding="ascii") + row("2012-01-03", 0, 1) + "\n", encoding="ascii")
    with pytest.raises(DataMissing, match=rf"span 2 at .* has md5 \w+, but .*{window[1].md5}"):
        read_window(window, COLUMNS)


def test_file_that_is_absent_is_named_with_what_brings_it_back(window: tuple[SpanFile, ...]) -> None:
    Path(window[0].path).unlink()
    with pytest.raises(DataMissing, match=r"span 1 is not at .*pedalflow data prepare"):
        read_window(window, COLUMNS)


def test_spans_survive_the_way_through_an_execution_property(window: tuple[SpanFile, ...]) -> None:
    assert spans_from_json(spans_to_json(window)) == window
