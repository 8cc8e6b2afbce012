"""What an interrupted loop finds again: its position and every answered hour, also where it was killed while it wrote."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from pipelines.loop.hours import Hour
from pipelines.loop.journal import HOURS, Answered, Journal, Staged, Times, line

HOUR = Hour(datetime(2012, 1, 1, 5), {}, 12.0)


def add(journal: Journal, hours: int) -> None:
    with journal.writing() as file:
        for _ in range(hours):
            file.write(line(HOUR, 10.5, "r-1"))


def test_a_new_journal_begins_at_the_beginning(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "loop", quick=True)
    assert (journal.at.quick, journal.at.answered, journal.at.done) == (True, 0, ())
    assert journal.hours() == []


def test_position_is_found_again_with_everything_in_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path, quick=True)
    journal.note(
        first_release="r-1",
        done=("upload 2",),
        requests=7,
        runs={"q-1": Times("2012-02-01T00:00")},
        staged={"bad batch": Staged("2012-02-01T00:00", "e-1", "r-1", "r-1")},
    )
    assert Journal(tmp_path, quick=False).at == journal.at


def test_an_answered_hour_counts_though_the_position_was_not_kept_after_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path, quick=False)
    journal.note(answered=1, labelled=1)
    add(journal, 3)
    again = Journal(tmp_path, quick=False)
    assert (again.at.answered, again.at.labelled) == (3, 1)
    assert again.hours()[0] == Answered("2012-01-01", 5, 12.0, 10.5, "r-1")


def test_a_line_that_was_not_written_to_its_end_is_an_hour_that_is_asked_again(tmp_path: Path) -> None:
    add(Journal(tmp_path, quick=False), 2)
    with (tmp_path / HOURS).open("a", encoding="utf-8") as file:
        file.write("2012-01-01,7,30")
    assert Journal(tmp_path, quick=False).at.answered == 2
    assert (tmp_path / HOURS).read_text(encoding="utf-8").count("\n") == 2


def test_a_phase_counts_also_where_it_fails_and_adds_up(tmp_path: Path) -> None:
    journal = Journal(tmp_path, quick=False)
    with journal.phase("a"):
        pass
    with pytest.raises(KeyError), journal.phase("a"):
        raise KeyError
    assert list(journal.at.phases) == ["a"]
    assert Journal(tmp_path, quick=False).at.phases == journal.at.phases
