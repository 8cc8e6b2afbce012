"""What the policy is told, from what the store holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.samples.triggers_engine import CHAMPION, NOW, drift, event
from triggers.events import Event, Kind
from triggers.launchers.launcher import PROMOTED, Launched, Seen, State
from triggers.policy import BY_KIND, Action, Decision, Lane, Outcome, Situation
from triggers.records import Phase
from triggers.situation import Standing, reasons_of, situation_of
from triggers.store import changes, questions
from triggers.store.store import Store

STARTS = Decision(Action.RETRAIN, Outcome.STARTS, NOW, "because")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'triggers.sqlite'}", wall=lambda: NOW)
    yield made
    made.close()


def situation(store: Store, position: int = -1, champion: str = "") -> Situation:
    """For the event at this position among those committed."""
    stored = store.events(99)[::-1][position]
    with store.turn() as connection:
        standing, rule = Standing(connection, NOW, champion), BY_KIND[stored.event.kind]
        return situation_of(standing, stored, rule, standing.waiting(rule.lane))


def run_for(store: Store, events: Sequence[Event], *, lane: Lane = Lane.TRAIN) -> str:
    """A run that waits, with the events behind it."""
    store.accept(events)
    with store.turn() as connection:
        id = changes.run_asked_for(connection, lane, Action.RETRAIN, STARTS, NOW, NOW)
        for row in questions.undecided(connection, 99):
            changes.event_decided(connection, row.number, STARTS, NOW, id)
    return id


def choose(store: Store, id: str) -> None:
    run = store.run(id)
    assert run
    with store.turn() as connection:
        changes.run_chosen(connection, run, "file", "because", "me", NOW + 15)


def launch(store: Store, id: str, now: float) -> None:
    choose(store, id)
    run = store.run(id)
    assert run
    with store.turn() as connection:
        assert changes.run_launched(connection, run, "me", Launched("run"), NOW, now)


def end(store: Store, id: str, outcome: str, release: str, now: float) -> None:
    run = store.run(id)
    assert run
    seen = Seen(State.SUCCEEDED, outcome=outcome, release=release)
    with store.turn() as connection:
        assert changes.run_ended(connection, run, "me", Phase.SUCCEEDED, seen, NOW, now)


def test_nothing_is_known_of_an_empty_store(store: Store) -> None:
    store.accept([event()])
    assert situation(store) == Situation(NOW)


def test_an_event_that_is_only_recorded_needs_to_know_nothing(store: Store) -> None:
    choose(store, run_for(store, [event()]))
    store.accept([event(Kind.ALERT)])
    assert situation(store, champion=CHAMPION) == Situation(NOW)


def test_it_names_the_run_at_work_and_the_one_that_waits_in_the_lane(store: Store) -> None:
    at_work = run_for(store, [event()])
    choose(store, at_work)
    waiting, build = run_for(store, [event()]), run_for(store, [event(Kind.CODE)], lane=Lane.BUILD)
    store.accept([event(), event(Kind.CODE)])
    assert (situation(store, -2).active, situation(store, -2).waiting) == (at_work, waiting)
    assert (situation(store).active, situation(store).waiting) == (at_work, build)


def test_the_last_start_is_that_of_the_newest_run_with_such_a_reason(store: Store) -> None:
    for now, events in ((NOW - 90, [event(Kind.SCHEDULE), event()]), (NOW - 30, [event()])):
        id = run_for(store, events)
        launch(store, id, now)
        end(store, id, "unchanged", "", now)
    store.accept([event(Kind.SCHEDULE), event(), event(Kind.STORAGE)])
    assert [situation(store, position).last_start for position in (-3, -2, -1)] == [NOW - 90, NOW - 30, None]


def test_a_run_that_is_being_launched_starts_now(store: Store) -> None:
    choose(store, run_for(store, [event(Kind.STORAGE)]))
    store.accept([event(Kind.STORAGE)])
    assert situation(store).last_start == NOW


def test_a_run_that_waits_or_was_dropped_has_not_started(store: Store) -> None:
    dropped = store.run(run_for(store, [event(Kind.STORAGE)]))
    assert dropped
    with store.turn() as connection:
        changes.run_dropped(connection, dropped, "because", NOW, NOW)
    run_for(store, [event(Kind.STORAGE)])
    store.accept([event(Kind.STORAGE)])
    assert situation(store).last_start is None


def test_the_last_promotion_is_told_by_the_services_clock(store: Store) -> None:
    for outcome, now in ((PROMOTED, 100.0), (PROMOTED, 200.0), ("refused", 300.0)):
        id = run_for(store, [event()])
        launch(store, id, now)
        end(store, id, outcome, "r-1", now)
    store.accept([event()])
    assert situation(store).last_promotion == 200.0


@pytest.mark.parametrize(
    ("kind", "phase", "last_start"),
    [
        (Kind.DRIFT, Phase.SUCCEEDED, NOW - 60),
        (Kind.DRIFT, Phase.FAILED, None),
        (Kind.CONCEPT_DRIFT, Phase.CANCELED, None),
        (Kind.STORAGE, Phase.FAILED, NOW - 60),
        (Kind.SCHEDULE, Phase.CANCELED, NOW - 60),
    ],
)
def test_a_run_for_a_verdict_that_came_to_nothing_costs_no_cool_down(
    store: Store, kind: Kind, phase: Phase, last_start: float | None
) -> None:
    launch(store, id := run_for(store, [event(kind)]), NOW - 60)
    run = store.run(id)
    assert run
    with store.turn() as connection:
        assert changes.run_ended(connection, run, "me", phase, Seen(State.FAILED), NOW, NOW)
    store.accept([event(kind)])
    assert situation(store).last_start == last_start


def test_nothing_began_or_was_promoted_later_than_now_whatever_a_clock_said(store: Store) -> None:
    launch(store, id := run_for(store, [event()]), NOW + 500)
    end(store, id, PROMOTED, "r-1", NOW + 900)
    store.accept([event()])
    assert (situation(store).last_start, situation(store).last_promotion) == (NOW, NOW)


def test_the_launcher_knows_the_champion_better_than_the_store(store: Store) -> None:
    for release in ("r-1", "r-2"):
        id = run_for(store, [event()])
        launch(store, id, NOW)
        end(store, id, PROMOTED, release, NOW)
    store.accept([event()])
    assert situation(store).champion == "r-2"
    assert situation(store, champion="r-3").champion == "r-3"


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        ([], (True,)),
        ([(True, {}), (False, {})], (True, False, True)),
        ([(True, {}), (True, {}), (False, {}), (False, {})], (False, False, True)),
        ([(True, {"release": "r-other"})], (True,)),
        ([(True, {"subject": "boats"})], (True,)),
        ([(True, {"kind": Kind.CONCEPT_DRIFT})], (True,)),
        ([(False, {"data_time": 900.0})], (True,)),
        ([(True, {"data_time": 20.0}), (False, {"data_time": 10.0})], (False, True, True)),
        ([(False, {"data_time": 100.0}), (True, {"data_time": 100.0})], (False, True, True)),
    ],
)
def test_verdicts_are_the_newest_of_the_same_thing_up_to_this_one(
    store: Store, earlier: list[tuple[bool, dict[str, object]]], expected: tuple[bool, ...]
) -> None:
    """Rows of the table are verdicts that came before this one, which is about the data until 100."""
    for number, (is_drift, changed) in enumerate(earlier):
        store.accept([drift(is_drift, **{"data_time": float(number), **changed})])  # type: ignore[arg-type]
    store.accept([drift(data_time=100.0)])
    assert situation(store).verdicts == expected


def test_what_comes_later_does_not_count_for_an_event_that_is_decided_late(store: Store) -> None:
    store.accept([drift(data_time=1.0), drift(False, data_time=2.0)])
    assert situation(store, 0).verdicts == (True,)


def test_a_verdict_without_a_time_of_data_counts_from_when_it_came(store: Store) -> None:
    store.accept([drift(False, data_time=NOW - 1), drift(data_time=None)])
    assert situation(store).verdicts == (False, True)


def test_the_reasons_of_a_run_say_what_the_newest_verdict_is(store: Store) -> None:
    id = run_for(store, [drift(data_time=1.0), event(), drift(release="r-2", data_time=1.0)])
    store.accept([drift(False, data_time=2.0), drift(True, data_time=0.0)])
    run = store.run(id)
    assert run
    with store.turn() as connection:
        reasons = reasons_of(connection, run)
    assert [(reason.kind, reason.verdict) for reason in reasons] == [
        (Kind.DRIFT, False),
        (Kind.PERSON, None),
        (Kind.DRIFT, True),
    ]


def test_a_reason_that_was_given_often_is_one_reason(store: Store) -> None:
    id = run_for(store, [drift(data_time=float(hour)) for hour in range(9)] + [event(), event()])
    run = store.run(id)
    assert run
    newest = [stored.id for stored in store.events(11)]
    with store.turn() as connection:
        reasons = reasons_of(connection, run)
    assert [reason.event for reason in reasons] == [newest[2], newest[0]]


def test_a_reason_is_due_when_the_first_of_its_events_was(store: Store) -> None:
    store.accept([event(), event()])
    with store.turn() as connection:
        id = changes.run_asked_for(connection, Lane.TRAIN, Action.RETRAIN, STARTS, NOW, NOW)
        for number, moment in ((1, NOW + 5), (2, NOW + 9)):
            changes.event_decided(connection, number, replace(STARTS, due=moment + 60), moment, id)
    run = store.run(id)
    assert run
    with store.turn() as connection:
        (reason,) = reasons_of(connection, run)
    assert (reason.due, reason.decided) == (NOW + 65, NOW + 5)


def test_a_drift_fact_that_is_not_exactly_true_is_no_drift(store: Store) -> None:
    store.accept(
        [replace(drift(data_time=1.0), facts={"is_drift": 1, "release": CHAMPION}), drift(data_time=2.0)]
    )
    assert situation(store).verdicts == (False, True)
