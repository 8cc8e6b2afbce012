"""How much is taken in: the size and pace of a body, all bodies together, and how often somebody may come. In memory, and bounded."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import OrderedDict
from collections.abc import AsyncIterable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from triggers.errors import Refused, TooLarge, TooMany, Unauthenticated

TOO_LARGE, TOO_SLOW, LENGTH, BUSY, FAILURES = "TOO_LARGE", "TOO_SLOW", "LENGTH", "BUSY", "TOO_MANY_FAILURES"
BUSY_AGAIN_S = 5.0  # when a sender may try again who came while too much was being read
_IPV6_NETWORK = 64  # one customer's addresses


class TooSlow(Refused):
    """The body did not come in time."""

    status = 408


class Busy(TooMany):
    """So much is being read at the moment that no more fits into memory."""

    status = 503


@dataclass(frozen=True)
class Pace:
    """How often something may happen: `per_s` in the long run, `burst` at once."""

    per_s: float
    burst: int


class Buckets:
    """A token bucket for each key. Of more than `most` keys those that were quiet longest are forgotten, and so begin anew."""

    def __init__(self, pace: Pace, now: Callable[[], float], most: int = 10_000) -> None:
        self._pace = pace
        self._now = now
        self._most = most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def take(self, key: str) -> float:
        """Take one token: 0 where there was one, else the seconds until there is one again."""
        now = self._now()
        tokens, seen = self._left.pop(key, (float(self._pace.burst), now))
        tokens = min(float(self._pace.burst), tokens + max(now - seen, 0.0) * self._pace.per_s)
        allowed = tokens >= 1.0
        self._left[key] = (tokens - 1.0 if allowed else tokens, now)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1.0 - tokens) / self._pace.per_s


def spend(buckets: Buckets, key: str, rule: str, what: str) -> None:
    """Take one token for `key`; raises TooMany with the seconds to wait where none is left."""
    wait_s = buckets.take(key)
    if wait_s > 0:
        raise TooMany(rule, f"too many {what}; try again in {wait_s:.1f} s", wait_s)


class Failures:
    """Failed proofs of each client. It slows guessing down and makes it visible; a right secret is never held up by it."""

    def __init__(self, pace: Pace, now: Callable[[], float]) -> None:
        self._buckets = Buckets(pace, now)

    @contextmanager
    def counted(self, client: str) -> Iterator[None]:
        """Whatever the block refuses as unauthenticated is counted. Raises TooMany in its place where this client had too many."""
        try:
            yield
        except Unauthenticated:
            spend(self._buckets, client_key(client), FAILURES, "failed authentications")
            raise


class Memory:
    """The bytes of all bodies that are being read or worked on, at most `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    @contextmanager
    def portion(self) -> Iterator[Callable[[int], None]]:
        """A function that takes so many bytes more, which are given back when the block ends.

        That function raises Busy where they are not to be had.
        """
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if self.held + size > self._most:
                raise Busy(BUSY, "too much is being read at the moment; send it again later", BUSY_AGAIN_S)
            self.held += size
            taken += size

        try:
            yield take
        finally:
            self.held -= taken


def client_key(host: str | None) -> str:
    """Whom failures are counted against: an IPv4 address, or the /64 network of an IPv6 address, which one customer has for himself.

    All that is no address is one client.
    """
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))


def check_declared(length: str | None, most: int) -> None:
    """Refuse a body by its Content-Length before any of it is read.

    Raises:
        TooLarge: it says that it is longer than `most` bytes.
        Refused: it is no number.
    """
    if length is None:
        return
    if not (length.isascii() and length.isdigit()):
        raise Refused(LENGTH, "Content-Length is no number; send the length of the body in bytes")
    if len(length) > 15 or int(length) > most:
        raise _too_large(most)


async def read_body(
    chunks: AsyncIterable[bytes], most: int, within_s: float, take: Callable[[int], None]
) -> bytes:
    """The whole body, read piece by piece, whether its length was declared or not. `take` is told of each piece before it is kept.

    Raises:
        TooLarge: it is longer than `most` bytes; no more than that is kept.
        TooSlow: it was not complete within `within_s`.
    """
    try:
        return await asyncio.wait_for(_gather(chunks, most, take), within_s)
    except asyncio.TimeoutError as error:
        raise TooSlow(
            TOO_SLOW, f"the body was not complete after {within_s:g} s; send it again at once"
        ) from error


async def _gather(chunks: AsyncIterable[bytes], most: int, take: Callable[[int], None]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        if len(body) + len(chunk) > most:
            raise _too_large(most)
        take(len(chunk))
        body += chunk
    return bytes(body)


def _too_large(most: int) -> TooLarge:
    return TooLarge(
        TOO_LARGE, f"the body is longer than {most} bytes; send less at once, or raise body_bytes"
    )
