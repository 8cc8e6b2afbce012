"""The store: nothing acknowledged before it is kept, duplicates counted, turns one at a time, and failures that pass.

The tests of PostgreSQL run the same claims; they only give another `url`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from tests.samples.triggers_engine import NOW, drift, event
from triggers.errors import StoreFailed
from triggers.events import Event, Kind
from triggers.launchers.launcher import Launched, Seen, State
from triggers.policy import Action, Decision, Lane, Outcome
from triggers.records import Accepted, Depth, Phase
from triggers.store import changes, questions, retention
from triggers.store.group_commit import GroupCommit
from triggers.store.rows import LONGEST_NAME
from triggers.store.schema import VERSION_NAME, about
from triggers.store.store import Store

STARTS = Decision(Action.RETRAIN, Outcome.STARTS, NOW, "because")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    made = Store(url, wall=lambda: NOW)
    yield made
    made.close()


def ask_for_run(store: Store, lane: Lane = Lane.TRAIN) -> str:
    with store.turn() as connection:
        return changes.run_asked_for(connection, lane, Action.RETRAIN, STARTS, NOW, NOW)


def choose(store: Store, id: str) -> None:
    run = store.run(id)
    assert run
    with store.turn() as connection:
        changes.run_chosen(connection, run, "file", "because", "me", NOW + 15)


def test_an_event_comes_back_as_it_went_in(store: Store) -> None:
    given = replace(
        event(Kind.STORAGE, "bucket/key/1", data_time=NOW - 60, request_id="puid-1"),
        occurred=NOW - 5.5,
        facts={"objects": ["s3://b/k"], "size": 3, "deep": {"none": None, "yes": True}, "text": "Ärger"},
    )
    (accepted,) = store.accept([given])
    stored = store.event(accepted.id)
    assert stored is not None
    assert stored.event == given
    assert (stored.received, stored.deliveries, stored.outcome, stored.run) == (NOW, 1, "", "")


def test_what_was_accepted_is_there_for_another_reader_at_once(store: Store, url: str) -> None:
    (accepted,) = store.accept([event()])
    other = Store(url, read_only=True)
    found = other.event(accepted.id)
    other.close()
    assert found


def test_a_second_delivery_adds_to_the_first(store: Store) -> None:
    given = event(delivery="twice")
    (first,) = store.accept([given])
    (second,) = store.accept([given])
    assert (first.duplicate, second.duplicate) == (False, True)
    assert second.id == first.id
    assert [stored.deliveries for stored in store.events(10)] == [2]


def test_the_same_delivery_twice_in_one_call_is_one_event(store: Store) -> None:
    given = event(delivery="twice")
    answers = store.accept([given, event(), given])
    assert [answer.duplicate for answer in answers] == [False, False, True]
    assert answers[2].id == answers[0].id


def test_two_sources_may_use_the_same_delivery_id(store: Store) -> None:
    answers = store.accept([event(Kind.PERSON, "one"), event(Kind.ALERT, "one")])
    assert not any(answer.duplicate for answer in answers)


def test_nothing_is_accepted_where_nothing_is_given(store: Store) -> None:
    assert store.accept([]) == []


@pytest.mark.parametrize(
    "text", ["a zero \0 inside", "half a character \ud83d", "x" * 10_000, "\N{BICYCLE}" * 5_000]
)
def test_any_text_that_a_sender_writes_is_kept(store: Store, text: str) -> None:
    given = Event(
        event().source, text, Kind.DRIFT, text, text, request_id=text, facts={"release": text, "deep": [text]}
    )
    (first,) = store.accept([given])
    (second,) = store.accept([given])
    stored = store.event(first.id)
    assert stored and second.duplicate
    assert stored.event.facts == given.facts
    assert len(stored.event.delivery) <= LONGEST_NAME
    assert [found.id for found in store.find_events(release=text)] == [first.id]
    assert [found.id for found in store.find_events(request_id=text)] == [first.id]


def test_long_deliveries_that_differ_at_the_end_are_two_events(store: Store) -> None:
    answers = store.accept([event(delivery="x" * 10_000 + end) for end in "ab"])
    assert not any(answer.duplicate for answer in answers)


@pytest.mark.parametrize("time", [float("nan"), float("inf")])
def test_a_time_that_is_no_number_is_no_time(store: Store, time: float) -> None:
    (accepted,) = store.accept([event(data_time=time)])
    stored = store.event(accepted.id)
    assert stored and stored.event.data_time is None


def test_pages_go_from_the_newest_to_the_oldest(store: Store) -> None:
    ids = [answer.id for answer in store.accept([event() for _ in range(5)])]
    newest = store.events(2)
    rest = store.events(10, before=newest[-1].number)
    assert [stored.id for stored in (*newest, *rest)] == ids[::-1]


def test_events_are_found_by_kind_run_request_and_release(store: Store) -> None:
    alert, drifted, asked = store.accept(
        [event(Kind.ALERT), drift(release="r-1"), event(request_id="puid-9")]
    )
    run = ask_for_run(store)
    with store.turn() as connection:
        number = store.events(1)[0].number
        changes.event_decided(connection, number, STARTS, NOW, run)
    assert [found.id for found in store.events(9, kind=Kind.ALERT)] == [alert.id]
    assert [found.id for found in store.events(9, run=run)] == [asked.id]
    assert [found.id for found in store.find_events(request_id="puid-9")] == [asked.id]
    assert [found.id for found in store.find_events(release="r-1")] == [drifted.id]
    assert store.find_events() == []


def test_what_nobody_has_heard_of_is_not_found(store: Store) -> None:
    assert store.event("e-nothing") is None
    assert store.run("q-nothing") is None


def test_the_series_of_verdicts_holds_the_newest_in_their_order(store: Store) -> None:
    ids = [
        answer.id
        for answer in store.accept([drift(), event(Kind.ALERT), drift(False), drift(kind=Kind.CONCEPT_DRIFT)])
    ]
    assert [stored.id for stored in store.drift_series(2)] == ids[2:]


def test_the_depth_counts_what_waits(store: Store) -> None:
    assert store.depth() == Depth(0, None, 0, None, 0)
    store.accept([event(), event()])
    ask_for_run(store, Lane.BUILD)
    choose(store, ask_for_run(store))
    assert store.depth() == Depth(2, NOW, 1, NOW, 1)


def test_the_depth_says_since_when_a_run_is_at_work(store: Store) -> None:
    choose(store, id := ask_for_run(store))
    run = store.run(id)
    assert run
    with store.turn() as connection:
        assert changes.run_launched(connection, run, "me", Launched("run"), NOW - 7, NOW)
    assert store.depth() == Depth(0, None, 0, None, 1, NOW - 7)


@pytest.mark.parametrize(("outcome", "promoted"), [("promoted", NOW - 3), ("refused", None)])
def test_the_depth_says_when_a_release_was_promoted_last(
    store: Store, outcome: str, promoted: float | None
) -> None:
    choose(store, id := ask_for_run(store))
    run = store.run(id)
    assert run
    seen = Seen(State.SUCCEEDED, outcome=outcome)
    with store.turn() as connection:
        assert changes.run_ended(connection, run, "me", Phase.SUCCEEDED, seen, NOW - 3, NOW)
    assert store.depth().promoted_last == promoted


def test_the_newest_time_of_data_is_known_up_to_a_limit(store: Store) -> None:
    assert store.newest_data_time(NOW) == 0.0
    store.accept([event(data_time=time) for time in (5.0, 9.0, 7.0, NOW * 1000)])
    assert store.newest_data_time(NOW) == 9.0


def test_the_database_refuses_a_second_run_at_work(store: Store) -> None:
    choose(store, ask_for_run(store))
    second = ask_for_run(store)
    with pytest.raises(StoreFailed) as failure:
        choose(store, second)
    assert isinstance(failure.value.__cause__, IntegrityError)


def test_the_database_refuses_a_second_run_that_waits_in_a_lane(store: Store) -> None:
    ask_for_run(store)
    ask_for_run(store, Lane.BUILD)
    with pytest.raises(StoreFailed) as failure:
        ask_for_run(store)
    assert isinstance(failure.value.__cause__, IntegrityError)


def test_an_event_cannot_name_a_run_that_is_not_there(store: Store) -> None:
    store.accept([event()])
    with pytest.raises(StoreFailed), store.turn() as connection:
        changes.event_decided(connection, store.events(1)[0].number, STARTS, NOW, "q-nothing")


def test_a_turn_that_fails_changes_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.turn() as connection:
        changes.run_asked_for(connection, Lane.TRAIN, Action.RETRAIN, STARTS, NOW, NOW)
        raise ZeroDivisionError
    assert store.runs(9) == []


def test_a_claim_counts_until_its_time_is_over(store: Store) -> None:
    choose(store, id := ask_for_run(store))
    with store.turn() as connection:
        assert changes.claim_taken(connection, id, "me", NOW, NOW + 15)
        assert not changes.claim_taken(connection, id, "other", NOW + 14, NOW + 29)
        assert changes.claim_taken(connection, id, "other", NOW + 15, NOW + 30)
        assert not changes.claim_taken(connection, id, "me", NOW + 16, NOW + 31)


def test_a_claim_that_no_clock_of_today_can_have_made_counts_no_more(store: Store) -> None:
    choose(store, id := ask_for_run(store))
    with store.turn() as connection:
        assert changes.claim_taken(connection, id, "me", NOW, NOW + 15)
        assert not changes.claim_taken(connection, id, "other", NOW - 15, NOW)
        assert changes.claim_taken(connection, id, "other", NOW - 16, NOW - 1)


def test_a_database_starts_the_runs_of_one_workspace_only(store: Store, url: str) -> None:
    store.bind_to("ada:/work")
    store.bind_to("ada:/work")
    other = Store(url)
    with pytest.raises(StoreFailed, match="by the workspace ada:/work, and this is bob:/work"):
        other.bind_to("bob:/work")
    other.bind_to("ada:/work")
    other.close()


def test_what_asked_for_a_run_that_failed_before_is_never_forgotten(store: Store) -> None:
    """It was delivered again, and has led to nothing since."""
    store.accept([event(delivery="twice")])
    choose(store, id := ask_for_run(store))
    run = store.run(id)
    assert run
    with store.turn() as connection:
        changes.event_decided(connection, 1, STARTS, NOW, id)
        assert changes.run_ended(connection, run, "me", Phase.FAILED, Seen(State.FAILED), NOW, NOW)
    store.accept([event(delivery="twice")])
    assert store.depth().undecided == 1
    with store.turn() as connection:
        recorded = Decision(Action.RECORD, Outcome.RECORDED, NOW, "because")
        changes.event_decided(connection, 1, recorded, NOW, None)
        assert retention.events_to_forget(connection, NOW + 1, 9) == []


def test_two_stores_take_turns(store: Store, url: str) -> None:
    """Each adds one to what it reads; lost updates would show."""
    other = Store(url)

    def add(one: Store) -> None:
        for _ in range(20):
            with one.turn() as connection:
                waiting = questions.waiting_in(connection, Lane.TRAIN)
                assert waiting
                changes.run_noted(connection, waiting, str(int(waiting.note) + 1))

    with store.turn() as connection:
        start = replace(STARTS, note="0")
        id = changes.run_asked_for(connection, Lane.TRAIN, Action.RETRAIN, start, NOW, NOW)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(add, one) for one in (store, other, store, other)]:
            done.result()
    other.close()
    run = store.run(id)
    assert run and run.note == "80"


def test_many_callers_at_once_get_each_its_own_answer(store: Store, url: str) -> None:
    """Two processes' worth of callers, half of whose deliveries are the same."""
    other = Store(url)
    given = [event(delivery=f"{number % 100}") for number in range(200)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda item: (store, other)[item[0] % 2].accept([item[1]])[0], enumerate(given))
        )
    other.close()
    stored = {found.id: found for found in store.events(1000)}
    assert len(stored) == 100
    assert sum(answer.duplicate for answer in answers) == 100
    assert all(stored[answer.id].event.delivery == asked.delivery for answer, asked in zip(answers, given))
    assert {found.deliveries for found in stored.values()} == {2}


