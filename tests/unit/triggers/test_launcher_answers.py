"""What commands answered as what a run came to, and the sentences of other rooms that are waited for."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggers.launchers.answers import Answer, answer, of_rollout, of_training, with_refused
from triggers.launchers.launcher import (
    CHALLENGER,
    DATA_REFUSED,
    PROMOTED,
    REFUSED,
    UNCHANGED,
    Seen,
    State,
)

ROOT = Path(__file__).resolve().parents[3]


def test_the_last_line_is_the_commands_own_sentence() -> None:
    said = "Trainer …\n  Trainer … 3.9 s\n\npedalflow: release r-1 was refused: rmse is 9\n\n"
    assert answer(4, '{"outcome": "refused"}', said) == Answer(
        4, {"outcome": "refused"}, "release r-1 was refused: rmse is 9"
    )


@pytest.mark.parametrize("output", ["", "no json", "[1]", "null", '{"cut off'])
def test_output_that_is_no_object_counts_as_none(output: str) -> None:
    assert answer(0, output, "") == Answer(0, {}, "")


@pytest.mark.parametrize(
    ("code", "said", "busy"),
    [
        (7, "another training is at work in /w; wait for it, or use another --workspace", True),
        (7, "another rollout is at work in /w", True),
        (7, "a training has been at work in /w for 300 s; promote again when it is over", True),
        (7, "MLflow did not answer", False),
        (3, "another training is at work", False),
    ],
)
def test_only_a_busy_workspace_is_asked_again(code: int, said: str, busy: bool) -> None:
    assert Answer(code, {}, said).busy is busy


def test_the_sentence_of_a_busy_training_is_the_one_that_is_waited_for() -> None:
    source = (ROOT / "pipelines" / "training.py").read_text(encoding="utf-8")
    [sentence] = [line for line in source.splitlines() if "busy = f" in line]
    assert Answer(7, {}, sentence).busy


def test_files_that_were_refused_are_told_with_their_reason() -> None:
    content = {
        "outcome": "challenger",
        "release_id": "r-1",
        "taken_in": [{"file": "a.csv", "span": 4}],
        "already_there": [{"file": "b.csv"}],
        "refused_files": [
            {"file": "c.csv", "rule": "range", "why": "row 3: temp is 92"},
            {"file": "d.csv", "rule": "range", "why": "d.csv was refused: row 4"},
        ],
        "candidate": {"rmse": 50},
        "champion": None,
    }
    assert of_training(Answer(0, content)) == Seen(
        State.SUCCEEDED,
        outcome=CHALLENGER,
        release="r-1",
        facts={
            "candidate_rmse": 50,
            "taken_in": "a.csv",
            "already_there": "b.csv",
            "refused_files": "c.csv: row 3: temp is 92; d.csv was refused: row 4",
        },
    )


def test_a_refused_model_names_its_release() -> None:
    seen = of_training(Answer(4, {"release_id": "r-1", "outcome": "refused"}, "r-1 was refused"))
    assert (seen.outcome, seen.release) == (REFUSED, "r-1")


@pytest.mark.parametrize("content", [{}, {"outcome": "something new"}, {"outcome": 7}])
def test_an_outcome_that_nobody_knows_has_failed(content: dict[str, object]) -> None:
    assert of_training(Answer(0, content)).state is State.FAILED


@pytest.mark.parametrize("content", [{}, {"outcome": "unchanged"}])
def test_a_rollout_that_does_not_say_how_it_ended_has_failed(content: dict[str, object]) -> None:
    trained = Seen(State.SUCCEEDED, outcome=CHALLENGER, release="r-1")
    seen = of_rollout(trained, Answer(0, content))
    assert (seen.state, seen.outcome, seen.release) == (State.FAILED, "", "r-1")


def test_a_rollout_that_broke_looks_like_a_failure_and_names_the_release() -> None:
    trained = Seen(State.SUCCEEDED, outcome=CHALLENGER, release="r-1", facts={"run_id": "span-02"})
    seen = of_rollout(trained, Answer(8, {}, "the servers stopped"))
    assert seen == Seen(
        State.FAILED, outcome="", release="r-1", note="the servers stopped", facts={"run_id": "span-02"}
    )


@pytest.mark.parametrize(
    ("outcome", "note", "expected", "said"),
    [
        (
            PROMOTED,
            "the canary was better",
            PROMOTED,
            "the canary was better; not taken in: s3://b/1 is away",
        ),
        (PROMOTED, "", PROMOTED, "not taken in: s3://b/1 is away"),
        (UNCHANGED, "nothing new", DATA_REFUSED, "nothing new; not taken in: s3://b/1 is away"),
    ],
)
def test_objects_that_were_not_taken_in_are_told(outcome: str, note: str, expected: str, said: str) -> None:
    trained = Seen(State.SUCCEEDED, outcome=outcome, note=note, facts={"refused_files": "c.csv: row 3"})
    seen = with_refused(trained, ["s3://b/1 is away"])
    assert (seen.outcome, seen.note) == (expected, said)
    assert seen.facts == {"refused_files": "c.csv: row 3; s3://b/1 is away"}


def test_of_many_objects_that_were_not_taken_in_the_note_names_three() -> None:
    seen = with_refused(Seen(State.SUCCEEDED), list("abcde"))
    assert seen.note == "not taken in: a; b; c; and 2 more"
    assert seen.facts == {"refused_files": "a; b; c; d; e"}


def test_a_command_that_fails_in_silence_is_told_by_its_exit_code() -> None:
    assert of_training(Answer(1)).note == "the training failed with exit code 1 and said nothing"
