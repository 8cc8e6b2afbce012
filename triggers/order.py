"""What a launcher is asked to do for a run, from the events behind it."""

from __future__ import annotations

from collections.abc import Sequence

from triggers.events import COMMIT, OBJECTS, Event, Kind
from triggers.launchers.launcher import Order
from triggers.policy import Action
from triggers.records import StoredRun

MOST_REASONS = 20


def order_of(run: StoredRun, events: Sequence[Event], left: Sequence[Event], pipeline: str) -> Order:
    """The order for a run.

    Args:
        run: what is started.
        events: those that asked for it or joined it, in the order in which they came.
        left: uploads before it that no run has taken in, because theirs failed; a run that takes in does it for them too.
        pipeline: the name of the pipeline.
    """
    uploads = (*left, *events) if run.action is Action.TAKE_IN else events
    return Order(
        key=run.id,
        action=run.action,
        pipeline=pipeline,
        reasons=_reasons(events),
        objects=_objects(uploads),
        commit=_commit(events),
    )


def _reasons(events: Sequence[Event]) -> tuple[str, ...]:
    said = tuple(event.summary for event in events)
    left_out = len(said) - MOST_REASONS
    return (*said[:MOST_REASONS], f"and {left_out} more") if left_out > 0 else said


def _objects(events: Sequence[Event]) -> tuple[str, ...]:
    """Every object that was uploaded, once."""
    named = (event.facts.get(OBJECTS) for event in events if event.kind is Kind.STORAGE)
    return tuple(dict.fromkeys(str(item) for items in named if isinstance(items, list) for item in items))


def _commit(events: Sequence[Event]) -> str:
    """The commit of the newest push that names one: by when it happened, or where one does not say that by when they came."""
    pushes = [event for event in events if event.kind in (Kind.CODE, Kind.DATA) and _names_commit(event)]
    if all(push.occurred is not None for push in pushes):
        pushes.sort(key=lambda push: push.occurred or 0.0)
    return str(pushes[-1].facts[COMMIT]) if pushes else ""


def _names_commit(event: Event) -> bool:
    commit = event.facts.get(COMMIT)
    return isinstance(commit, str) and commit != ""
