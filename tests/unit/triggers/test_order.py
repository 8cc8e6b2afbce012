"""What a launcher is asked to do, from the events behind a run and what runs before it left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.samples.triggers_engine import NOW, event, push, upload
from triggers.events import Event, Kind
from triggers.order import order_of
from triggers.policy import Action, Lane
from triggers.records import Phase, StoredRun

RUN = StoredRun(1, "q-1", Lane.TRAIN, Action.TAKE_IN, Phase.LAUNCHING, NOW, NOW, NOW)


def test_the_order_carries_key_action_and_pipeline() -> None:
    order = order_of(RUN, [event(summary="Ann asked for it")], (), "bikes")
    assert (order.key, order.action, order.pipeline) == ("q-1", Action.TAKE_IN, "bikes")
    assert (order.reasons, order.objects, order.commit) == (("Ann asked for it",), (), "")


@pytest.mark.parametrize(
    ("events", "objects"),
    [
        ([upload("s3://b/2"), upload("s3://b/1", "s3://b/3")], ("s3://b/2", "s3://b/1", "s3://b/3")),
        ([upload("s3://b/1"), upload("s3://b/1", "s3://b/2")], ("s3://b/1", "s3://b/2")),
        ([event(Kind.OTHER, objects=["s3://b/1"]), upload("s3://b/2")], ("s3://b/2",)),
        ([event(Kind.STORAGE, objects="s3://b/1"), event(Kind.STORAGE)], ()),
    ],
)
def test_every_object_is_taken_in_once_in_the_order_of_its_upload(
    events: Sequence[Event], objects: tuple[str, ...]
) -> None:
    assert order_of(RUN, events, (), "bikes").objects == objects


def test_what_no_run_has_taken_in_comes_before_what_this_one_was_asked_for() -> None:
    left = [upload("s3://b/1"), upload("s3://b/2")]
    assert order_of(RUN, [upload("s3://b/2", "s3://b/3")], left, "bikes").objects == (
        "s3://b/1",
        "s3://b/2",
        "s3://b/3",
    )


def test_a_run_that_takes_nothing_in_leaves_that_to_another() -> None:
    retraining = replace(RUN, action=Action.RETRAIN)
    assert order_of(retraining, [event()], [upload("s3://b/1")], "bikes").objects == ()


def test_of_pushes_that_say_when_they_were_the_newest_counts_whichever_came_last() -> None:
    newest, late = replace(push("b"), occurred=NOW), replace(push("a"), occurred=NOW - 60)
    assert order_of(RUN, [newest, late], (), "bikes").commit == "b"


def test_where_a_push_does_not_say_when_it_was_the_last_one_that_came_counts() -> None:
    assert order_of(RUN, [replace(push("a"), occurred=NOW), push("b")], (), "bikes").commit == "b"


@pytest.mark.parametrize(
    ("events", "commit"),
    [
        ([push("a"), push("b", Kind.DATA), event()], "b"),
        ([push("b", Kind.DATA), push("a")], "a"),
        ([push("a"), event(Kind.CODE)], "a"),
        ([push("a"), event(Kind.PERSON, commit="c")], "a"),
        ([event()], ""),
    ],
)
def test_the_commit_is_that_of_the_newest_push(events: Sequence[Event], commit: str) -> None:
    assert order_of(RUN, events, (), "bikes").commit == commit


@pytest.mark.parametrize(
    ("count", "last", "length"),
    [(1, "1", 1), (20, "20", 20), (21, "and 1 more", 21), (500, "and 480 more", 21)],
)
def test_at_most_twenty_reasons_are_told(count: int, last: str, length: int) -> None:
    reasons = order_of(RUN, [event(summary=str(number + 1)) for number in range(count)], (), "bikes").reasons
    assert (reasons[-1], len(reasons)) == (last, length)
