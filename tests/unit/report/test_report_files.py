"""From run folders to a page on disk, and to the table on the terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pedalflow.errors import DataMissing, SettingsError
from pedalflow.run_record import to_json
from pipelines.report import load, render, terminal_table, write
from tests.samples.run_record import Run, first_run, refused_run, tiny_predictions, tiny_record


def folder(path: Path, run: Run) -> Path:
    path.mkdir(parents=True)
    (path / "run.json").write_text(to_json(run[0]), encoding="utf-8")
    run[1].to_csv(path / "predictions.csv", index=False)
    return path


def tiny() -> Run:
    return tiny_record(), tiny_predictions()


def test_a_first_run_comes_back_from_its_folder(tmp_path: Path) -> None:
    record, predictions = first_run(tiny())

    found, frame = load(folder(tmp_path / "run", (record, predictions)))

    assert found == record
    pd.testing.assert_frame_equal(frame, predictions.astype({"hr": "int64"}))


def test_the_page_is_written_whole_and_nothing_else_stays(tmp_path: Path) -> None:
    run = folder(tmp_path / "runs" / "a", tiny())
    path = write([run], tmp_path / "reports" / "report.html", unit="rentals an hour")

    assert path.read_text(encoding="utf-8") == render([load(run)], unit="rentals an hour")
    assert [item.name for item in path.parent.iterdir()] == ["report.html"]


def test_a_failure_leaves_the_old_page(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")

    with pytest.raises(DataMissing, match=r"run\.json is missing"):
        write([tmp_path / "nowhere"], path)

    assert path.read_text(encoding="utf-8") == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


def test_a_page_that_cannot_take_its_place_leaves_no_temporary_file(tmp_path: Path) -> None:
    run = folder(tmp_path / "runs" / "a", tiny())
    occupied = tmp_path / "reports" / "report.html"
    occupied.mkdir(parents=True)

    with pytest.raises(OSError):
        write([run], occupied)

    assert [item.name for item in occupied.parent.iterdir()] == ["report.html"]


def test_a_run_that_stopped_before_it_predicted_has_no_charts(tmp_path: Path) -> None:
    run = folder(tmp_path / "run", tiny())
    (run / "predictions.csv").unlink()

    assert load(run)[1].empty
    assert "no predictions" in render([load(run)])


@pytest.mark.parametrize(
    ("name", "text"),
    [("run.json", "{}"), ("predictions.csv", "dteday,hr\n2012-01-01,x\n"), ("predictions.csv", "a,b\n1,2\n")],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, text: str) -> None:
    run = folder(tmp_path / "run", tiny())
    (run / name).write_text(text, encoding="utf-8")

    with pytest.raises(SettingsError, match=f"{run / name}"):
        load(run)


def test_the_table_compares_three_models_and_tells_what_each_was_trained_on() -> None:
    first, _ = first_run(
        (replace(tiny_record(), release_id="r-0001", started="2025-01-01T00:00:00+00:00"), tiny_predictions())
    )
    first = replace(first, spans=first.spans[:1])

    table = terminal_table([tiny_record(), first], Path("run/reports/report.html"))

    lines = table.splitlines()
    assert lines[0] == "On the same 48 hours, 30–31 January 2012:"
    assert lines[4].split() == ["Naive", "mean", "spans", "1–2", "80.0", "61.0", "31", "%", "-"]
    assert lines[5].split() == ["Previous", "model", "span", "1", "62.5", "50.0", "25", "%", "r-0001"]
    assert lines[6].split() == ["New", "model", "spans", "1–2", "50.0", "40.0", "20", "%", "r-0002"]
    assert "Gate:   all 2 decisions passed" in lines
    assert lines[-1] == "Report: run/reports/report.html"


def test_a_first_run_has_two_lines() -> None:
    table = terminal_table([first_run(tiny())[0]])

    assert "Previous model" not in table
    assert "Report:" not in table


def test_a_refusal_names_each_failed_rule() -> None:
    table = terminal_table([refused_run(tiny())[0]])

    assert (
        "1 of 3 decisions failed\n"
        "  “no worse than the champion” failed on weather=rain with 0.340 (limit 0.1 relative)" in table
    )
    assert table.splitlines()[6].endswith("none")


def test_of_many_refusals_the_first_five_are_named() -> None:
    failed = refused_run(tiny())[0].gates[-1]
    record = replace(
        tiny_record(),
        outcome="refused",
        gates=tuple(replace(failed, slice=f"hr={hour}") for hour in range(9)),
    )

    table = terminal_table([record])

    assert "hr=4" in table and "hr=5" not in table
    assert "and 4 more, which the report lists" in table


def test_without_a_run_there_is_no_table() -> None:
    with pytest.raises(ValueError, match="no run to sum up"):
        terminal_table([])
