"""Errors become exit codes and sentences in one place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pedalflow import errors
from pedalflow.command import exits
from pedalflow.command.outermost import outermost

ROOT = Path(__file__).resolve().parents[3]
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


def _behind_a_reader_that_leaves(body: str, workspace: Path) -> tuple[int, str]:
    """Exit code and stderr of `outermost` around a main with this body, whose reader goes away after a line."""
    code = (
        "import os, sys\nfrom pedalflow.command.outermost import outermost\n"
        f"def main(argv):\n    print('first', flush=True); sys.stdin.read(1); {body}\nsys.exit(outermost(main))\n"
    )
    command = [sys.executable, "-c", code, "--workspace", str(workspace)]
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, env=buffered, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as child:
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        assert child.stdout.readline() == "first\n"
        child.stdout.close()
        child.stdin.write("x")
        child.stdin.close()
        said = child.stderr.read()
        return child.wait(), said


@pytest.mark.parametrize(
    "body",
    [
        "print('x' * 1_000_000); return 0",  # fails while main writes
        "print('second'); return 0",  # fails when the rest is flushed
        "print('help'); sys.exit(0)",  # what argparse does
    ],
)
def test_a_reader_that_goes_away_ends_the_command_quietly(body: str, tmp_path: Path) -> None:
    code, said = _behind_a_reader_that_leaves(body, tmp_path)
    assert (code, said) == (exits.OUTPUT_CLOSED.code, "")
    assert not list(tmp_path.iterdir())


def test_a_refusal_keeps_its_code_where_nobody_reads(tmp_path: Path) -> None:
    assert _behind_a_reader_that_leaves("print('refused'); return 4", tmp_path)[0] == exits.GATE_REFUSED.code


def test_a_broken_pipe_that_is_not_the_output_is_an_error_like_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outermost(_raising(BrokenPipeError("worker gone")), ["--workspace", str(tmp_path)]) == 1
    assert "unexpected BrokenPipeError: worker gone" in capsys.readouterr().err


def test_sigterm_cleans_up_and_ends_like_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    cleaned = []

    def main(argv: list[str]) -> int:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            cleaned.append("yes")
        return 0

    before = signal.getsignal(signal.SIGTERM)
    assert outermost(main, []) == exits.INTERRUPTED.code
    assert cleaned == ["yes"]
    assert signal.getsignal(signal.SIGTERM) == before
    assert "SIGTERM" in capsys.readouterr().err
