"""What the user sees: tables, progress and the doctor's findings."""

from __future__ import annotations

import io
import json
import re
import threading
from pathlib import Path

import pytest

from pedalflow.command import doctor
from pedalflow.progress import Progress
from pedalflow.tables import table


def test_a_table_aligns_numbers_to_the_right_and_words_to_the_left() -> None:
    text = table([("naive", 81.5, None), ("champion", 7, "")], ("model", "rmse", "note"))
    assert text.splitlines() == [
        "model     rmse  note",
        "--------  ----  ----",
        "naive     81.5     -",
        "champion     7     -",
    ]


def test_a_table_without_rows_shows_its_headers() -> None:
    assert table([], ("a", "bc")).splitlines() == ["a  bc", "-  --"]


def test_a_row_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="2 cells does not fit 1 headers"):
        table([(1, 2)], ("a",))


class Watched(io.StringIO):
    """A stream that lets a test wait until a text has been written to it."""

    def __init__(self, awaited: str) -> None:
        super().__init__()
        self.awaited = awaited
        self.written = threading.Event()

    def write(self, text: str) -> int:
        length = super().write(text)
        if self.awaited in text:
            self.written.set()
        return length


class Terminal(Watched):
    def isatty(self) -> bool:
        return True


def test_off_a_terminal_a_step_is_plain_lines() -> None:
    stream = io.StringIO()
    with Progress(stream).step("Trainer"):
        pass
    assert re.fullmatch(r"Trainer …\n  Trainer … \d+\.\d s\n", stream.getvalue())


def test_off_a_terminal_a_slow_step_says_that_it_goes_on() -> None:
    stream = Watched("still at work")
    with Progress(stream, still_every_s=0.01).step("Trainer"):
        assert stream.written.wait(20)
    assert re.search(r"^  Trainer … still at work after \d+ s$", stream.getvalue(), re.MULTILINE)


def test_on_a_terminal_a_step_is_one_line_that_is_rewritten() -> None:
    stream = Terminal("/ Trainer")
    with Progress(stream).step("Trainer"):
        assert stream.written.wait(20)
    assert stream.getvalue().count("\n") == 1
    assert re.match(r"\r\x1b\[K\| Trainer … \d+ s\r\x1b\[K/ Trainer … \d+ s", stream.getvalue())


def test_a_step_that_fails_says_so_and_lets_the_error_pass() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyError), Progress(stream).step("Trainer"):
        raise KeyError("x")
    assert re.search(r"Trainer … failed after \d+\.\d s", stream.getvalue())


def test_the_doctor_names_what_is_wrong_with_the_command_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sick = doctor.Finding(
        "environment pipelines", False, True, "it does not exist", "make setup ENVIRONMENTS=pipelines"
    )
    absent = doctor.Finding(
        "environment serving", False, False, "it does not exist", "make setup ENVIRONMENTS=serving"
    )
    monkeypatch.setattr(doctor, "examine", lambda workspace: [sick, absent])
    assert doctor.run(tmp_path, as_json=False) == 1
    said = capsys.readouterr().out
    assert "WRONG" in said and "make setup ENVIRONMENTS=pipelines" in said and "1 of 2 need mending" in said
    assert doctor.run(tmp_path, as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["healthy"] is False


def test_what_is_only_left_out_does_not_make_the_doctor_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = doctor.Finding(
        "environment serving", False, False, "it does not exist", "make setup ENVIRONMENTS=serving"
    )
    monkeypatch.setattr(doctor, "examine", lambda workspace: [absent])
    assert doctor.run(tmp_path, as_json=False) == 0


def test_the_doctor_sees_a_project_without_its_tools_and_a_workspace_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    findings = {finding.what: finding for finding in doctor.examine(tmp_path / "file", root=tmp_path)}
    assert not findings["environments"].right
    assert not findings["workspace"].right
    assert not findings["git"].right
