"""Predicting files: CSV and Parquet, good rows and bad ones."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from pedalflow.errors import DataMissing, DataRefused, SettingsError
from pedalflow.progress import Progress
from serving import batch, collected_command, predict_command
from serving.batch import BatchSummary, BatchWish, numbered, predict_file
from serving.batch_files import output_draft
from serving.errors import ModelFailed
from serving.scoring.errors import ModelBroken
from serving.served import Served, load_served
from tests.samples.small_release import sample_rows, small_release

SILENT = Progress(io.StringIO())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return load_served(small_release(tmp_path_factory.mktemp("release")).folder)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_parquet(path: Path, columns: Mapping[str, Any]) -> Path:
    pyarrow.parquet.write_table(pa.table(dict(columns)), path)
    return path


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def expected(served: Served, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    names = served.schema.names
    records = [{name: row[name] for name in names} for row in rows]
    return served.model.predict(served.schema.from_records(records))


def predicted(served: Served, source: Path, target: Path, **wish: Any) -> BatchSummary:
    return predict_file(served, BatchWish(source, target, **wish), SILENT)


def test_a_csv_comes_back_with_its_columns_in_its_order_and_ours_after_them(
    served: Served, tmp_path: Path
) -> None:
    rows = [{"note": f'say "{n}", please', **row, "cnt": n} for n, row in enumerate(sample_rows(100))]
    source = write_csv(tmp_path / "in.csv", rows)
    summary = predicted(served, source, tmp_path / "out.csv", batch_rows=7)
    found = read_csv(tmp_path / "out.csv")
    assert list(found[0]) == [*rows[0], "prediction", "release", "outlier"]
    assert [{name: row[name] for name in rows[0]} for row in found] == read_csv(source)
    assert [float(row["prediction"]) for row in found] == expected(served, rows).tolist()
    assert {row["release"] for row in found} == {served.release.name}
    assert summary.passed_through == ("note", "cnt")
    assert (summary.rows, summary.predicted, summary.refused) == (100, 100, 0)


def test_the_size_of_a_batch_changes_nothing(served: Served, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", sample_rows(50))
    for rows in (1, 7, 50, 1000):
        predicted(served, source, tmp_path / f"{rows}.csv", batch_rows=rows)
    assert len({(tmp_path / f"{rows}.csv").read_bytes() for rows in (1, 7, 50, 1000)}) == 1


def test_a_csv_becomes_parquet_with_types(served: Served, tmp_path: Path) -> None:
    rows = [{**row, "note": str(n)} for n, row in enumerate(sample_rows(20))]
    predicted(served, write_csv(tmp_path / "in.csv", rows), tmp_path / "out.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    kinds = {name: table.schema.field(name).type for name in ("dteday", "hr", "temp", "note", "outlier")}
    assert kinds == {
        "dteday": pa.date32(),
        "hr": pa.int64(),
        "temp": pa.float64(),
        "note": pa.string(),
        "outlier": pa.bool_(),
    }
    assert table["dteday"].to_pylist() == [date.fromisoformat(row["dteday"]) for row in rows]
    assert table["prediction"].to_pylist() == expected(served, rows).tolist()


@pytest.mark.parametrize(
    "dates",
    [
        lambda texts: pa.array(texts),
        lambda texts: pa.array([date.fromisoformat(text) for text in texts]),
        lambda texts: pa.array([datetime.fromisoformat(text) for text in texts], pa.timestamp("ns")),
        lambda texts: pa.array([(date.fromisoformat(text) - date(1970, 1, 1)).days for text in texts]),
        lambda texts: pa.array(texts).dictionary_encode(),
    ],
    ids=["text", "date", "timestamp", "days", "dictionary"],
)
def test_parquet_may_hold_dates_in_many_types(served: Served, tmp_path: Path, dates: Any) -> None:
    rows = sample_rows(30)
    columns = columns_of(rows)
    source = write_parquet(tmp_path / "in.parquet", {**columns, "dteday": dates(columns["dteday"])})
    predicted(served, source, tmp_path / "out.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert table["prediction"].to_pylist() == expected(served, rows).tolist()
    predicted(served, source, tmp_path / "out.csv")
    assert [float(row["prediction"]) for row in read_csv(tmp_path / "out.csv")] == expected(
        served, rows
    ).tolist()


def test_parquet_with_float32_and_small_integers_is_read(served: Served, tmp_path: Path) -> None:
    columns = columns_of(sample_rows(10))
    narrow = {
        name: pa.array(values, pa.float32() if isinstance(values[0], float) else pa.int8())
        for name, values in columns.items()
        if name != "dteday"
    }
    source = write_parquet(tmp_path / "in.parquet", {"dteday": columns["dteday"], **narrow})
    predicted(served, source, tmp_path / "out.parquet")
    found = pyarrow.parquet.read_table(tmp_path / "out.parquet")["prediction"].to_pylist()
    assert found == pytest.approx(expected(served, sample_rows(10)).tolist(), rel=1e-6)


BAD = {
    "hum": ("1.5", "RANGE"),
    "temp": ("warm", "TYPE"),
    "windspeed": ("", "TYPE"),
    "atemp": ("nan", "TYPE"),
    "hr": ("7.5", "NOT_AN_INTEGER"),
    "dteday": ("2011-02-30", "NOT_A_DATE"),
}


@pytest.mark.parametrize("field", BAD)
def test_a_bad_row_is_named_with_field_value_and_rule_and_no_file_is_left(
    served: Served, tmp_path: Path, field: str
) -> None:
    value, rule = BAD[field]
    rows = sample_rows(20)
    rows[11][field] = value
    source = write_csv(tmp_path / "in.csv", rows)
    with pytest.raises(DataRefused) as refused:
        predicted(served, source, tmp_path / "out.csv", batch_rows=5)
    for part in ("row 12", f"'{field}'", value, rule, "in.csv"):
        assert part in str(refused.value)
    assert os.listdir(tmp_path) == ["in.csv"]


def test_bad_rows_can_be_left_out_and_are_kept_with_their_rule(served: Served, tmp_path: Path) -> None:
    rows = sample_rows(30)
    for at, (field, (value, _)) in enumerate(BAD.items()):
        rows[3 * at][field] = value
    source = write_csv(tmp_path / "in.csv", rows)
    summary = predicted(served, source, tmp_path / "out.csv", batch_rows=4, skip_bad_rows=True)
    refused = read_csv(tmp_path / "out.csv.refused.csv")
    assert [(int(row["row"]), row["field"], row["rule"]) for row in refused] == [
        (3 * at + 1, field, rule) for at, (field, (_, rule)) in enumerate(BAD.items())
    ]
    assert refused[0]["hum"] == "1.5" and refused[0]["dteday"] == rows[0]["dteday"]
    good = [row for at, row in enumerate(rows) if at % 3 or at >= 3 * len(BAD)]
    found = read_csv(tmp_path / "out.csv")
    assert [float(row["prediction"]) for row in found] == expected(served, good).tolist()
    assert (summary.rows, summary.predicted, summary.refused) == (30, 24, 6)
    assert summary.refused_file == str(tmp_path / "out.csv.refused.csv")


def test_a_file_of_bad_rows_only_gives_a_header(served: Served, tmp_path: Path) -> None:
    rows = [{**row, "hum": 7} for row in sample_rows(3)]
    summary = predicted(
        served, write_csv(tmp_path / "in.csv", rows), tmp_path / "out.parquet", skip_bad_rows=True
    )
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").num_rows == 0
    assert (summary.predicted, summary.refused) == (0, 3)


def test_lines_with_too_few_or_too_many_fields_are_bad_rows(served: Served, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", sample_rows(6))
    lines = source.read_text(encoding="utf-8").splitlines()
    lines[2:2] = ["1,2,3"]
    lines.append("," * 40)
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(DataRefused, match=r"row 2: '1,2,3' has 3 fields, but the header has 11"):
        predicted(served, source, tmp_path / "out.csv")
    summary = predicted(served, source, tmp_path / "out.csv", skip_bad_rows=True, batch_rows=2)
    refused = read_csv(tmp_path / "out.csv.refused.csv")
    assert [(row["row"], row["rule"]) for row in refused] == [("2", "SHAPE"), ("8", "SHAPE")]
    assert (summary.rows, summary.predicted) == (8, 6)


def test_the_refused_rows_of_an_earlier_run_do_not_stay(served: Served, tmp_path: Path) -> None:
    (tmp_path / "out.csv.refused.csv").write_text("old\n", encoding="utf-8")
    source = write_csv(tmp_path / "in.csv", sample_rows(3))
    assert predicted(served, source, tmp_path / "out.csv", skip_bad_rows=True).refused_file is None
    assert not (tmp_path / "out.csv.refused.csv").exists()


@pytest.mark.parametrize(
    ("column", "values", "rule"),
    [
        ("temp", [0.5, None], "TYPE"),
        ("temp", [0.5, float("nan")], "NOT_FINITE"),
        ("holiday", [True, False], "TYPE"),
        ("hum", ["0.5", "0.5"], "TYPE"),
        ("dteday", [datetime(2011, 1, 1, 5), datetime(2011, 1, 1)], "TYPE"),
    ],
)
def test_parquet_is_as_strict_as_a_request(
    served: Served, tmp_path: Path, column: str, values: list[Any], rule: str
) -> None:
    source = write_parquet(tmp_path / "in.parquet", {**columns_of(sample_rows(2)), column: values})
    with pytest.raises(DataRefused, match=f"field '{column}'.*{rule}"):
        predicted(served, source, tmp_path / "out.csv")


def test_an_outlier_is_flagged_and_says_why(served: Served, tmp_path: Path) -> None:
    rows = sample_rows(48)
    rows[12] = {**rows[12], "temp": 1.0, "atemp": 0.0, "hum": 0.0, "windspeed": 1.0}
    summary = predicted(served, write_csv(tmp_path / "in.csv", rows), tmp_path / "out.csv", reasons=True)
    found = read_csv(tmp_path / "out.csv")
    assert found[12]["outlier"] == "true" and ":" in found[12]["outlier_reasons"]
    assert [row["outlier"] == "true" for row in found] == [bool(row["outlier_reasons"]) for row in found]
    assert summary.outliers == sum(row["outlier"] == "true" for row in found)


def test_a_missing_column_is_named_with_what_it_holds(served: Served, tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if name != "hum"} for row in sample_rows(2)]
    with pytest.raises(DataRefused, match=r"no column hum; .*'hum' holds a number from 0 to 1"):
        predicted(served, write_csv(tmp_path / "in.csv", rows), tmp_path / "out.csv")


def test_what_was_predicted_is_not_predicted_over(served: Served, tmp_path: Path) -> None:
    predicted(served, write_csv(tmp_path / "in.csv", sample_rows(2)), tmp_path / "out.csv")
    with pytest.raises(DataRefused, match="already has a column prediction, release, outlier"):
        predicted(served, tmp_path / "out.csv", tmp_path / "again.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no header"),
        (b"a,b,a\n1,2,3\n", "more than one column named a"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_refused(
    served: Served, tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "in.csv").write_bytes(content)
    with pytest.raises(DataRefused, match=said):
        predicted(served, tmp_path / "in.csv", tmp_path / "out.csv")


@pytest.mark.parametrize("rows", [5, 500], ids=["near the header", "far from the header"])
def test_text_that_is_not_utf8_is_refused(served: Served, tmp_path: Path, rows: int) -> None:
    source = write_csv(tmp_path / "in.csv", [{**row, "note": "x"} for row in sample_rows(rows)])
    content = source.read_bytes()
    source.write_bytes(content[:-3] + b"\xff" + content[-2:])
    with pytest.raises(DataRefused, match=r"(?i)utf-?8"):
        predicted(served, source, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_broken_parquet_file_is_refused(served: Served, tmp_path: Path) -> None:
    (tmp_path / "in.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataRefused, match=r"in.parquet cannot be used"):
        predicted(served, tmp_path / "in.parquet", tmp_path / "out.csv")


def test_a_header_without_rows_gives_a_header(served: Served, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(",".join(served.schema.names) + "\n", encoding="utf-8")
    assert predicted(served, tmp_path / "in.csv", tmp_path / "out.csv").rows == 0
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").strip().endswith("prediction,release,outlier")


def test_a_missing_input_is_missing_data(served: Served, tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"nothing.csv cannot be read"):
        predicted(served, tmp_path / "nothing.csv", tmp_path / "out.csv")


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("in.csv", "out.txt", "neither a .csv nor a .parquet"),
        ("in.json", "out.csv", "neither a .csv nor a .parquet"),
        ("in.csv", "in.csv", "is the input too"),
        ("in.csv", "no/folder/out.csv", "cannot be written"),
    ],
)
def test_files_that_cannot_be_used_are_wrong_settings(
    served: Served, tmp_path: Path, source: str, target: str, said: str
) -> None:
    write_csv(tmp_path / "in.csv", sample_rows(2))
    with pytest.raises(SettingsError, match=said):
        predicted(served, tmp_path / source, tmp_path / target)


@pytest.mark.parametrize("mode", [False, True], ids=["refuse", "skip"])
@pytest.mark.parametrize("source", ["out.csv.refused.csv", "link.csv"])
def test_an_input_that_is_where_refused_rows_go_is_left_as_it_is(
    served: Served, tmp_path: Path, source: str, mode: bool
) -> None:
    (tmp_path / "link.csv").symlink_to("out.csv.refused.csv")
    before = write_csv(tmp_path / "out.csv.refused.csv", sample_rows(2)).read_bytes()
    with pytest.raises(SettingsError, match="where refused rows go, is the input too"):
        predicted(served, tmp_path / source, tmp_path / "out.csv", skip_bad_rows=mode)
    assert (tmp_path / "out.csv.refused.csv").read_bytes() == before
    assert not (tmp_path / "out.csv").exists()


def test_an_output_that_is_where_refused_rows_go_is_refused(served: Served, tmp_path: Path) -> None:
    (tmp_path / "out.csv.refused.csv").symlink_to("out.csv")
    source = write_csv(tmp_path / "in.csv", sample_rows(2))
    with pytest.raises(SettingsError, match="where refused rows go, is the output too"):
        predicted(served, source, tmp_path / "out.csv")


def test_kept_and_kept_out_rows_need_two_files_however_their_paths_are_written(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    given = ["--output", str(tmp_path / "a" / "x.csv"), "--kept-out", f"{tmp_path}/a/../a/x.csv"]
    with pytest.raises(SettingsError, match="cannot take both kinds of rows"):
        collected_command.main(given)


def test_an_output_that_was_there_stays_when_the_new_one_fails(served: Served, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old", encoding="utf-8")
    rows = sample_rows(3)
    rows[2]["hum"] = 9
    with pytest.raises(DataRefused):
        predicted(served, write_csv(tmp_path / "in.csv", rows), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "old"


def test_a_draft_is_gone_whatever_ends_the_work(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), output_draft(tmp_path / "out.csv") as draft:
        draft.write_text("half", encoding="utf-8")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_a_model_without_a_usable_prediction_is_no_fault_of_the_data(served: Served, tmp_path: Path) -> None:
    class Broken:
        def predict(self, columns: object) -> None:
            raise ModelBroken("infinite")

    broken = replace(served, model=Broken())  # type: ignore[arg-type]
    with pytest.raises(ModelFailed, match=r"in.csv, up to row 2: infinite"):
        predicted(broken, write_csv(tmp_path / "in.csv", sample_rows(2)), tmp_path / "out.csv")


def test_rows_are_numbered_as_they_stand_in_the_file() -> None:
    assert list(numbered(0, 3, ())) == [1, 2, 3]
    assert list(numbered(4, 4, {6, 7, 20})) == [5, 8, 9, 10]


def test_progress_speaks_up_every_so_many_rows(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "STEP_ROWS", 20)
    said = io.StringIO()
    source = write_csv(tmp_path / "in.csv", sample_rows(50))
    predict_file(served, BatchWish(source, tmp_path / "out.csv", batch_rows=10), Progress(said))
    assert [line for line in said.getvalue().splitlines() if line.endswith("…")] == [
        f"predicting in.csv from row {first} …" for first in (1, 21, 41)
    ]


def test_the_command_prints_a_summary_for_people_and_for_scripts(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{**row, "cnt": 1} for row in sample_rows(4)]
    rows[1]["hum"] = 9
    given = ["--release", str(served.release.folder), "--input", str(write_csv(tmp_path / "in.csv", rows))]
    target = ["--output", str(tmp_path / "out.csv"), "--on-error", "skip"]
    assert predict_command.main([*given, *target]) == 0
    said = capsys.readouterr().out
    for part in (
        "3 of 4 rows predicted",
        served.release.name,
        "out.csv.refused.csv",
        "not used by the model: cnt",
    ):
        assert part in said
    assert predict_command.main(["--json", *given, *target]) == 0
    assert json.loads(capsys.readouterr().out)["refused"] == 1
