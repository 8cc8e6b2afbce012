"""Files whose name, size or kind is the trouble are refused like any other, and what is shown of them is fit for a terminal."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from pedalflow.errors import DataMissing
from pedalflow.workspace import Workspace
from pipelines.arrivals import command, intake, reading
from pipelines.arrivals.door import arrive, list_spans
from pipelines.arrivals.quarantine import list_quarantine
from pipelines.arrivals.violations import BatchRefused, broken, escaped

MIB = 2**20


def refused(workspace: Workspace, file: Path) -> tuple[BatchRefused, Path]:
    """The error and the folder that an arriving file ends in."""
    with pytest.raises(BatchRefused) as caught:
        arrive(workspace, file)
    assert caught.value.quarantined is not None
    return caught.value, caught.value.quarantined


NAMES = {
    "long": b"n" * 240 + b".csv",
    "long_and_not_ascii": "ü".encode() * 120 + b".csv",
    "report_json": b"report.json",
    "report_txt": b"report.txt",
    "terminal_escape": b"\x1b[2Jgone.csv",
    "line_end": b"two\nlines.csv",
    "not_utf8": b"caf\xe9.csv",
    "hidden": b".csv",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_file_with_any_name_is_kept_beside_its_reports_and_listed(
    name: bytes, workspace: Workspace, tmp_path: Path
) -> None:
    # given
    file = tmp_path / os.fsdecode(name)
    file.write_bytes(b"not,a,span\n")
    # when
    error, folder = refused(workspace, file)
    # then
    (kept,) = [path for path in folder.iterdir() if path.name.startswith("arrived-")]
    assert kept.read_bytes() == b"not,a,span\n"
    assert json.loads((folder / "report.json").read_text())["file"] == error.report.file
    assert (folder / "report.txt").read_text().startswith(f"Refused: {error.report.file}\n")
    assert [item.file for item in list_quarantine(workspace)] == [error.report.file]
    assert error.report.file.isprintable()
    assert str(error).isprintable()


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_good_batch_arrives_under_any_name(
    name: bytes, workspace: Workspace, january: list[str], tmp_path: Path
) -> None:
    file = tmp_path / os.fsdecode(name)
    file.write_text("\n".join(january) + "\n", encoding="ascii")
    assert arrive(workspace, file).rows == 741


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    "make", [folder, pipe, lambda _: Path("/dev/zero")], ids=["folder", "pipe", "device"]
)
def test_what_is_no_file_is_said_to_be_none_at_once(
    make: Callable[[Path], Path], workspace: Workspace, tmp_path: Path
) -> None:
    with pytest.raises(DataMissing, match=r"cannot be read|is a pipe or a device and no file"):
        arrive(workspace, make(tmp_path / "made"))
    assert not workspace.quarantine.exists()


def test_missing_file_is_said_to_be_missing_and_not_quarantined(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"nowhere\.csv"):
        arrive(workspace, tmp_path / "nowhere.csv")
    assert not workspace.quarantine.exists()


TOO_LARGE = {
    "plain": lambda lines: lines,
    "gzip": gzip.compress,
    "gzip_in_two_members": lambda lines: gzip.compress(lines[: 3 * MIB]) + gzip.compress(lines[3 * MIB :]),
    "gzip_cut_off_behind_the_limit": lambda lines: gzip.compress(lines)[:-200],
    "packed_over_the_limit": lambda lines: b"\x1f\x8b" + lines,
}


@pytest.mark.parametrize("make", TOO_LARGE.values(), ids=TOO_LARGE)
def test_too_large_file_is_refused_and_its_beginning_kept(
    make: Callable[[bytes], bytes], workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(intake, "MOST_BYTES", 4 * MIB)
    file = tmp_path / "large.csv"
    file.write_bytes(make(b"0123456\n" * MIB))
    before = list_spans(workspace)
    # when
    error, folder = refused(workspace, file)
    # then
    assert [item.rule for item in error.report.broken] == ["too_large"]
    kept = (folder / "arrived-large.csv").read_bytes()
    assert kept == file.read_bytes()[:MIB]
    assert error.report.sha256 == hashlib.sha256(kept).hexdigest()
    assert "Quarantine keeps its first 1 MiB" in (folder / "report.txt").read_text()
    assert list_spans(workspace) == before


def test_too_many_lines_are_too_large(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_LINES", 1000)
    file = tmp_path / "lines.csv"
    file.write_bytes(b"a\n" * 1001)
    error, _ = refused(workspace, file)
    assert [item.rule for item in error.report.broken] == ["too_large"]
    assert "more than 1,000 lines" in str(error)


def test_unpacking_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MOST_BYTES", MIB)
    bomb = gzip.compress(bytes(100 * MIB))
    tracemalloc.start()
    try:
        (found,) = intake.unpacked(bomb).broken
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.rule == "too_large"
    assert peak < 20 * MIB


def test_file_of_exactly_the_limit_is_not_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MOST_BYTES", MIB)
    for raw in (bytes(MIB), gzip.compress(bytes(MIB))):
        assert intake.unpacked(raw) == intake.Unpacked(bytes(MIB))


def test_names_and_values_are_cut_to_80_characters() -> None:
    (shown,) = broken("type", "hint", "c" * 1000, [7], ["v" * 1000]).violations
    assert (shown.column, shown.value) == ("c" * 79 + "…", "v" * 79 + "…")
    (whole,) = broken("type", "hint", "c" * 80, None, ["v" * 80]).violations
    assert (whole.column, whole.value) == ("c" * 80, "v" * 80)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b2J", r"\x9b2J"),
        ("moc\u202ecsv", r"moc\u202ecsv"),
        ("\udce9", r"\udce9"),
        ("it's 20 °C", "it's 20 °C"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_reports_and_listing_show_a_hostile_header_escaped(
    workspace: Workspace, january: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # given
    monkeypatch.setattr(command, "silence", lambda verbose: None)
    file = tmp_path / "\x1b[8mname.csv"
    file.write_text(
        "\n".join([january[0].replace("hum", "h\u202eum"), *january[1:]]) + "\n", encoding="utf-8"
    )
    # when
    error, folder = refused(workspace, file)
    assert command.main(["--workspace", str(workspace.root), "quarantine"]) == 0
    # then
    listed = capsys.readouterr().out
    for text in (listed, str(error), *(path.read_text() for path in folder.glob("report.*"))):
        assert all(line.isprintable() for line in text.split("\n"))
    assert r"\x1b[8mname.csv" in listed
    assert r"in column h\u202eum" in (folder / "report.txt").read_text()


@pytest.mark.parametrize(("option", "verbose"), [([], False), (["--verbose"], True)])
def test_data_commands_quieten_libraries_unless_told_not_to(
    option: list[str], verbose: bool, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(command, "silence", lambda verbose: asked.append(verbose))
    assert command.main(["--workspace", str(workspace.root), *option, "list"]) == 0
    assert asked == [verbose]
