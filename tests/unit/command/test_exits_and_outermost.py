"""Errors become exit codes and sentences in one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedalflow import errors
from pedalflow.command import exits
from pedalflow.command.outermost import outermost

FAMILY = [
    value
    for value in vars(errors).values()
    if isinstance(value, type)
    and issubclass(value, errors.PedalflowError)
    and value is not errors.PedalflowError
]


def _raising(error: BaseException):  # type: ignore[no-untyped-def]  # a main that only raises
    def main(argv: list[str]) -> int:
        raise error

    return main


@pytest.mark.parametrize("family_member", FAMILY)
def test_every_error_of_the_family_has_its_own_code(family_member: type[errors.PedalflowError]) -> None:
    assert exits.code_for(family_member("x")) not in (exits.OK.code, exits.UNEXPECTED.code)


def test_codes_are_unique() -> None:
    codes = [entry.code for entry in exits.EXITS]
    assert len(codes) == len(set(codes))


def test_an_error_on_purpose_is_one_plain_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert outermost(_raising(errors.GateRefused("RMSE 99 is above 80")), []) == exits.GATE_REFUSED.code
    assert capsys.readouterr().err == "pedalflow: RMSE 99 is above 80\n"


def test_an_unexpected_error_is_short_and_names_the_log_with_the_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outermost(_raising(ZeroDivisionError("deep\ninside")), ["--workspace", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    (log,) = (tmp_path / "state" / "logs").iterdir()
    assert said == f"pedalflow: unexpected ZeroDivisionError: deep inside; the traceback is in {log}\n"
    assert "ZeroDivisionError: deep" in log.read_text(encoding="utf-8")


def test_an_unexpected_error_in_a_workspace_that_cannot_be_written_still_ends_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").write_text("in the way", encoding="utf-8")
    assert outermost(_raising(ZeroDivisionError("x")), ["--workspace", str(tmp_path)]) == 1
    assert "--verbose shows the traceback" in capsys.readouterr().err


def test_verbose_prints_the_traceback_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outermost(_raising(errors.RunFailed("x")), ["--workspace", str(tmp_path), "--verbose"])
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_a_sentence_and_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert outermost(_raising(KeyboardInterrupt()), []) == 130
    assert "stopped by Ctrl-C" in capsys.readouterr().err


def test_a_main_that_returns_decides_itself() -> None:
    assert outermost(lambda argv: len(argv), ["a", "b"]) == 2
