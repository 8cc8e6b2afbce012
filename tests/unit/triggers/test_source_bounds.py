"""Whatever a parser made, what is kept is short, flat, and nothing that a database refuses."""

from __future__ import annotations

import json

import pytest

from triggers.events import IS_DRIFT, Event, Kind, Source
from triggers.sources.bounds import delivery_name, one_line, within_bounds


def bounded(**fields: object) -> Event:
    whole = {
        "source": Source.S3,
        "delivery": "d",
        "kind": Kind.OTHER,
        "subject": "s",
        "summary": "t",
        **fields,
    }
    (event,) = within_bounds((Event(**whole),))  # type: ignore[arg-type]
    return event


def test_what_is_within_bounds_stays_as_it_is():
    event = Event(
        Source.S3, "a/b", Kind.DRIFT, "model/drift", "Drift.", 1.0, 2.0, "q1", {IS_DRIFT: False, "n": 0}
    )

    assert within_bounds((event,)) == (event,)


def test_long_texts_are_cut():
    event = bounded(delivery="d" * 5000, subject="s" * 5000, summary="t" * 5_000_000, request_id="r" * 5000)

    assert [len(text) for text in (event.delivery, event.subject, event.summary, event.request_id)] == [
        265,
        200,
        300,
        200,
    ]
    assert event.summary.endswith("…")


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b", "a\nb", "a\u202eb", "a\x1b[31mb", "a  b", "x" * 301])
def test_a_delivery_that_cannot_be_kept_as_it_is_keeps_a_name_of_its_own(text: str):
    name = delivery_name(text)

    assert name != delivery_name(text + " ")
    assert name == delivery_name(text)
    assert len(name) <= 300
    assert name.isprintable()


def test_deliveries_that_differ_after_their_beginning_stay_different():
    assert delivery_name("x" * 400 + "1") != delivery_name("x" * 400 + "2")


def test_a_line_has_printable_characters_and_single_blanks():
    assert one_line(" a\n\tb\x00c\u202ed ", 20) == "a b c d"


def test_facts_lose_what_no_database_keeps():
    event = bounded(
        facts={"a": "x\x00\ud800", "b": float("inf"), "c": 10**30, "d": [[[[[1]]]]], "e": list(range(500))}
    )

    text = json.dumps(event.facts, allow_nan=False)
    assert event.facts["a"] == "x??"
    assert (event.facts["b"], event.facts["c"]) == (None, None)
    assert event.facts["d"] == [[[None]]]
    assert len(event.facts["e"]) == 100
    assert "\\u0000" not in text and "\\ud800" not in text


def test_facts_that_say_nothing_are_left_out_but_no_and_zero_say_something():
    event = bounded(facts={"a": None, "b": "", "c": [], "d": {}, IS_DRIFT: False, "zero": 0})

    assert event.facts == {IS_DRIFT: False, "zero": 0}


def test_an_event_without_a_subject_gets_one():
    assert bounded(subject="\u200b").subject == "nameless"
