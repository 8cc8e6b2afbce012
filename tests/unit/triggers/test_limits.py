"""Limits: how much of a body is read, and how often somebody may come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from triggers.errors import Refused, TooLarge, TooMany, Unauthenticated
from triggers.limits import (
    Buckets,
    Busy,
    Failures,
    Memory,
    Pace,
    TooSlow,
    check_declared,
    client_key,
    read_body,
    spend,
)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def freely(size: int) -> None:
    """There is room for everything."""


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def test_a_burst_is_allowed_and_then_the_pace() -> None:
    clock = Clock()
    buckets = Buckets(Pace(per_s=2, burst=3), clock)
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a") == pytest.approx(0.5)
    clock.seconds = 0.5
    assert buckets.take("a") == 0
    assert buckets.take("a") > 0


def test_each_key_has_its_own_tokens() -> None:
    buckets = Buckets(Pace(per_s=1, burst=1), Clock())
    assert buckets.take("a") == 0
    assert buckets.take("b") == 0
    assert buckets.take("a") > 0


def test_a_refused_attempt_costs_nothing_more() -> None:
    clock = Clock()
    buckets = Buckets(Pace(per_s=1, burst=1), clock)
    buckets.take("a")
    for _ in range(50):
        assert buckets.take("a") > 0
    clock.seconds = 1.0
    assert buckets.take("a") == 0


def test_however_many_come_the_memory_is_bounded() -> None:
    buckets = Buckets(Pace(per_s=1, burst=1), Clock(), most=10)
    for number in range(1000):
        buckets.take(str(number))
    assert len(buckets) == 10


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    clock = Clock()
    buckets = Buckets(Pace(per_s=1, burst=1), clock)
    clock.seconds = 100.0
    buckets.take("a")
    clock.seconds = 50.0
    assert buckets.take("a") > 0


def test_spending_too_much_says_when_to_come_again() -> None:
    buckets = Buckets(Pace(per_s=0.5, burst=1), Clock())
    spend(buckets, "a", "TOO_MANY", "deliveries from a")
    with pytest.raises(TooMany, match="too many deliveries from a") as refused:
        spend(buckets, "a", "TOO_MANY", "deliveries from a")
    assert (refused.value.rule, refused.value.status, refused.value.retry_after_s) == ("TOO_MANY", 429, 2.0)


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "unknown"),
        ("whatever-a-proxy-says", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_address_counts_for_whoever_has_it_to_himself(host: str | None, key: str) -> None:
    assert client_key(host) == key


def test_failed_proofs_of_one_client_are_counted_whatever_address_he_invents() -> None:
    failures = Failures(Pace(per_s=1, burst=2), Clock())
    for client, expected in (
        ("not-an-address", Unauthenticated),
        ("another", Unauthenticated),
        ("third", TooMany),
    ):
        with pytest.raises(expected), failures.counted(client):
            raise Unauthenticated("BEARER", "no")


def test_what_is_right_is_let_through_however_many_failed_before() -> None:
    failures = Failures(Pace(per_s=1, burst=1), Clock())
    for _ in range(3):
        with pytest.raises(Refused), failures.counted("192.0.2.1"):
            raise Unauthenticated("BEARER", "no")
    with failures.counted("192.0.2.1"):
        pass


def test_all_bodies_together_take_no_more_than_their_share_and_give_it_back() -> None:
    memory = Memory(10)
    with memory.portion() as first:
        first(6)
        with memory.portion() as second:
            second(4)
            with pytest.raises(Busy) as refused:
                second(1)
        assert memory.held == 6
    assert memory.held == 0
    assert (refused.value.rule, refused.value.status) == ("BUSY", 503) and refused.value.retry_after_s > 0


def test_a_body_is_told_of_before_it_is_kept() -> None:
    memory = Memory(5)

    async def read() -> None:
        with memory.portion() as take:
            await read_body(chunks(b"abc", b"def"), 100, 5, take)

    with pytest.raises(Busy):
        asyncio.run(read())
    assert memory.held == 0


def test_a_body_of_the_greatest_length_is_read_whole() -> None:
    assert asyncio.run(read_body(chunks(b"ab", b"", b"cd"), 4, 5, freely)) == b"abcd"


def test_a_longer_body_is_refused_as_soon_as_it_is_too_long() -> None:
    read = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            read.append(1)
            yield b"x" * 10

    with pytest.raises(TooLarge) as refused:
        asyncio.run(read_body(endless(), 25, 5, freely))
    assert refused.value.status == 413 and len(read) == 3


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(60)

    with pytest.raises(TooSlow) as refused:
        asyncio.run(read_body(never(), 25, 0.01, freely))
    assert refused.value.status == 408


@pytest.mark.parametrize("length", [None, "0", "25"])
def test_a_length_that_may_be_is_let_through(length: str | None) -> None:
    check_declared(length, 25)


@pytest.mark.parametrize("length", ["26", "9" * 5000])
def test_a_declared_length_that_is_too_long_is_refused_unread(length: str) -> None:
    with pytest.raises(TooLarge):
        check_declared(length, 25)


@pytest.mark.parametrize("length", ["-1", "x", "", "１", "1.0"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(Refused, match="Content-Length is no number"):
        check_declared(length, 25)
