"""Several files at once, as a retraining takes them in: what became of each, and that one keeps none of the others out."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bikeshare.archive import ARCHIVE, cut_span
from pedalflow.errors import DataRefused
from pedalflow.workspace import Workspace
from pipelines import train_command
from pipelines.arrivals.door import list_spans
from pipelines.arrivals.quarantine import list_quarantine
from pipelines.arrivals.taking_in import KnownFile, TakenFile, take_in


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Months as they are uploaded, and files that are refused."""
    contents = {f"month-{number}.csv": cut_span(ARCHIVE, number) for number in (2, 3)}
    contents["month-2.csv.gz"] = gzip.compress(contents["month-2.csv"], mtime=0)
    contents["cut.csv"] = contents["month-3.csv"][:-20]
    contents["bad.csv"] = b"dteday,hr\n"
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in (*contents, "absent.csv")}


def test_files_arrive_in_the_order_given(workspace: Workspace, files: dict[str, Path]) -> None:
    intake = take_in(workspace, [files["month-2.csv"], files["month-3.csv"]])
    assert intake.taken_in == (TakenFile("month-2.csv", 2), TakenFile("month-3.csv", 3))
    assert [span.number for span in list_spans(workspace)] == [1, 2, 3]


def test_refused_file_is_quarantined_and_named_and_keeps_no_other_out(
    workspace: Workspace, files: dict[str, Path]
) -> None:
    intake = take_in(workspace, [files[name] for name in ("bad.csv", "absent.csv", "month-2.csv")])
    assert intake.taken_in == (TakenFile("month-2.csv", 2),)
    assert [(refused.file, refused.rule) for refused in intake.refused_files] == [
        ("bad.csv", "column_missing"),
        ("absent.csv", "no_file"),
    ]
    (kept,) = list_quarantine(workspace)
    assert kept.file == "bad.csv" and kept.folder in intake.refused_files[0].why


@pytest.mark.parametrize("again", ["month-2.csv", "month-2.csv.gz"])
def test_file_that_arrived_before_is_no_error(
    workspace: Workspace, files: dict[str, Path], again: str
) -> None:
    take_in(workspace, [files["month-2.csv"]])
    intake = take_in(workspace, [files[again], files["month-3.csv"]])
    assert intake.already_there == (KnownFile(again),)
    assert intake.taken_in == (TakenFile("month-3.csv", 3),)
    assert intake.refused_files == () and list_quarantine(workspace) == ()


def test_a_month_that_comes_too_early_is_refused_and_taken_once_the_one_before_it_is_there(
    workspace: Workspace, files: dict[str, Path]
) -> None:
    early = take_in(workspace, [files["month-3.csv"], files["month-2.csv"], files["month-3.csv"]])
    assert [refused.rule for refused in early.refused_files] == ["span_skipped"]
    assert [taken.span for taken in early.taken_in] == [2, 3]


def test_refused_files_stop_a_training_only_where_nothing_is_new(
    workspace: Workspace,
    files: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused = take_in(workspace, [files["bad.csv"]])
    train_command._refuse_if_nothing_is_new(workspace, refused, as_json=True)  # nobody has seen span 1
    monkeypatch.setattr(train_command, "unseen_spans", lambda workspace: ())
    with pytest.raises(DataRefused, match=r"nothing was trained: bad\.csv was refused \(column_missing\)"):
        train_command._refuse_if_nothing_is_new(workspace, refused, as_json=True)
    assert '"outcome": "data refused"' in capsys.readouterr().out
    both = take_in(workspace, [files["bad.csv"], files["month-2.csv"]])
    train_command._refuse_if_nothing_is_new(workspace, both, as_json=True)
    known = take_in(workspace, [files["month-2.csv"]])
    train_command._refuse_if_nothing_is_new(workspace, known, as_json=True)
