"""Every kind of bad file is refused with its rule, row, column and value, kept in quarantine, and changes nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bikeshare.archive import ARCHIVE, cut_span
from bikeshare.columns import NAMES
from pedalflow.errors import DataRefused
from pedalflow.workspace import Workspace
from pipelines.arrivals.door import arrive
from pipelines.arrivals.quarantine import list_quarantine
from pipelines.arrivals.violations import BatchRefused

Lines = list[str]


def as_file(lines: Lines) -> bytes:
    return ("\n".join(lines) + "\n").encode("utf-8")


def cell(lines: Lines, row: int, column: str, value: str) -> Lines:
    """A copy with one value changed; `row` counts as in the reports, the header being row 1."""
    changed = list(lines)
    fields = changed[row - 1].split(",")
    fields[NAMES.index(column)] = value
    changed[row - 1] = ",".join(fields)
    return changed


def column_as(lines: Lines, column: str, change: Callable[[float], float]) -> Lines:
    place, changed = NAMES.index(column), [lines[0]]
    for line in lines[1:]:
        fields = line.split(",")
        fields[place] = f"{change(float(fields[place])):.2f}"
        changed.append(",".join(fields))
    return changed


def header(lines: Lines, old: str, new: str) -> Lines:
    return [lines[0].replace(old, new, 1), *lines[1:]]


def without_column(lines: Lines, column: str) -> Lines:
    place = NAMES.index(column)
    return [",".join(field for at, field in enumerate(line.split(",")) if at != place) for line in lines]


def span_lines(number: int) -> Lines:
    return cut_span(ARCHIVE, number).decode("ascii").splitlines()


@dataclass(frozen=True)
class Bad:
    name: str
    make: Callable[[Lines], bytes]
    rule: str
    row: int | None
    column: str | None
    value: str | None


CELSIUS, FAHRENHEIT = (lambda t: t * 47 - 8), (lambda t: (t * 47 - 8) * 1.8 + 32)

BAD = (
    Bad("empty", lambda j: b"", "file_empty", None, None, None),
    Bad("blank", lambda j: b"\n\n", "file_empty", None, None, None),
    Bad("header_only", lambda j: as_file(j[:1]), "no_rows", None, None, None),
    Bad("latin1", lambda j: as_file(j)[:-1] + b"\xe9\n", "not_utf8", 742, None, "byte 0xe9"),
    Bad(
        "nul_byte",
        lambda j: as_file(cell(j, 5, "cnt", "8\0")),
        "control_character",
        5,
        None,
        "character U+0000",
    ),
    Bad(
        "escape",
        lambda j: as_file(header(j, "hum", "\x1b[2J")),
        "control_character",
        1,
        None,
        "character U+001B",
    ),
    Bad(
        "c1_control",
        lambda j: as_file(cell(j, 5, "hr", "\x9b2J")),
        "control_character",
        5,
        None,
        "character U+009B",
    ),
    Bad(
        "cr_inside",
        lambda j: as_file(cell(j, 5, "hum", "0.5\r")),
        "control_character",
        5,
        None,
        "character U+000D",
    ),
    Bad("old_mac_line_ends", lambda j: "\r".join(j).encode() + b"\r\n", "line_too_long", 1, None, None),
    Bad("long_line", lambda j: as_file([*j[:6], j[6] + "0" * 5000, *j[7:]]), "line_too_long", 7, None, None),
    Bad(
        "long_header",
        lambda j: as_file([",".join(map(str, range(10**5))), *j[1:]]),
        "line_too_long",
        1,
        None,
        None,
    ),
    Bad("truncated_gzip", lambda j: gzip.compress(as_file(j))[:-200], "partly_written", None, None, None),
    Bad("cut_inside_a_row", lambda j: as_file(j)[:-6], "partly_written", 742, None, None),
    Bad(
        "last_row_short",
        lambda j: as_file([*j[:-1], "9386,2012-01-31,1"]),
        "partly_written",
        742,
        None,
        "9386,2012-01-31,1",
    ),
    Bad("short_row_inside", lambda j: as_file([*j[:9], "1,2", *j[10:]]), "field_count", 10, None, "1,2"),
    Bad("column_missing", lambda j: as_file(without_column(j, "hum")), "column_missing", 1, "hum", None),
    Bad(
        "column_unknown",
        lambda j: as_file(header(j, "windspeed", "wind_speed")),
        "column_unknown",
        1,
        "wind_speed",
        "wind_speed",
    ),
    Bad("column_twice", lambda j: as_file(header(j, "atemp", "temp")), "column_duplicate", 1, "temp", "temp"),
    Bad(
        "columns_swapped",
        lambda j: as_file(header(j, "temp,atemp", "atemp,temp")),
        "column_order",
        1,
        "atemp",
        "atemp",
    ),
    Bad("text_for_number", lambda j: as_file(cell(j, 7, "temp", "warm")), "type", 7, "temp", "warm"),
    Bad("not_a_number", lambda j: as_file(cell(j, 7, "hum", "nan")), "type", 7, "hum", "nan"),
    Bad("leading_plus", lambda j: as_file(cell(j, 7, "hum", "+0.5")), "type", 7, "hum", "+0.5"),
    Bad("fraction_for_code", lambda j: as_file(cell(j, 8, "hr", "6.5")), "type", 8, "hr", "6.5"),
    Bad(
        "day_that_is_not",
        lambda j: as_file(cell(j, 9, "dteday", "2012-01-32")),
        "type",
        9,
        "dteday",
        "2012-01-32",
    ),
    Bad(
        "american_date",
        lambda j: as_file(cell(j, 9, "dteday", "01/01/2012")),
        "type",
        9,
        "dteday",
        "01/01/2012",
    ),
    Bad(
        "missing_value",
        lambda j: as_file(cell(j, 12, "weathersit", "")),
        "missing_value",
        12,
        "weathersit",
        "",
    ),
    Bad("hour_24", lambda j: as_file(cell(j, 5, "hr", "24")), "range", 5, "hr", "24"),
    Bad("hour_beyond_all_time", lambda j: as_file(cell(j, 5, "hr", "9" * 18)), "range", 5, "hr", "9" * 18),
    Bad(
        "hour_before_all_time",
        lambda j: as_file(cell(j, 5, "hr", "-" + "9" * 18)),
        "range",
        5,
        "hr",
        "-" + "9" * 18,
    ),
    Bad("count_beyond_int64", lambda j: as_file(cell(j, 5, "cnt", "9" * 19)), "type", 5, "cnt", "9" * 19),
    Bad(
        "year_9999", lambda j: as_file(cell(j, 5, "dteday", "9999-01-01")), "type", 5, "dteday", "9999-01-01"
    ),
    Bad(
        "year_2261",
        lambda j: as_file(cell(j, 5, "dteday", "2261-01-01")),
        "mixed_spans",
        5,
        "dteday",
        "2261-01-01",
    ),
    Bad("negative_count", lambda j: as_file(cell(j, 5, "casual", "-1")), "range", 5, "casual", "-1"),
    Bad("one_wild_temperature", lambda j: as_file(cell(j, 5, "temp", "1.7")), "range", 5, "temp", "1.7"),
    Bad("celsius", lambda j: as_file(column_as(j, "temp", CELSIUS)), "temp_in_celsius", 2, "temp", "8.92"),
    Bad(
        "fahrenheit",
        lambda j: as_file(column_as(j, "temp", FAHRENHEIT)),
        "temp_in_fahrenheit",
        2,
        "temp",
        "48.06",
    ),
    Bad(
        "humidity_in_percent",
        lambda j: as_file(column_as(j, "hum", lambda h: 100 * h)),
        "hum_in_percent",
        2,
        "hum",
        "66.00",
    ),
    Bad(
        "wind_in_kmh",
        lambda j: as_file(column_as(j, "windspeed", lambda w: 67 * w)),
        "windspeed_in_kmh",
        3,
        "windspeed",
        "9.00",
    ),
    Bad("hour_twice", lambda j: as_file([*j[:4], j[3], *j[4:]]), "duplicate_hour", 5, "hr", "2012-01-01 2"),
    Bad(
        "rows_shuffled",
        lambda j: as_file([*j[:4], j[5], j[4], *j[6:]]),
        "row_order",
        6,
        "dteday",
        "2012-01-01 3",
    ),
    Bad("wrong_sum", lambda j: as_file(cell(j, 2, "cnt", "49")), "cnt_is_sum", 2, "cnt", "49"),
    Bad("wrong_weekday", lambda j: as_file(cell(j, 2, "weekday", "3")), "weekday_of_date", 2, "weekday", "3"),
    Bad(
        "wrong_workingday",
        lambda j: as_file(cell(j, 2, "workingday", "1")),
        "workingday_of_weekday",
        2,
        "workingday",
        "1",
    ),
    Bad("wrong_season", lambda j: as_file(cell(j, 2, "season", "2")), "season_of_date", 2, "season", "2"),
    Bad("wrong_month", lambda j: as_file(cell(j, 2, "mnth", "2")), "mnth_of_date", 2, "mnth", "2"),
    Bad("wrong_year", lambda j: as_file(cell(j, 2, "yr", "0")), "yr_of_date", 2, "yr", "0"),
    Bad(
        "instant_jumps",
        lambda j: as_file(cell(j, 2, "instant", "1")),
        "instant_counts_on",
        3,
        "instant",
        "8647",
    ),
    Bad(
        "hour_known",
        lambda j: as_file([j[0], span_lines(1)[-1], *j[1:]]),
        "known_hour",
        2,
        "hr",
        "2011-12-31 23",
    ),
    Bad("first_year_again", lambda j: as_file(span_lines(1)[:-1]), "known_hour", 2, "hr", "2011-01-01 0"),
    Bad("late_hour", lambda j: as_file([j[0], late_hour(), *j[1:]]), "overlap", 2, "dteday", "2011-01-02 5"),
    Bad("two_months", lambda j: as_file(j + span_lines(3)[1:50]), "mixed_spans", 743, "dteday", "2012-02-01"),
    Bad("month_skipped", lambda j: as_file(span_lines(4)), "span_skipped", 2, "dteday", "2012-03-01"),
    Bad(
        "before_2011",
        lambda j: as_file(cell(j, 2, "dteday", "2010-12-31")),
        "no_span",
        2,
        "dteday",
        "2010-12-31",
    ),
    Bad("half_a_month", lambda j: as_file(j[:300]), "too_few_rows", 300, "dteday", "2012-01-13"),
)


def late_hour() -> str:
    """5 o'clock of 2 January 2011 is one of the 165 hours that UCI's file has not."""
    return "31,2011-01-02,1,0,1,5,0,0,0,2,0.42,0.4242,0.77,0.2985,0,2,2"


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_bad_file_is_refused_with_its_place_and_leaves_the_data_as_it_was(
    bad: Bad, workspace: Workspace, january: Lines, tmp_path: Path
) -> None:
    # given
    file = tmp_path / f"{bad.name}.csv"
    file.write_bytes(bad.make(january))
    before = bytes_of(workspace.spans)
    # when
    with pytest.raises(BatchRefused) as refused:
        arrive(workspace, file)
    # then
    places = [
        place for item in refused.value.report.broken for place in item.violations if place.rule == bad.rule
    ]
    assert places, [item.rule for item in refused.value.report.broken]
    assert (places[0].row, places[0].column) == (bad.row, bad.column)
    assert bad.value is None or places[0].value == bad.value
    assert places[0].hint
    assert bytes_of(workspace.spans) == before
    assert not (workspace.spans / ".arriving").exists()
    folder = refused.value.quarantined
    assert folder is not None
    assert {path.name for path in folder.iterdir()} == {f"arrived-{file.name}", "report.json", "report.txt"}
    assert (folder / f"arrived-{file.name}").read_bytes() == file.read_bytes()
    assert json.loads((folder / "report.json").read_text())["broken"]
    assert bad.rule in (folder / "report.txt").read_text()


def test_unit_of_a_column_is_named_once_and_not_again_as_a_range(
    workspace: Workspace, january: Lines, tmp_path: Path
) -> None:
    file = tmp_path / "celsius.csv"
    file.write_bytes(as_file(column_as(january, "temp", CELSIUS)))
    with pytest.raises(BatchRefused) as refused:
        arrive(workspace, file)
    assert [item.rule for item in refused.value.report.broken] == ["temp_in_celsius"]
    assert refused.value.report.broken[0].count > 700
    assert len(refused.value.report.broken[0].violations) == 20


def test_all_broken_rules_are_reported_together(workspace: Workspace, january: Lines, tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    file.write_bytes(as_file(cell(cell(cell(january, 5, "hr", "x"), 9, "hum", "3"), 30, "cnt", "0")))
    with pytest.raises(BatchRefused) as refused:
        arrive(workspace, file)
    assert {item.rule for item in refused.value.report.broken} >= {"type", "range", "cnt_is_sum"}


def test_quarantine_lists_every_refused_file_with_its_reason(
    workspace: Workspace, january: Lines, tmp_path: Path
) -> None:
    file = tmp_path / "bad name!.csv"
    file.write_bytes(as_file(cell(january, 5, "hr", "24")))
    for _ in range(2):
        with pytest.raises(DataRefused, match="row 5, column hr, value '24': rule range"):
            arrive(workspace, file)
    listed = list_quarantine(workspace)
    assert len(listed) == 2
    assert listed[0].file == "bad name!.csv"
    assert listed[0].rules["range"] == 1
