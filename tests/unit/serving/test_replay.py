"""What a replay sends, and how it reads the hours."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedalflow.errors import DataMissing, DataRefused, SettingsError
from serving.replay import Hour, Stopwatch, read_hours, sending, stuck
from serving.scoring.request import RequestSchema
from tests.samples.small_release import LAYOUT, request_schema, sample_rows

SCHEMA = RequestSchema.from_json(request_schema())
HOURS = [Hour(row, float(index)) for index, row in enumerate(sample_rows(50))]


def csv_of(hours: list[Hour], path: Path) -> Path:
    names = [*hours[0].record, LAYOUT.label, "casual"]
    lines = [",".join(map(str, [*hour.record.values(), hour.label, 7])) for hour in hours]
    path.write_text("\n".join([",".join(names), *lines]) + "\n", encoding="utf-8")
    return path


def test_the_hours_of_a_file_come_back_in_order_without_what_is_no_feature(tmp_path: Path) -> None:
    assert read_hours(csv_of(HOURS, tmp_path / "hours.csv"), SCHEMA, LAYOUT) == HOURS


def test_a_file_without_the_label_is_refused(tmp_path: Path) -> None:
    file = csv_of(HOURS, tmp_path / "hours.csv")
    file.write_text(file.read_text("utf-8").replace(LAYOUT.label, "other"), encoding="utf-8")
    with pytest.raises(DataRefused, match=f"no column {LAYOUT.label}"):
        read_hours(file, SCHEMA, LAYOUT)


def test_a_value_that_is_no_number_is_named_with_its_line(tmp_path: Path) -> None:
    file = csv_of([HOURS[0], Hour({**HOURS[1].record, "temp": "warm"}, 1.0)], tmp_path / "hours.csv")
    with pytest.raises(DataRefused, match=r"line 3.*warm"):
        read_hours(file, SCHEMA, LAYOUT)


def test_the_last_whole_window_is_staged_and_the_others_stay_as_they_are() -> None:
    plan = sending(HOURS, 20, "temp")
    assert plan.staged_window == 1
    assert [index for index, flag in enumerate(plan.flags) if flag] == list(range(20, 40))
    assert plan.hours[:20] == HOURS[:20] and plan.hours[40:] == HOURS[40:]
    assert len({hour.record["temp"] for hour in plan.hours[20:40]}) == 1
    assert "temp is stuck" in plan.said


@pytest.mark.parametrize(("rows", "column"), [(50, None), (30, "temp")])
def test_nothing_is_staged_without_a_sensor_or_without_a_window_to_compare_with(
    rows: int, column: str | None
) -> None:
    plan = sending(HOURS[:rows], 20, column)
    assert plan.hours == HOURS[:rows] and not any(plan.flags) and plan.said == ""


def test_a_stuck_sensor_tells_one_of_its_own_values() -> None:
    told = {hour.record["hum"] for hour in stuck(HOURS, "hum")}
    assert len(told) == 1 and told <= {hour.record["hum"] for hour in HOURS}


def test_a_stopwatch_tells_median_and_99th_percentile_in_milliseconds() -> None:
    use = Stopwatch([index / 1000 for index in range(1, 101)], failed=2).use("REST", "here")
    assert (use.requests, use.failed, use.p50_ms, use.p99_ms) == (100, 2, 50.5, 100.0)


def test_a_file_that_is_not_there_or_holds_no_rows_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="pedalflow data list"):
        read_hours(tmp_path / "none.csv", SCHEMA, LAYOUT)
    file = csv_of(HOURS[:1], tmp_path / "hours.csv")
    file.write_text(file.read_text("utf-8").splitlines()[0] + "\n", encoding="utf-8")
    with pytest.raises(DataRefused, match="no rows"):
        read_hours(file, SCHEMA, LAYOUT)


def test_a_sensor_that_rows_have_not_is_refused() -> None:
    with pytest.raises(SettingsError, match="--stuck snow"):
        sending(HOURS, 20, "snow")
