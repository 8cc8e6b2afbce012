"""JSON that cannot hurt, and moments in RFC 3339."""

from __future__ import annotations

import pytest

from triggers.errors import Refused
from triggers.sources.reading import (
    end_of,
    moment_of,
    number_or_none,
    read_object,
    shown,
    utc_text,
    whole_or_none,
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff{}",
        b'{"a": "\xc3\x28"}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a":' * 200_000,
        b"[" * 200_000,
        b'{"a": "' + b"x" * 2_000_000,
        b"\x00" * 1_000_000,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_json_is_refused_with_a_short_reason(body: bytes):
    with pytest.raises(Refused) as refused:
        read_object(body)

    assert (refused.value.rule, refused.value.status) == ("JSON", 400)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("body", [b"[]", b"3", b'"text"', b"null", b"true"])
def test_json_that_is_no_object_is_refused(body: bytes):
    with pytest.raises(Refused, match="the body must be a JSON object") as refused:
        read_object(body)

    assert refused.value.rule == "FIELD"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2012-01-31T12:00:00Z", 1328011200),
        ("2012-01-31t12:00:00z", 1328011200),
        ("2012-01-31T13:00:00+01:00", 1328011200),
        ("2012-01-31T12:00:00.5Z", 1328011200.5),
        ("2012-01-31T12:00:00.123456789Z", 1328011200.123456),
    ],
)
def test_moments_are_read(text: str, seconds: float):
    assert moment_of(text, "time") == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "2012-01-31",
        "2012-01-31T٠٠:00:00Z",
        "2012-01-31T12:00Z",
        "2012-01-31T12:00:00",
        "2012-01-31T12:00:00Z\n",
        "2012-02-30T12:00:00Z",
        "2012-01-31T12:00:60Z",
        "2012-01-31T12:00:00+99:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-23:59",
        "٢٠١٢-01-31T12:00:00Z",
        "1328011200",
        1328011200,
        None,
        [],
    ],
)
def test_what_is_no_moment_is_refused(text: object):
    with pytest.raises(Refused, match="time must be a moment in RFC 3339, such as") as refused:
        moment_of(text, "time")

    assert refused.value.rule == "TIME"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2011-12-31", "2012-01-01T00:00:00Z"),
        ("2012-02-28", "2012-02-29T00:00:00Z"),
        ("2012-02-28T05:00:00Z", "2012-02-28T05:00:00Z"),
    ],
)
def test_a_day_ends_at_the_next_midnight_and_a_moment_is_its_own_end(text: str, end: str):
    seconds = end_of(text)

    assert seconds is not None
    assert utc_text(seconds) == end


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3), (0.5, 0.5), (2**53, 2**53), (2**53 + 1, None), (1e300, None), (True, None), ("3", None)],
)
def test_a_number_is_one_that_every_reader_of_json_keeps(value: object, number: float | None):
    assert number_or_none(value) == number


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3), ("53981", 53981), ("٣", None), ("-1", None), (-1, None), (3.0, None), ("9" * 30, None)],
)
def test_a_whole_number_may_stand_as_text(value: object, number: int | None):
    assert whole_or_none(value) == number


def test_what_is_shown_of_strangers_is_one_short_line_of_ascii():
    assert shown("a\nb\x00\ud800é") == "a\\nb\\x00\\ud800\\xe9"
    assert len(shown("\ud800" * 10_000)) < 400