def test_opening_twice_at_once_makes_the_tables_once(url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: Store(url), range(8)))
    assert stores[0].depth() == Depth(0, None, 0, None, 0)
    for one in stores:
        one.close()


def test_tables_of_another_version_are_refused(store: Store, url: str) -> None:
    with store.turn() as connection:
        connection.execute(update(about).where(about.c.name == VERSION_NAME).values(value="7"))
    with pytest.raises(StoreFailed, match="version 7"):
        Store(url)


def test_a_store_for_reading_changes_nothing(store: Store, url: str) -> None:
    store.accept([event()])
    reader = Store(url, read_only=True)
    with pytest.raises(StoreFailed):
        reader.accept([event()])
    assert len(reader.events(9)) == 1
    reader.close()


def test_after_closing_nothing_is_accepted(url: str) -> None:
    store = Store(url)
    store.accept([event()])
    store.close()
    with pytest.raises(StoreFailed, match="stopping"):
        store.accept([event()])


class Gate:
    """Writes as the store would; holds the first call back until it is opened, and fails for those that the test names."""

    def __init__(self, fails: Callable[[Sequence[Event]], Exception | None]) -> None:
        self.fails = fails
        self.groups: list[int] = []
        self.open = threading.Event()
        self.entered = threading.Event()

    def __call__(self, events: Sequence[Event]) -> list[Accepted]:
        self.groups.append(len(events))
        self.entered.set()
        assert self.open.wait(20)
        if failure := self.fails(events):
            raise failure
        return [Accepted(f"e-{one.delivery}", False) for one in events]


