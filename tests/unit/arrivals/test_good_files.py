"""Good batches become spans: whole, in order, once."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest
import yaml

from bikeshare.archive import ARCHIVE, cut_span
from bikeshare.columns import COLUMNS
from pedalflow.columns import Role
from pedalflow.errors import DataMissing
from pedalflow.spans import SpanState
from pedalflow.workspace import Workspace
from pipelines.arrivals import command
from pipelines.arrivals.door import arrive, list_spans, prepare
from pipelines.arrivals.violations import BatchRefused


@pytest.fixture
def january_file(january: list[str], tmp_path: Path) -> Path:
    file = tmp_path / "january.csv"
    file.write_text("\n".join(january) + "\n", encoding="ascii")
    return file


def test_every_month_of_2012_arrives_in_order(workspace: Workspace, tmp_path: Path) -> None:
    for number in range(2, 14):
        file = tmp_path / f"month-{number}.csv"
        file.write_bytes(cut_span(ARCHIVE, number))
        span = arrive(workspace, file)
        assert (span.number, span.state) == (number, SpanState.PRESENT)
        assert Path(span.path).read_bytes() == file.read_bytes()
    spans = list_spans(workspace)
    assert [span.number for span in spans] == list(range(1, 14))
    assert sum(span.rows for span in spans) == 17_379


def test_the_pointer_tells_all_about_a_span(workspace: Workspace, january_file: Path) -> None:
    span = arrive(workspace, january_file)
    pointer = yaml.safe_load((workspace.spans / "span-02.csv.dvc").read_text())
    raw = january_file.read_bytes()
    assert pointer["desc"] == "span 2: 741 rows, 2012-01-01 to 2012-01-31"
    assert pointer["outs"][0]["md5"] == span.md5 == hashlib.md5(raw).hexdigest()
    assert pointer["meta"]["source"] == "january.csv"
    assert pointer["meta"]["source_sha256"] == hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize("again", ["plain", "gzip"])
def test_the_same_file_again_is_known_and_changes_nothing(
    workspace: Workspace, january_file: Path, again: str
) -> None:
    arrive(workspace, january_file)
    before = {path: path.stat().st_mtime_ns for path in workspace.root.joinpath("data").rglob("span*")}
    if again == "gzip":
        january_file.write_bytes(gzip.compress(january_file.read_bytes()))
    with pytest.raises(BatchRefused, match="arrived before, as span 2") as refused:
        arrive(workspace, january_file)
    assert refused.value.quarantined is None
    assert not workspace.quarantine.exists()
    assert {
        path: path.stat().st_mtime_ns for path in workspace.root.joinpath("data").rglob("span*")
    } == before


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_line_ends_of_windows_and_unix_are_both_taken(
    workspace: Workspace, january: list[str], tmp_path: Path, line_end: str
) -> None:
    file = tmp_path / "january.csv"
    file.write_bytes((line_end.join(january) + line_end).encode("ascii"))
    assert arrive(workspace, file).rows == 741


def test_compressed_file_arrives_unpacked(workspace: Workspace, january_file: Path, tmp_path: Path) -> None:
    packed = tmp_path / "january.csv.gz"
    packed.write_bytes(gzip.compress(january_file.read_bytes()))
    assert Path(arrive(workspace, packed).path).read_bytes() == january_file.read_bytes()


def test_batch_that_is_not_the_span_asked_for_is_refused(workspace: Workspace, january_file: Path) -> None:
    with pytest.raises(BatchRefused, match="its dates make it span 2, and span 3 was asked for"):
        arrive(workspace, january_file, expected_span=3)
    assert len(list_spans(workspace)) == 1


def test_prepare_restores_a_missing_span_from_the_archive(workspace: Workspace) -> None:
    (span,) = list_spans(workspace)
    Path(span.path).unlink()
    assert list_spans(workspace)[0].state is SpanState.MISSING
    assert prepare(workspace) == (span,)


def test_prepare_restores_what_the_archive_does_not_hold_from_dvc(
    workspace: Workspace, january: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "january.csv"
    file.write_bytes(("\r\n".join(january) + "\r\n").encode("ascii"))  # other bytes than the archive's span 2
    span = arrive(workspace, file)
    Path(span.path).unlink()
    assert prepare(workspace)[1] == span
    assert Path(span.path).read_bytes() == file.read_bytes()


def test_prepare_names_the_span_that_nothing_can_bring_back(
    workspace: Workspace, january: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "january.csv"
    file.write_bytes(("\r\n".join(january) + "\r\n").encode("ascii"))
    span = arrive(workspace, file)
    Path(span.path).unlink()
    for cached in (workspace.root / ".dvc" / "cache").rglob(span.md5[2:]):
        cached.unlink()
    with pytest.raises(DataMissing, match=r"span-02\.csv\.dvc.*dvc push"):
        prepare(workspace)


def test_changed_span_is_shown_and_never_overwritten(workspace: Workspace) -> None:
    (span,) = list_spans(workspace)
    with Path(span.path).open("a", encoding="utf-8") as file:
        file.write("tampered\n")
    assert list_spans(workspace)[0].state is SpanState.MODIFIED
    with pytest.raises(DataMissing, match="not the file that arrived as span 1"):
        prepare(workspace, 2)
    assert Path(span.path).read_text().endswith("tampered\n")


def test_stray_file_in_the_place_of_a_span_is_not_overwritten(
    workspace: Workspace, january_file: Path
) -> None:
    stray = workspace.spans / "span-02.csv"
    stray.write_text("mine\n")
    with pytest.raises(DataMissing, match="without a pointer"):
        arrive(workspace, january_file)
    assert stray.read_text() == "mine\n"


def served_form(lines: list[str]) -> list[list[str]]:
    """The same rows with the features and the label alone, as they come back from requests."""
    table = [line.split(",") for line in lines]
    names = [column.name for column in COLUMNS if column.role in (Role.FEATURE, Role.LABEL)]
    places = [table[0].index(name) for name in names]
    return [[row[place] for place in places] for row in table]


def as_file(rows: list[list[str]], folder: Path) -> Path:
    file = folder / "served.csv"
    file.write_text("".join(f"{','.join(row)}\n" for row in rows), encoding="ascii")
    return file


def test_features_and_label_alone_become_a_span(
    workspace: Workspace, january: list[str], tmp_path: Path
) -> None:
    span = arrive(workspace, as_file(served_form(january), tmp_path))
    assert (span.number, span.rows) == (2, 741)


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [("season", "3", "season_of_date"), ("cnt", "-1", "range"), ("hum", "55", "range")],
)
def test_they_are_held_to_the_rules_of_their_columns(
    workspace: Workspace, january: list[str], tmp_path: Path, column: str, value: str, rule: str
) -> None:
    rows = served_form(january)
    rows[5][rows[0].index(column)] = value
    with pytest.raises(BatchRefused) as refused:
        arrive(workspace, as_file(rows, tmp_path))
    assert [found.rule for found in refused.value.report.broken] == [rule]


def test_part_of_the_other_columns_is_no_header(
    workspace: Workspace, january: list[str], tmp_path: Path
) -> None:
    rows = [[*row, "0"] for row in served_form(january)]
    rows[0][-1] = "casual"
    with pytest.raises(BatchRefused) as refused:
        arrive(workspace, as_file(rows, tmp_path))
    assert {found.rule for found in refused.value.report.broken} == {"column_missing"}


def test_the_command_takes_a_second_delivery_for_no_error(
    workspace: Workspace, january_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--workspace", str(workspace.root), "--json", "arrive", str(january_file)]
    assert command.main(given) == 0
    capsys.readouterr()
    assert command.main(given) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["already_there"] is True and "as span 2" in said.err
