"""What a parser made of a delivery, brought within bounds: nothing that is kept is long, deep or more than a database can hold.

PostgreSQL keeps neither NUL nor lone surrogates, a page wants one line, and nobody wants to be filled up by a stranger.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

from triggers.errors import Refused
from triggers.events import Event, Fact
from triggers.sources.reading import MANY

MOST_EVENTS = 1000
MOST_SUMMARY, MOST_SUBJECT, MOST_DELIVERY, MOST_REQUEST_ID = 300, 200, 300, 200
MOST_TEXT, MOST_ITEMS, MOST_DEPTH = 1500, 100, 4
_KEPT_OF_DELIVERY = 200
_NAMELESS = "nameless"
_LARGEST_WHOLE = 2**63 - 1


def within_bounds(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """The same events, fit to be kept.

    Raises:
        Refused: there are too many.
    """
    if len(events) > MOST_EVENTS:
        raise Refused(
            MANY,
            f"{len(events):,} events came in one delivery, and {MOST_EVENTS:,} may; send several deliveries",
        )
    return tuple(map(_bounded, events))


def _bounded(event: Event) -> Event:
    facts = _fact({name: value for name, value in event.facts.items() if _says_something(value)}, MOST_DEPTH)
    return replace(
        event,
        delivery=delivery_name(event.delivery),
        subject=one_line(event.subject, MOST_SUBJECT) or _NAMELESS,
        summary=one_line(event.summary, MOST_SUMMARY),
        request_id=one_line(event.request_id, MOST_REQUEST_ID),
        facts=facts if isinstance(facts, dict) else {},
    )


def _says_something(value: Fact) -> bool:
    """Nulls and empty texts, lists and objects are left out of the facts; zero and false are not."""
    return value not in (None, "", [], {})


def delivery_name(name: str) -> str:
    """The name itself; where it cannot be kept as it is, its beginning and its hash, so that other names stay other names."""
    kept = one_line(name, MOST_DELIVERY)
    if kept == name:
        return name
    return f"{kept[:_KEPT_OF_DELIVERY]}~{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def one_line(text: str, most: int) -> str:
    """Printable characters with single blanks between words, at most so many."""
    beginning = text[: 4 * most]
    printable = "".join(character if character.isprintable() else " " for character in beginning)
    line = " ".join(printable.split())
    return line if len(line) <= most and len(text) <= 4 * most else f"{line[: most - 1]}…"


def _fact(value: object, depth: int) -> Fact:
    """A plain JSON value of bounded size; what is too deep or no number is left out as null."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if isinstance(value, bool) or abs(value) <= _LARGEST_WHOLE else None
    if depth == 0:
        return None
    if isinstance(value, (list, tuple)):
        return [_fact(item, depth - 1) for item in value[:MOST_ITEMS]]
    if isinstance(value, dict):
        return {_text(str(name)): _fact(item, depth - 1) for name, item in list(value.items())[:MOST_ITEMS]}
    return None


def _text(text: str) -> str:
    """Without NUL and lone surrogates, each replaced by a question mark."""
    return text[:MOST_TEXT].replace("\0", "?").encode("utf-8", "replace").decode("utf-8")