def accept_together(gate: Gate, deliveries: Sequence[str]) -> list[str]:
    """The answer to a first caller, and then to those who came while it was written, or what they were told."""
    commit = GroupCommit(gate)

    def call(delivery: str) -> str:
        try:
            return commit.accept([event(delivery=delivery)])[0].id
        except StoreFailed as error:
            return str(error)

    with ThreadPoolExecutor(len(deliveries)) as pool:
        first = pool.submit(call, deliveries[0])
        assert gate.entered.wait(20)
        rest = [pool.submit(call, delivery) for delivery in deliveries[1:]]
        while len(commit._waiting) < len(rest):
            pass
        gate.open.set()
        answers = [future.result(20) for future in (first, *rest)]
    commit.close()
    return answers


def test_callers_who_come_while_one_is_written_share_a_commit() -> None:
    gate = Gate(lambda _: None)
    assert accept_together(gate, "abcdef") == [f"e-{name}" for name in "abcdef"]
    assert gate.groups == [1, 5]


def test_one_that_cannot_be_kept_does_not_fail_its_neighbours() -> None:
    bad = ValueError("what is that?")
    gate = Gate(lambda events: bad if any(one.delivery == "c" for one in events) else None)
    answers = accept_together(gate, "abcd")
    assert [answers[0], answers[1], answers[3]] == ["e-a", "e-b", "e-d"]
    assert "what is that?" in answers[2]
    assert gate.groups == [1, 3, 1, 1, 1]
