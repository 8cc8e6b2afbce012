"""Telling ids apart: what kind of thing an id names, from its form and from what is known, whole or by its beginning."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from pedalflow.errors import SettingsError
from triggers.errors import TriggersError
from triggers.events import Kind
from triggers.records import StoredEvent, StoredRun
from triggers.tracing.graph import Thing
from triggers.tracing.nodes import commit_of, of_window
from triggers.tracing.readers import Readers, span_id

KINDS_OF_IDS = (
    "a request id (what the answer carries as `puid`), a run (q-…), an event (e-…), a release (r-…), "
    "a training (span-04-…), a span (span-04), a commit, a rollout (20120401T000000Z-r-…) or a day that was judged (2012-04-01)"
)
_MOST = 10  # candidates that are listed
_PAGE, _PAGES = 500, 10  # newest events or runs among which an id is looked for by its beginning


class NotTraceable(TriggersError, SettingsError):
    """An id that names nothing, or several things: then `candidates` lists them."""

    def __init__(self, message: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.candidates = candidates


@dataclass(frozen=True)
class Found:
    """A thing by its whole id."""

    kind: Thing
    id: str


def resolve(text: str, readers: Readers) -> Found:
    """The thing that `text` names, by its whole id or by a beginning that only one id has; of events and runs the newest 5,000 count.

    Raises NotTraceable where nothing or several things are named so.
    """
    for kind, form, known in _FORMS:
        if re.fullmatch(form, text):
            names = tuple(islice(_matching(text, known(text, readers)), _MOST))
            if names:
                return _only(text, kind, names)
    if readers.request(text):
        return Found(Thing.REQUEST, text)
    ids = tuple(readers.request_ids(text, _MOST)) if text else ()
    if not ids:
        raise NotTraceable(f"nothing is known of {text!r}: an id is {KINDS_OF_IDS}, or its beginning")
    return _only(text, Thing.REQUEST, ids)


def _matching(text: str, names: Iterable[str]) -> Iterator[str]:
    """`text` alone where it is a whole id, otherwise each that begins with it, once."""
    seen: dict[str, None] = {}
    for name in names:
        if name == text:
            yield name
            return
        if name.startswith(text):
            seen[name] = None
    yield from seen


def _only(text: str, kind: Thing, names: tuple[str, ...]) -> Found:
    if len(names) == 1:
        return Found(kind, names[0])
    more = ", …" if len(names) == _MOST else ""
    raise NotTraceable(
        f"{text!r} is the beginning of several ids: {', '.join(names)}{more}; give more of the one you mean",
        names,
    )


def _spans(text: str, readers: Readers) -> Iterator[str]:
    yield from readers.spans
    yield from (span_id(span.number) for record in readers.trainings for span in record.spans)


def _trainings(text: str, readers: Readers) -> Iterator[str]:
    return (record.run_id for record in readers.trainings)


def _releases(text: str, readers: Readers) -> Iterator[str]:
    yield readers.champion
    yield from (record.release_id or "" for record in readers.trainings)
    yield from (record.champion_release or "" for record in readers.trainings)
    yield from (run.release for run in _newest_runs(readers))
    if readers.store.find_events(release=text):
        yield text


def _runs(text: str, readers: Readers) -> Iterator[str]:
    if readers.store.run(text):
        yield text
    else:
        yield from (run.id for run in _newest_runs(readers))


def _events(text: str, readers: Readers) -> Iterator[str]:
    if readers.store.event(text):
        yield text
    else:
        yield from (event.id for event in _newest_events(readers))


def _commits(text: str, readers: Readers) -> Iterator[str]:
    yield from (record.commit for record in readers.trainings)
    for kind in (Kind.CODE, Kind.DATA):
        yield from filter(None, map(commit_of, _newest_events(readers, kind)))


def _windows(text: str, readers: Readers) -> Iterator[str]:
    for kind in (Kind.CONCEPT_DRIFT, Kind.DRIFT):
        windows = (of_window(stored.event.facts) for stored in _newest_events(readers, kind))
        yield from (window.id for window in windows if window)


def _rollouts(text: str, readers: Readers) -> Iterator[str]:
    return (rollout.id for rollout in readers.rollouts)


_FORMS: Sequence[tuple[Thing, str, Callable[[str, Readers], Iterator[str]]]] = (
    (Thing.SPAN, r"span-\d+", _spans),
    (Thing.TRAINING, r"span-\d.*", _trainings),
    (Thing.RELEASE, r"r-.*", _releases),
    (Thing.RUN, r"q-.*", _runs),
    (Thing.EVENT, r"e-.*", _events),
    (Thing.WINDOW, r"\d{4}-\d\d-\d\d.*", _windows),
    (Thing.ROLLOUT, r"\d{8}T\d{6}Z-r-.*", _rollouts),
    (Thing.COMMIT, r"[0-9a-f]{4,40}", _commits),
)


def _newest_runs(readers: Readers) -> Iterator[StoredRun]:
    before: int | None = None
    for _ in range(_PAGES):
        page = readers.store.runs(_PAGE, before)
        yield from page
        if len(page) < _PAGE:
            return
        before = page[-1].number


def _newest_events(readers: Readers, kind: Kind | None = None) -> Iterator[StoredEvent]:
    before: int | None = None
    for _ in range(_PAGES):
        page = readers.store.events(_PAGE, before, kind)
        yield from page
        if len(page) < _PAGE:
            return
        before = page[-1].number
