"""Schedules and people: bodies of our own making, with strict fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.samples.trigger_deliveries import delivery
from triggers.errors import Refused
from triggers.events import Kind, Source


def test_a_schedule_is_known_by_its_name_and_slot():
    event = delivery("schedule/nightly").event()

    assert (event.source, event.kind, event.subject) == (Source.SCHEDULE, Kind.SCHEDULE, "nightly")
    assert event.delivery == "nightly/2012-02-01T03:00:00Z"
    assert event.occurred == 1328065200
    assert event.summary == "The schedule nightly was due at 2012-02-01T03:00:00Z"


def test_a_slot_is_the_same_in_every_time_zone():
    there = delivery("schedule/nightly").with_content({"slot": "2012-02-01T04:00:00.000+01:00"})

    assert there.event() == delivery("schedule/nightly").event()


def test_a_person_is_known_by_the_id_of_the_wish():
    event = delivery("person/wish").event()

    assert (event.source, event.kind, event.subject) == (Source.PERSON, Kind.PERSON, "ada")
    assert event.delivery == "6b1f4f0e-2d0b-4f6e-9a51-0d2c1f7f7a10"
    assert event.summary == "ada: The humidity sensor was calibrated."
    assert event.data_time == 1328054400


@pytest.mark.parametrize(
    ("wish", "kind"),
    [(..., Kind.PERSON), ("retrain", Kind.PERSON), ("pause", Kind.PAUSE), ("resume", Kind.RESUME)],
)
def test_a_person_may_wish_for_a_run_for_a_pause_and_for_its_end(wish: Any, kind: Kind):
    recorded = delivery("person/wish")
    event = (
        replace(recorded, content={**recorded.content, "wish": "retrain"})
        .with_content({"wish": wish})
        .event()
    )

    assert event.kind is kind
    assert event.facts == {"reason": "The humidity sensor was calibrated.", "who": "ada"}


def test_a_person_need_not_say_who_or_until_when():
    event = delivery("person/wish").with_content({"who": ..., "data_time": ...}).event()

    assert (event.subject, event.data_time) == ("somebody", None)


@pytest.mark.parametrize("seconds", [1328054400, 1328054400.0])
def test_the_time_of_the_data_may_be_in_seconds(seconds: float):
    assert delivery("person/wish").with_content({"data_time": seconds}).event().data_time == 1328054400


def test_a_field_that_nobody_knows_is_tolerated():
    assert delivery("person/wish").with_content({"mood": {"good": True}}).event().subject == "ada"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("schedule/nightly", {"name": ...}, "name: Field required"),
        ("schedule/nightly", {"name": ""}, "name: String should have at least 1"),
        ("schedule/nightly", {"name": 3}, "name: Input should be a valid string"),
        ("schedule/nightly", {"slot": "nightly"}, "slot must be a moment in RFC 3339"),
        ("schedule/nightly", {"slot": "2012-02-01T03:00:00"}, "slot must be a moment in RFC 3339"),
        ("schedule/nightly", {"slot": "2" * 41}, "slot: String should have at most 40"),
        ("person/wish", {"reason": ...}, "reason: Field required"),
        ("person/wish", {"reason": " \n"}, "reason: .*it is blank"),
        ("person/wish", {"reason": "x" * 501}, "reason: String should have at most 500"),
        ("person/wish", {"id": ...}, "id: Field required"),
        ("person/wish", {"who": "x" * 101}, "who: String should have at most 100"),
        ("person/wish", {"wish": "stop"}, "wish: Input should be 'retrain', 'pause' or 'resume'"),
        ("person/wish", {"wish": None}, "wish: Input should be 'retrain'"),
        ("person/wish", {"wish": ["pause"]}, "wish: Input should be 'retrain'"),
        ("person/wish", {"data_time": "2012"}, "data_time must be a moment"),
        ("person/wish", {"data_time": -1}, "data_time must be in seconds since 1970"),
        ("person/wish", {"data_time": 1e300}, "data_time must be in seconds since 1970"),
        ("person/wish", {"data_time": True}, "data_time"),
        ("person/wish", {"data_time": 10**400}, "data_time"),
    ],
)
def test_a_field_that_does_not_fit_is_named(name: str, change: dict[str, Any], message: str):
    with pytest.raises(Refused, match=message):
        delivery(name).with_content(change).parsed()


def test_what_was_sent_is_not_repeated_in_the_refusal():
    with pytest.raises(Refused) as refused:
        delivery("person/wish").with_content({"reason": ["hunter2"]}).parsed()

    assert "hunter2" not in str(refused.value)
