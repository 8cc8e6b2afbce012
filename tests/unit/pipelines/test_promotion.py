"""Who becomes champion, as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.training import Wish, may_promote
from tests.samples.run_record import tiny_record

RECORD = replace(tiny_record(), release_id="r-new", champion_release="r-old", outcome="challenger")


@pytest.mark.parametrize(
    ("outcome", "wished", "serves", "expected"),
    [
        ("challenger", True, "r-old", True),  # judged against the champion of now
        ("challenger", True, "r-new", True),  # promoted before, and interrupted before it was recorded
        ("challenger", True, "r-other", False),  # somebody else became champion meanwhile
        ("challenger", True, None, False),  # the champion it was judged against was withdrawn
        ("challenger", False, "r-old", False),  # --no-promote
        ("refused", True, "r-old", False),
        ("promoted", True, "r-old", False),  # rolled back by hand: the same command does not undo that
    ],
)
def test_only_a_wished_challenger_judged_against_the_champion_of_now_is_promoted(
    outcome: str, wished: bool, serves: str | None, expected: bool
) -> None:
    assert may_promote(replace(RECORD, outcome=outcome), Wish(2, promote=wished), serves) is expected


def test_the_first_release_is_promoted_where_there_is_no_champion_yet() -> None:
    assert may_promote(replace(RECORD, champion_release=None), Wish(1), None)
