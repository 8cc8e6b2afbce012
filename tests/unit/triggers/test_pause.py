"""Paused, the service takes and decides everything and starts nothing; resumed, what waits is judged again and starts.

The tests of PostgreSQL run the same claims; they only give another `url`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.samples.triggers_engine import NOW, FileLauncher, Wall, drift, event, make_engine
from triggers.deciding import decide_some
from triggers.engine_parts import Timing
from triggers.errors import LaunchLater
from triggers.events import Event, Kind
from triggers.launchers.launcher import PROMOTED, Seen, State
from triggers.pause import Pause
from triggers.policy import DAY
from triggers.records import Phase
from triggers.store.store import Store

REASON = "the cluster is being upgraded"
SINCE = "2023-11-14 22:13:20 UTC"  # NOW
PAUSED = f"paused by ada since {SINCE}: {REASON}"


def pause(delivery: str = "", reason: str = REASON) -> Event:
    return event(Kind.PAUSE, delivery, who="ada", reason=reason)


def resume(delivery: str = "") -> Event:
    return event(Kind.RESUME, delivery, who="bob", reason="it is upgraded")


def stands(store: Store) -> list[tuple[Phase, str]]:
    """Where each run stands and what it says, the oldest first."""
    return [(run.phase, run.note) for run in store.runs(99)[::-1]]


def phases(store: Store) -> list[Phase]:
    return [phase for phase, _ in stands(store)]


def test_what_comes_during_a_pause_is_decided_and_its_run_waits_and_says_why(
    store: Store, launcher: FileLauncher, wall: Wall
) -> None:
    engine = make_engine(store, launcher, wall)
    store.accept([pause()])
    engine.step()
    (wish,) = store.accept([event()])
    engine.step()
    wall.forward(DAY)
    engine.step()
    assert stands(store) == [(Phase.WAITING, PAUSED)]
    assert launcher.submitted() == []
    decided = store.event(wish.id)
    assert decided is not None
    assert (decided.outcome, decided.reason) == ("asks for a run", f"somebody asked for it; {PAUSED}")


def test_a_resume_starts_what_waits_without_waiting_for_the_next_look(
    store: Store, launcher: FileLauncher, wall: Wall
) -> None:
    engine = make_engine(store, launcher, wall, elapsed=Wall(0.0))
    store.accept([pause(), event()])
    assert engine.step() == pytest.approx(Timing().recheck_s)
    store.accept([resume()])
    engine.step()
    assert stands(store) == [(Phase.RUNNING, "")]


def test_an_engine_that_did_not_decide_the_resume_starts_what_waits_at_its_next_look(
    store: Store, launcher: FileLauncher, wall: Wall
) -> None:
    elapsed = Wall(0.0)
    engine = make_engine(store, launcher, wall, elapsed=elapsed)
    store.accept([pause(), event()])
    engine.step()
    store.accept([resume()])
    decide_some(make_engine(store, launcher, wall)._parts)
    engine.step()
    assert phases(store) == [Phase.WAITING]
    elapsed.forward(Timing().recheck_s)
    engine.step()
    assert phases(store) == [Phase.RUNNING]


def test_what_waits_already_says_at_once_that_it_is_paused_and_the_run_at_work_goes_on_to_its_end(
    store: Store, launcher: FileLauncher, wall: Wall
) -> None:
    elapsed = Wall(0.0)
    engine = make_engine(store, launcher, wall, elapsed=elapsed)
    store.accept([event()])
    engine.step()
    store.accept([event()])
    engine.step()
    store.accept([pause()])
    engine.step()
    assert stands(store) == [(Phase.RUNNING, ""), (Phase.WAITING, PAUSED)]

    launcher.seen = Seen(State.SUCCEEDED, outcome=PROMOTED)
    elapsed.forward(Timing().poll_s)
    engine.step()
    assert phases(store) == [Phase.SUCCEEDED, Phase.WAITING]

    launcher.seen = Seen(State.ACTIVE)
    store.accept([resume()])
    engine.step()
    assert phases(store) == [Phase.SUCCEEDED, Phase.RUNNING]


def test_a_run_that_is_being_launched_goes_on(store: Store, launcher: FileLauncher, wall: Wall) -> None:
    engine = make_engine(store, launcher, wall)
    launcher.trouble = LaunchLater("nobody answers")
    store.accept([event()])
    engine.step()
    assert phases(store) == [Phase.LAUNCHING]
    store.accept([pause()])
    launcher.trouble = None
    wall.forward(DAY)
    engine.step()
    assert phases(store) == [Phase.RUNNING]


class PausedMeanwhile(FileLauncher):
    """Somebody pauses while it is asked whether there is new data: between the look at what is due and the turn that claims."""

    def __init__(self, folder: Path, store: Store) -> None:
        super().__init__(folder)
        self.store = store

    def new_data(self) -> bool | None:
        self.store.accept([pause("meanwhile")])
        return True


def test_a_pause_that_was_acknowledged_just_before_a_run_would_be_claimed_counts(
    store: Store, tmp_path: Path, wall: Wall
) -> None:
    launcher = PausedMeanwhile(tmp_path, store)
    engine = make_engine(store, launcher, wall)
    store.accept([event()])
    engine.step()
    assert phases(store) == [Phase.WAITING]
    assert launcher.submitted() == []


def test_what_lapsed_during_a_pause_is_dropped_when_it_is_over(
    store: Store, launcher: FileLauncher, wall: Wall
) -> None:
    engine = make_engine(store, launcher, wall)
    store.accept([pause(), drift(kind=Kind.CONCEPT_DRIFT, data_time=NOW)])
    engine.step()
    store.accept([drift(False, kind=Kind.CONCEPT_DRIFT, data_time=NOW + DAY)])
    engine.step()
    assert stands(store) == [(Phase.WAITING, PAUSED)]
    store.accept([resume()])
    engine.step()
    assert stands(store) == [(Phase.DROPPED, "the newest verdict is that nothing drifts any more")]


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        ([], None),
        ([resume()], None),
        ([pause()], REASON),
        ([pause(), resume()], None),
        ([resume(), pause()], REASON),
        ([pause(), pause(reason="it takes longer")], "it takes longer"),
        ([pause(), pause(), resume()], None),
        ([pause("twice"), resume(), pause("twice")], None),
    ],
)
def test_the_newest_wish_counts_and_one_that_is_sent_again_does_not(
    store: Store, wishes: list[Event], reason: str | None
) -> None:
    for wish in wishes:
        store.accept([wish])
    found = store.pause()
    assert (found and found.reason) == reason
    assert store.depth().paused is (reason is not None)


def test_a_pause_counts_before_it_is_decided_and_then_since_when(
    store: Store, launcher: FileLauncher, wall: Wall
) -> None:
    (accepted,) = store.accept([pause()])
    undecided = store.pause()
    assert undecided == Pause(accepted.id, "ada", REASON, None)
    assert undecided.sentence == f"paused by ada: {REASON}"
    make_engine(store, launcher, wall).step()
    decided = store.pause()
    assert decided == Pause(accepted.id, "ada", REASON, NOW)
    assert decided.sentence == PAUSED


def test_the_newest_wishes_are_never_forgotten(store: Store, launcher: FileLauncher, wall: Wall) -> None:
    engine = make_engine(store, launcher, wall)
    _, newest = store.accept([pause(), pause()])
    engine.step()
    wall.forward(500 * DAY)
    engine.step()
    assert [found.id for found in store.events(9)] == [newest.id]
    assert store.pause() is not None

    _, end = store.accept([resume(), resume()])
    engine.step()
    wall.forward(500 * DAY)
    engine.step()
    assert [found.id for found in store.events(9)] == [end.id, newest.id]
    assert store.pause() is None
