"""Whatever bytes, whatever JSON, whatever is changed in a delivery: a parser answers with events that can be kept, or refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.samples.trigger_deliveries import NAMES, Delivery, delivery
from triggers.errors import Refused
from triggers.events import OBJECTS, Event, Source
from triggers.sources.source_settings import SourceSettings
from triggers.sources.table import SOURCES

RULES = {"JSON", "FIELD", "HEADER", "TIME", "MANY", "CLOUDEVENT"}
EXAMPLES = settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

anything = st.characters(exclude_categories=())
texts = st.text(anything, max_size=30) | st.sampled_from(
    ["", "\x00", "\ud800", "%00", "%ff", "x" * 5000, "\u202e"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
extremes = st.sampled_from([10**400, -(10**300), 1e308, 5e-324, [], {}, [[[[[[[[1]]]]]]]], ["x"] * 300])
values = st.recursive(
    scalars | extremes,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
headers = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("x-github-event", "x-github-delivery", "ce-id", "ce-source", "ce-type", "ce-time", "ce-subject"),
        texts,
    )
    | {
        "content-type": st.sampled_from(
            [
                "application/json",
                "application/cloudevents+json",
                "application/cloudevents-batch+json",
                "application/x-www-form-urlencoded",
            ]
        ),
        "ce-specversion": st.just("1.0"),
    },
)


def outcome(parse: Callable[[], tuple[Event, ...]]) -> None:
    """Parse, and look at what comes of it."""
    try:
        events = parse()
    except Refused as refused:
        assert (refused.status, refused.rule in RULES) == (400, True), refused.rule
        assert 20 < len(str(refused)) < 600
        str(refused).encode()
        return
    for event in events:
        _check(event)


def _check(event: Event) -> None:
    bounds = [(event.delivery, 300), (event.subject, 200), (event.summary, 300), (event.request_id, 200)]
    assert all(len(text) <= most for text, most in bounds)
    assert event.delivery and event.subject and event.summary
    for text in (*(text for text, _ in bounds), *_texts(event.facts)):
        assert "\0" not in text
        text.encode()
    json.dumps(event.facts, allow_nan=False).encode()
    assert len(event.facts.get(OBJECTS, ())) <= 100  # type: ignore[arg-type]
    assert all(moment is None or 0 <= moment < 253402300800 for moment in (event.occurred, event.data_time))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from (name, *_texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


@pytest.mark.parametrize("source", Source)
@EXAMPLES
@given(headers=headers, body=st.binary(max_size=200))
def test_any_bytes(source: Source, headers: dict[str, str], body: bytes):
    outcome(lambda: SOURCES[source](headers, body, SourceSettings()))


@pytest.mark.parametrize("source", Source)
@EXAMPLES
@given(headers=headers, value=values)
def test_any_json(source: Source, headers: dict[str, str], value: Any):
    outcome(lambda: SOURCES[source](headers, json.dumps(value).encode(), SourceSettings()))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "github/push_form"])
@settings(EXAMPLES, max_examples=30)
@given(data=st.data())
def test_any_value_in_any_place_of_a_real_delivery(name: str, data: st.DataObject):
    sent = delivery(name)
    for _ in range(data.draw(st.integers(1, 3))):
        sent = Delivery(sent.source, sent.headers, _changed(sent.content, data))

    outcome(sent.parsed)


@pytest.mark.parametrize("name", NAMES)
@settings(EXAMPLES, max_examples=15)
@given(data=st.data())
def test_any_value_in_any_header_of_a_real_delivery(name: str, data: st.DataObject):
    sent = delivery(name)
    header = data.draw(st.sampled_from(sorted(sent.headers)))

    outcome(Delivery(sent.source, {**sent.headers, header: data.draw(texts)}, sent.content).parsed)


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_delivery_is_understood(name: str):
    events = delivery(name).parsed()

    assert events
    for event in events:
        _check(event)


def _changed(value: Any, data: st.DataObject) -> Any:
    """The same with another value, or none, somewhere inside."""
    if isinstance(value, (dict, list)) and value and data.draw(st.integers(0, 5)):
        changed: Any = value.copy()
        place = data.draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        if data.draw(st.integers(0, 7)):
            changed[place] = _changed(value[place], data)
        else:
            del changed[place]
        return changed
    return data.draw(values)
