"""The engine over a real store: what events lead to, one run at a time, and what happens when launchers fail.

The tests of PostgreSQL run the same claims; they only give another `url`.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.samples.triggers_engine import (
    CHAMPION,
    NOW,
    Counted,
    FileLauncher,
    Wall,
    drift,
    event,
    make_engine,
    push,
    upload,
)
from triggers import at_work
from triggers.engine import Engine
from triggers.engine_parts import Timing
from triggers.errors import LaunchLater, LaunchStopped
from triggers.events import Event, Kind
from triggers.launchers.launcher import CHALLENGER, PROMOTED, Launched, Order, Seen, State
from triggers.policy import BY_KIND, DAY, HOUR, Action, Lane, Outcome, Rule
from triggers.records import Phase, StoredEvent, StoredRun
from triggers.retries import MENDED, RETRIES, Retries
from triggers.store import changes, questions
from triggers.store.store import Store

ENDED_WELL = Seen(State.SUCCEEDED, outcome=PROMOTED, release="r-new", facts={"rmse": 52.3})


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def engine(store: Store, launcher: FileLauncher, wall: Wall, counted: Counted) -> Engine:
    return make_engine(store, launcher, wall, observe=counted)


def accept(store: Store, *events: Event) -> list[str]:
    return [answer.id for answer in store.accept(events)]


def stored(store: Store, id: str) -> StoredEvent:
    found = store.event(id)
    assert found
    return found


def only_run(store: Store) -> StoredRun:
    (run,) = store.runs(9)
    return run


def phases(store: Store) -> list[Phase]:
    """Of all runs, the oldest first."""
    return [run.phase for run in store.runs(99)[::-1]]


def test_somebodys_wish_becomes_a_run_that_is_followed_to_its_end(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall, counted: Counted
) -> None:
    (id,) = accept(store, event())
    wall.forward(2)
    engine.step()
    run = only_run(store)
    assert (run.phase, run.launched_id, run.url) == (
        Phase.RUNNING,
        f"run-of-{run.id}",
        f"http://runs/{run.id}",
    )
    assert (run.launcher, run.attempts, run.started, run.started_now) == ("file", 1, NOW + 2, NOW + 2)
    decided = stored(store, id)
    assert (decided.action, decided.outcome, decided.run) == (Action.RETRAIN, "asks for a run", run.id)

    launcher.seen = ENDED_WELL
    wall.forward(60)
    engine.step()
    run = only_run(store)
    assert (run.phase, run.outcome, run.release) == (Phase.SUCCEEDED, PROMOTED, "r-new")
    assert (run.finished, run.facts) == (NOW + 62, {"rmse": 52.3})
    assert counted.calls == [
        ("decided", Kind.PERSON, Action.RETRAIN, Outcome.STARTS),
        ("started", 2.0),
        ("finished", PROMOTED, 60.0),
        ("promoted", 62.0),
    ]


@pytest.mark.parametrize(
    ("seen", "phase", "outcome"),
    [
        (Seen(State.SUCCEEDED, outcome=CHALLENGER, note="it waits"), Phase.SUCCEEDED, CHALLENGER),
        (Seen(State.FAILED, outcome="data refused", note="row 7"), Phase.FAILED, "data refused"),
        (Seen(State.FAILED, note="no memory"), Phase.FAILED, ""),
        (Seen(State.CANCELED, note="by Ann"), Phase.CANCELED, ""),
    ],
)
def test_a_run_ends_as_its_launcher_says(
    store: Store, engine: Engine, launcher: FileLauncher, seen: Seen, phase: Phase, outcome: str
) -> None:
    launcher.seen = seen
    accept(store, event())
    engine.step()
    run = only_run(store)
    assert (run.phase, run.outcome, run.note) == (phase, outcome, seen.note)


def test_what_a_run_does_is_noted_while_it_is_at_work(
    store: Store, engine: Engine, launcher: FileLauncher
) -> None:
    launcher.seen = Seen(State.ACTIVE, step="trains", facts={"until_span": 4})
    accept(store, event())
    engine.step()
    assert (only_run(store).note, only_run(store).facts) == ("trains", {"until_span": 4})


def test_an_event_that_is_only_recorded_starts_nothing(
    store: Store, engine: Engine, counted: Counted
) -> None:
    (id,) = accept(store, event(Kind.ALERT))
    engine.step()
    assert store.runs(9) == []
    assert (stored(store, id).action, stored(store, id).run) == (Action.RECORD, "")
    assert counted.calls == [("decided", Kind.ALERT, Action.RECORD, Outcome.RECORDED)]


def test_a_second_delivery_starts_nothing(store: Store, engine: Engine, launcher: FileLauncher) -> None:
    launcher.seen = ENDED_WELL
    wish = event(delivery="twice")
    accept(store, wish)
    engine.step()
    accept(store, wish)
    engine.step()
    assert len(launcher.submitted()) == 1


def test_events_are_decided_in_the_order_in_which_they_were_committed(
    store: Store, engine: Engine, counted: Counted
) -> None:
    accept(store, *(event(kind) for kind in (Kind.PERSON, Kind.ALERT, Kind.STORAGE) * 20))
    engine.step()
    assert [call[0] for call in counted.named("decided")] == [Kind.PERSON, Kind.ALERT, Kind.STORAGE] * 20
    assert store.depth().undecided == 0


def test_events_of_one_lane_that_come_together_are_one_run(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    accept(store, upload("s3://b/1.csv"), push("abc", Kind.DATA), upload("s3://b/2.csv", "s3://b/1.csv"))
    engine.step()
    wall.forward(60)
    engine.step()
    (order,) = launcher.orders
    assert order.action is Action.TAKE_IN
    assert order.objects == ("s3://b/1.csv", "s3://b/2.csv")
    assert (order.commit, order.pipeline, order.key) == ("abc", "bikes", only_run(store).id)
    assert len(order.reasons) == 3


def test_one_run_is_at_work_and_the_other_lane_waits_for_it(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    accept(store, event(), push("abc"))
    engine.step()
    wall.forward(60)
    engine.step()
    assert phases(store) == [Phase.RUNNING, Phase.WAITING]
    launcher.seen = ENDED_WELL
    wall.forward(60)
    engine.step()
    assert phases(store) == [Phase.SUCCEEDED, Phase.SUCCEEDED]
    assert [order.action for order in launcher.orders] == [Action.RETRAIN, Action.REBUILD]


def test_what_comes_while_a_run_is_at_work_is_remembered_and_runs_after_it(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    accept(store, event())
    engine.step()
    first = only_run(store).id
    (second,) = accept(store, event())
    engine.step()
    assert phases(store) == [Phase.RUNNING, Phase.WAITING]
    assert f"run {first} is at work" in stored(store, second).reason
    launcher.seen = ENDED_WELL
    wall.forward(60)
    engine.step()
    assert phases(store) == [Phase.SUCCEEDED, Phase.SUCCEEDED]
    assert len(set(launcher.submitted())) == 2


def test_a_run_settles_before_it_starts(store: Store, engine: Engine, wall: Wall) -> None:
    accept(store, upload("s3://b/1"))
    wait_s = engine.step()
    assert phases(store) == [Phase.WAITING]
    assert wait_s == pytest.approx(Timing().recheck_s)
    wall.forward(59.5)
    assert engine.step() == pytest.approx(0.5)
    wall.forward(0.5)
    engine.step()
    assert phases(store) == [Phase.RUNNING]


def test_a_person_brings_a_waiting_run_forward(store: Store, engine: Engine, wall: Wall) -> None:
    accept(store, upload("s3://b/1"))
    engine.step()
    wall.forward(1)
    accept(store, event())
    engine.step()
    run = only_run(store)
    assert (run.phase, run.action, run.due) == (Phase.RUNNING, Action.TAKE_IN, NOW + 1)


def test_an_event_that_could_wait_does_not_put_a_waiting_run_off(
    store: Store, engine: Engine, wall: Wall
) -> None:
    accept(store, upload("s3://b/1"))
    engine.step()
    wall.forward(30)
    accept(store, upload("s3://b/2"))
    engine.step()
    assert only_run(store).due == NOW + 60


def test_drift_needs_enough_windows_of_the_same_release(
    store: Store, engine: Engine, launcher: FileLauncher
) -> None:
    launcher.serves = CHAMPION
    for number, verdict in enumerate((drift(), drift(release="r-old"), drift(subject="boats"))):
        accept(store, replace(verdict, data_time=NOW + number))
        engine.step()
    assert store.runs(9) == []
    accept(store, drift(data_time=NOW + 9))
    engine.step()
    assert phases(store) == [Phase.RUNNING]


def test_verdicts_count_by_the_time_of_their_data(store: Store, engine: Engine) -> None:
    """The second says no; it comes last, and an older yes must not be taken for the newest."""
    accept(store, drift(data_time=NOW + 10), drift(data_time=NOW + 30))
    late, later = accept(store, drift(data_time=NOW + 5), drift(False, data_time=NOW + 40))
    engine.step()
    assert "1 of the last 3 windows" in stored(store, late).reason
    assert "found no drift" in stored(store, later).reason
    assert phases(store) == [Phase.DROPPED]


def test_a_cool_down_and_a_promotion_put_drift_off(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    launcher.seen = ENDED_WELL
    accept(store, drift(kind=Kind.CONCEPT_DRIFT))
    engine.step()
    assert phases(store) == [Phase.SUCCEEDED]
    wall.forward(HOUR)
    (id,) = accept(store, drift(kind=Kind.CONCEPT_DRIFT, release="r-new"))
    engine.step()
    assert phases(store) == [Phase.SUCCEEDED, Phase.WAITING]
    assert "quiet for 2 days after a promotion" in stored(store, id).reason
    wall.forward(2 * DAY)
    engine.step()
    assert phases(store) == [Phase.SUCCEEDED, Phase.SUCCEEDED]


def test_the_release_that_was_promoted_last_is_the_champion_where_no_launcher_knows(
    store: Store, engine: Engine, launcher: FileLauncher
) -> None:
    launcher.seen = ENDED_WELL
    accept(store, event())
    engine.step()
    (id,) = accept(store, drift(kind=Kind.CONCEPT_DRIFT, release="r-old"))
    engine.step()
    assert "r-old, which does not serve" in stored(store, id).reason


def test_a_run_whose_reason_has_lapsed_is_dropped(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    launcher.seen = ENDED_WELL
    accept(store, drift(kind=Kind.CONCEPT_DRIFT))
    engine.step()
    accept(store, drift(kind=Kind.CONCEPT_DRIFT, release="r-new", data_time=NOW + 1))
    engine.step()
    accept(store, drift(False, kind=Kind.CONCEPT_DRIFT, release="r-new", data_time=NOW + 2))
    wall.forward(2 * DAY)
    engine.step()
    run = store.runs(1)[0]
    assert (run.phase, run.note) == (Phase.DROPPED, "the newest verdict is that nothing drifts any more")
    assert run.finished == NOW + 2 * DAY


def test_drift_waits_for_data_that_the_champion_has_not_seen(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    launcher.data = False
    accept(store, drift(kind=Kind.CONCEPT_DRIFT))
    engine.step()
    assert only_run(store).note == "it waits for data that no run has tried yet"
    launcher.data = True
    wall.forward(Timing().recheck_s)
    engine.step()
    assert phases(store) == [Phase.RUNNING]


def test_a_run_that_waits_for_data_leaves_the_way_free_for_the_other_lane(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    launcher.data = False
    accept(store, drift(kind=Kind.CONCEPT_DRIFT), push("abc"))
    engine.step()
    wall.forward(30)
    engine.step()
    assert {run.lane: run.phase for run in store.runs(9)} == {
        Lane.TRAIN: Phase.WAITING,
        Lane.BUILD: Phase.RUNNING,
    }


def test_a_launch_that_failed_is_tried_again_under_the_same_key(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall, counted: Counted
) -> None:
    launcher.trouble = LaunchLater("Kubeflow does not answer")
    accept(store, event())
    wait_s = engine.step()
    run = only_run(store)
    assert (run.phase, run.attempts, run.retry_at) == (Phase.LAUNCHING, 1, NOW + 1.0)
    assert "Kubeflow does not answer" in run.note
    assert wait_s == pytest.approx(1.0)
    wall.forward(0.5)
    engine.step()
    assert only_run(store).attempts == 1
    launcher.trouble = None
    wall.forward(0.5)
    engine.step()
    assert only_run(store).phase is Phase.RUNNING
    assert launcher.submitted() == [run.id]
    assert counted.named("failed attempt") == [("file",)]


def test_launching_is_given_up_after_as_many_attempts_as_the_table_says(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall, counted: Counted
) -> None:
    launcher.trouble = LaunchLater("Kubeflow does not answer")
    accept(store, event())
    most = RETRIES[Phase.LAUNCHING].most
    for _ in range(most):
        engine.step()
        wall.forward(RETRIES[Phase.LAUNCHING].longest_s)
    run = only_run(store)
    assert run.phase is Phase.FAILED
    assert run.note == f"Kubeflow does not answer; given up after {most} attempts"
    assert len(counted.named("failed attempt")) == most
    assert counted.named("finished") == [("failed", 0.0)]


def test_a_launch_that_somebody_has_to_mend_waits_for_that_and_keeps_its_reasons(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall, counted: Counted
) -> None:
    launcher.trouble = LaunchStopped("the token has expired; write a new one")
    accept(store, event())
    engine.step()
    run = only_run(store)
    assert (run.phase, run.retry_at) == (Phase.LAUNCHING, NOW + MENDED.longest_s)
    assert run.note == (
        "the token has expired; write a new one; tried again every 5 min until that is mended, attempt 2 of 288"
    )
    wall.forward(MENDED.longest_s - 1)
    engine.step()
    assert len(counted.named("failed attempt")) == 1
    launcher.trouble = None
    wall.forward(1)
    engine.step()
    assert only_run(store).phase is Phase.RUNNING


def test_a_launch_that_nobody_mends_is_given_up_after_a_day(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    launcher.trouble = LaunchStopped("there is no pipeline bikes; upload it")
    accept(store, event())
    engine.step()
    while only_run(store).phase is Phase.LAUNCHING:
        wall.forward(MENDED.longest_s)
        engine.step()
    run = only_run(store)
    assert run.note == "there is no pipeline bikes; upload it; given up after 288 attempts"
    assert run.finished and DAY - HOUR < run.finished - NOW <= DAY


def test_what_is_away_and_what_has_to_be_mended_are_counted_apart(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    """Mending may take more attempts than an outage does; they must not be taken for attempts of the outage."""
    launcher.trouble = LaunchStopped("the token has expired; write a new one")
    accept(store, event())
    for _ in range(RETRIES[Phase.LAUNCHING].most + 1):
        engine.step()
        wall.forward(MENDED.longest_s)
    launcher.trouble = LaunchLater("Kubeflow does not answer")
    engine.step()
    assert only_run(store).phase is Phase.LAUNCHING
    assert "attempt 2 of 40" in only_run(store).note
    launcher.trouble = LaunchStopped("the token has expired; write a new one")
    wall.forward(MENDED.longest_s)
    engine.step()
    assert "attempt 43 of 288" in only_run(store).note


def test_a_mistake_in_a_launcher_is_tried_again_too(
    store: Store, engine: Engine, launcher: FileLauncher
) -> None:
    launcher.trouble = KeyError("oops")
    accept(store, event())
    engine.step()
    run = only_run(store)
    assert run.phase is Phase.LAUNCHING
    assert "could not be launched: KeyError: 'oops'" in run.note


def test_a_run_that_was_interrupted_is_launched_again_under_its_key(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall, counted: Counted
) -> None:
    accept(store, event())
    engine.step()
    launcher.file.unlink()
    launcher.seen = Seen(State.INTERRUPTED, note="the machine went down")
    wall.forward(5)
    engine.step()
    run = only_run(store)
    assert (run.phase, run.retry_at) == (Phase.LAUNCHING, NOW + 6)
    assert "the machine went down" in run.note
    launcher.seen = Seen(State.ACTIVE)
    wall.forward(1)
    engine.step()
    run = only_run(store)
    assert (run.phase, run.attempts, run.started) == (Phase.RUNNING, 2, NOW)
    assert [order.key for order in launcher.orders] == [run.id, run.id]
    assert len(counted.named("started")) == 1


def test_a_run_that_is_interrupted_again_and_again_is_given_up(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    launcher.seen = Seen(State.INTERRUPTED)
    accept(store, event())
    for _ in range(2 * RETRIES[Phase.LAUNCHING].most):
        engine.step()
        wall.forward(RETRIES[Phase.LAUNCHING].longest_s)
    run = only_run(store)
    assert (run.phase, run.attempts) == (Phase.FAILED, RETRIES[Phase.LAUNCHING].most)
    assert "given up" in run.note


@pytest.mark.parametrize(
    "error",
    [LaunchStopped("the token has expired; write a new one"), LaunchLater("Kubeflow does not answer")],
)
def test_a_run_that_cannot_be_looked_at_is_looked_at_again(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall, error: Exception
) -> None:
    """It may well be at work, so it must not end in the books."""
    launcher.seen = error
    accept(store, event())
    engine.step()
    run = only_run(store)
    assert (run.phase, run.note, run.retry_at) == (Phase.RUNNING, str(error), NOW + 1)
    launcher.seen = ENDED_WELL
    wall.forward(1)
    engine.step()
    assert only_run(store).phase is Phase.SUCCEEDED


def test_a_run_that_nobody_can_look_at_is_given_up_after_as_many_looks_as_the_table_says(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(at_work.RETRIES, Phase.RUNNING, Retries(1.0, 4.0, most=5))
    launcher.seen = LaunchLater("Kubeflow does not answer")
    accept(store, event())
    for _ in range(5):
        assert phases(store) in ([], [Phase.RUNNING])
        engine.step()
        wall.forward(4)
    assert only_run(store).phase is Phase.FAILED
    assert only_run(store).note == "Kubeflow does not answer; given up after 5 looks"


def test_a_look_that_works_forgets_those_that_did_not(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(at_work.RETRIES, Phase.RUNNING, Retries(1.0, 4.0, most=5))
    accept(store, event())
    for seen in (LaunchLater("away"), Seen(State.ACTIVE)) * 6:
        launcher.seen = seen
        engine.step()
        wall.forward(4)
    assert only_run(store).phase is Phase.RUNNING


def test_an_event_that_cannot_be_decided_is_recorded_and_others_go_on(
    store: Store, launcher: FileLauncher, wall: Wall, counted: Counted
) -> None:
    without: dict[Kind, Rule] = {kind: rule for kind, rule in BY_KIND.items() if kind is not Kind.ALERT}
    engine = make_engine(store, launcher, wall, rules=without, observe=counted)
    bad, good = accept(store, event(Kind.ALERT), event())
    engine.step()
    assert stored(store, bad).action is Action.RECORD
    assert stored(store, bad).reason.startswith("could not be decided: KeyError")
    assert stored(store, good).run == only_run(store).id


def test_a_run_that_cannot_be_judged_says_why_and_others_start(
    store: Store, launcher: FileLauncher, wall: Wall
) -> None:
    """A rule was taken away while its event waited."""
    first = make_engine(store, launcher, wall)
    accept(store, upload("s3://b/1"), push("abc"))
    first.step()
    without: dict[Kind, Rule] = {kind: rule for kind, rule in BY_KIND.items() if kind is not Kind.CODE}
    wall.forward(60)
    launcher.seen = ENDED_WELL
    make_engine(store, launcher, wall, rules=without).step()
    notes = {run.lane: (run.phase, run.note) for run in store.runs(9)}
    assert notes[Lane.TRAIN][0] is Phase.SUCCEEDED
    assert notes[Lane.BUILD] == (Phase.WAITING, "could not be judged: KeyError: <Kind.CODE: 'code'>")


def test_a_run_without_a_launcher_waits_until_one_is_set(
    store: Store, launcher: FileLauncher, wall: Wall
) -> None:
    accept(store, push("abc"))
    without = make_engine(store, launcher, wall, launchers={Action.RETRAIN: launcher})
    without.step()
    wall.forward(30)
    without.step()
    assert only_run(store).phase is Phase.WAITING
    assert 'no launcher is set for "rebuild and retrain"' in only_run(store).note
    make_engine(store, launcher, wall).step()
    assert only_run(store).phase is Phase.RUNNING


def test_a_run_whose_launcher_is_set_no_longer_fails(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    accept(store, event())
    engine.step()
    engine.stop()
    other = FileLauncher(launcher.file.parent)
    other.name = "kubeflow"
    make_engine(store, other, wall).step()
    assert only_run(store).phase is Phase.FAILED
    assert "the launcher file has this run" in only_run(store).note


def test_of_two_engines_one_does_each_thing(
    store: Store, url: str, launcher: FileLauncher, wall: Wall
) -> None:
    other = Store(url, wall=wall)
    engines = (make_engine(store, launcher, wall), make_engine(other, launcher, wall))
    accept(store, event(), event(Kind.ALERT), upload("s3://b/1"))
    for engine in engines * 2:
        engine.step()
    assert phases(store) == [Phase.RUNNING]
    assert launcher.submitted() == [only_run(store).id]
    other.close()


def test_a_claim_that_gives_no_sign_of_life_is_taken_over(
    store: Store, launcher: FileLauncher, wall: Wall
) -> None:
    """The first engine has claimed the run and submitted it, and was killed before it could say so."""
    accept(store, event())
    with pytest.raises(Killed):
        make_engine(store, KilledLauncher(launcher), wall).step()
    run = only_run(store)
    assert run.phase is Phase.LAUNCHING
    other = make_engine(store, launcher, wall)
    assert other.step() == pytest.approx(Timing().idle_s)
    assert only_run(store).phase is Phase.LAUNCHING
    wall.forward(Timing().claim_s)
    other.step()
    assert only_run(store).phase is Phase.RUNNING
    assert launcher.submitted() == [run.id]


def test_an_engine_that_is_alone_takes_over_at_once(store: Store, launcher: FileLauncher, wall: Wall) -> None:
    accept(store, event())
    with pytest.raises(Killed):
        make_engine(store, KilledLauncher(launcher), wall).step()
    make_engine(store, launcher, wall, alone=True).step()
    assert only_run(store).phase is Phase.RUNNING
    assert launcher.submitted() == [only_run(store).id]


class KilledLauncher(FileLauncher):
    """Submits, and then the machine is gone: nothing after it is done."""

    def __init__(self, launcher: FileLauncher) -> None:
        super().__init__(launcher.file.parent)

    def submit(self, order: Order) -> Launched:
        super().submit(order)
        raise Killed


class Killed(BaseException):
    pass


def test_an_engine_that_stops_in_good_order_leaves_its_run_to_the_next_at_once(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    accept(store, event())
    engine.step()
    engine.stop()
    launcher.seen = ENDED_WELL
    make_engine(store, launcher, wall).step()
    assert only_run(store).phase is Phase.SUCCEEDED


def test_who_lost_a_claim_changes_nothing_any_more(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    accept(store, event())
    engine.step()
    run = only_run(store)
    with store.turn() as connection:
        moved = changes.run_ended(
            connection, run, "somebody else", Phase.FAILED, Seen(State.FAILED), NOW, NOW
        )
    assert not moved
    assert only_run(store).phase is Phase.RUNNING


@pytest.mark.parametrize("slow", ["submit", "look"])
def test_a_claim_is_renewed_while_a_launcher_takes_its_time(store: Store, tmp_path: Path, slow: str) -> None:
    """The wall's clock goes by itself here: the launcher does not come back before it sees the claim renewed twice."""
    launcher = SlowLauncher(tmp_path, store, slow)
    engine = make_engine(store, launcher, RealTime(), timing=Timing(claim_s=0.09))
    accept(store, event())
    engine.step()
    assert launcher.renewed >= 2
    assert only_run(store).phase is Phase.RUNNING


class RealTime(Wall):
    def __call__(self) -> float:
        return time.time()


class SlowLauncher(FileLauncher):
    """Submits, or says how its run goes, only when the claim on the run has been renewed twice."""

    def __init__(self, folder: Path, store: Store, slow: str) -> None:
        super().__init__(folder)
        self.store = store
        self.slow = slow
        self.renewed = 0

    def submit(self, order: Order) -> Launched:
        self._take_time("submit")
        return super().submit(order)

    def look(self, run: str) -> Seen:
        self._take_time("look")
        return super().look(run)

    def _take_time(self, doing: str) -> None:
        seen: set[float] = set()
        pause = threading.Event()
        for _ in range(2000 if doing == self.slow else 0):
            with self.store.reading() as connection:
                held = questions.at_work(connection)
            assert held
            seen.add(held.claim_until)
            if len(seen) == 3:
                break
            pause.wait(0.005)
        self.renewed += max(len(seen) - 1, 0)


def test_a_wall_clock_that_is_set_back_stops_no_look(
    store: Store, launcher: FileLauncher, wall: Wall
) -> None:
    elapsed = Wall(0.0)
    engine = make_engine(store, launcher, wall, elapsed=elapsed)
    accept(store, event())
    engine.step()
    wall.forward(-DAY)
    elapsed.forward(Timing().poll_s)
    launcher.seen = ENDED_WELL
    engine.step()
    assert only_run(store).phase is Phase.SUCCEEDED


def test_an_attempt_waits_no_longer_than_the_longest_wait_when_the_wall_clock_is_set_back(
    store: Store, launcher: FileLauncher, wall: Wall
) -> None:
    elapsed = Wall(0.0)
    engine = make_engine(store, launcher, wall, elapsed=elapsed)
    launcher.trouble = LaunchLater("Kubeflow does not answer")
    accept(store, event())
    engine.step()
    launcher.trouble = None
    wall.forward(-DAY)
    elapsed.forward(Timing().idle_s)
    engine.step()
    assert only_run(store).phase is Phase.RUNNING


def test_a_claim_made_before_the_wall_clock_was_set_back_is_taken_over(
    store: Store, launcher: FileLauncher, wall: Wall
) -> None:
    accept(store, event())
    with pytest.raises(Killed):
        make_engine(store, KilledLauncher(launcher), wall).step()
    wall.forward(-DAY)
    make_engine(store, launcher, wall).step()
    assert only_run(store).phase is Phase.RUNNING


def test_our_own_claim_is_made_anew_when_the_wall_clock_was_set_back(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    """Else another engine would take the run over while this one works on it."""
    accept(store, event())
    engine.step()
    wall.forward(-DAY)
    engine._quiet_until = 0.0
    engine.step()
    with store.reading() as connection:
        held = questions.at_work(connection)
    assert held and held.claim_until == wall() + Timing().claim_s


def test_uploads_whose_run_failed_are_taken_in_by_the_next_that_takes_in(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    for name, seen in (
        ("1", Seen(State.FAILED, note="no memory")),
        ("2", Seen(State.CANCELED)),
        ("3", ENDED_WELL),
        ("4", ENDED_WELL),
    ):
        launcher.seen = seen
        accept(store, upload(f"s3://b/{name}"))
        engine.step()
        wall.forward(HOUR)
        engine.step()
    assert [order.objects for order in launcher.orders] == [
        ("s3://b/1",),
        ("s3://b/1", "s3://b/2"),
        ("s3://b/1", "s3://b/2", "s3://b/3"),
        ("s3://b/4",),
    ]


def test_an_upload_lets_drift_that_waits_for_data_start_when_it_has_settled(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    """The upload itself cools down, because data was taken in ten minutes ago."""
    launcher.seen, launcher.data = Seen(State.SUCCEEDED, outcome=CHALLENGER), False
    accept(store, upload("s3://b/1"))
    engine.step()
    wall.forward(60)
    engine.step()
    wall.forward(600)
    accept(store, drift(kind=Kind.CONCEPT_DRIFT))
    engine.step()
    assert store.runs(1)[0].note == "it waits for data that no run has tried yet"
    (joined,) = accept(store, upload("s3://b/2"))
    engine.step()
    for forward, phase in ((1, Phase.WAITING), (58, Phase.WAITING), (1, Phase.SUCCEEDED)):
        wall.forward(forward)
        engine.step()
        assert store.runs(1)[0].phase is phase
    assert stored(store, joined).run == store.runs(1)[0].id
    assert launcher.orders[-1].objects == ("s3://b/2",)


def test_a_reason_that_cools_down_does_not_start_when_an_urgent_one_lapses(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    launcher.seen = Seen(State.SUCCEEDED, outcome=CHALLENGER)
    accept(store, drift(kind=Kind.CONCEPT_DRIFT))
    engine.step()
    launcher.data = False
    wall.forward(HOUR)
    accept(store, drift(kind=Kind.CONCEPT_DRIFT), drift(), drift())
    engine.step()
    launcher.data = True
    accept(store, drift(False))
    wall.forward(1)
    engine.step()
    run = store.runs(1)[0]
    assert run.phase is Phase.WAITING
    assert run.note.endswith("for which nothing starts before 2023-11-15 22:13:20 UTC")
    wall.forward(DAY - HOUR - 1)
    engine.step()
    assert store.runs(1)[0].phase is Phase.SUCCEEDED


def test_a_reason_that_came_during_a_run_is_quiet_after_its_promotion(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    accept(store, event())
    engine.step()
    accept(store, drift(kind=Kind.CONCEPT_DRIFT, release=""))
    engine.step()
    launcher.seen = ENDED_WELL
    wall.forward(60)
    engine.step()
    assert phases(store) == [Phase.SUCCEEDED, Phase.WAITING]
    wall.forward(2 * DAY)
    engine.step()
    assert phases(store) == [Phase.SUCCEEDED, Phase.SUCCEEDED]


@pytest.mark.parametrize("ended", [Seen(State.FAILED, note="no memory"), Seen(State.CANCELED)])
def test_what_is_said_again_after_its_run_came_to_nothing_asks_for_another(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall, ended: Seen
) -> None:
    """An alert that still fires, say. That it had asked for the first run stays known."""
    launcher.seen = ended
    alert = drift(kind=Kind.CONCEPT_DRIFT)
    (id,) = accept(store, alert)
    engine.step()
    first = only_run(store).id
    launcher.seen = ENDED_WELL
    wall.forward(4 * HOUR)
    assert accept(store, alert) == [id]
    engine.step()
    second = store.runs(1)[0].id
    assert phases(store)[-1] is Phase.SUCCEEDED and second != first
    assert stored(store, id).run == second
    assert [[found.id for found in store.events(9, run=run)] for run in (first, second)] == [[id], [id]]


@pytest.mark.parametrize("seen", [Seen(State.ACTIVE), Seen(State.SUCCEEDED, outcome="refused")])
def test_what_is_said_again_while_its_run_is_at_work_or_has_succeeded_starts_nothing(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall, seen: Seen
) -> None:
    launcher.seen = seen
    alert = drift(kind=Kind.CONCEPT_DRIFT)
    (id,) = accept(store, alert)
    engine.step()
    wall.forward(9 * DAY)
    accept(store, alert)
    engine.step()
    assert len(store.runs(9)) == 1
    assert (stored(store, id).run, stored(store, id).deliveries) == (only_run(store).id, 2)


def test_an_alert_that_is_resolved_takes_its_reason_back(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    launcher.data = False
    fires = event(Kind.DRIFT, is_drift=True, weighed=True, release=CHAMPION)
    accept(store, fires)
    engine.step()
    assert phases(store) == [Phase.WAITING]
    (id,) = accept(store, event(Kind.DRIFT, is_drift=False, weighed=True, release=CHAMPION))
    wall.forward(1)
    engine.step()
    assert phases(store) == [Phase.DROPPED]
    assert stored(store, id).reason == "the alert is over"


def test_a_run_says_what_it_waits_for_now(
    store: Store, engine: Engine, launcher: FileLauncher, wall: Wall
) -> None:
    accept(store, event())
    engine.step()
    at_work = only_run(store).id
    accept(store, upload("s3://b/1"))
    engine.step()
    assert store.runs(1)[0].note.endswith("more of the same is waited for, 1 min")
    accept(store, push("abc", Kind.DATA))
    engine.step()
    assert store.runs(1)[0].note.endswith("more of the same is waited for, 30 s")
    wall.forward(30)
    engine.step()
    assert store.runs(1)[0].note == f"run {at_work} is at work, so it waits until that is over"


def test_a_failed_run_is_counted_as_failed_whatever_it_had_reached(
    store: Store, engine: Engine, launcher: FileLauncher, counted: Counted
) -> None:
    launcher.seen = Seen(State.FAILED, outcome=CHALLENGER, note="the rollout broke")
    accept(store, event())
    engine.step()
    assert counted.named("finished") == [("failed", 0.0)]


def test_old_events_that_led_to_nothing_are_forgotten_and_no_others(
    store: Store, launcher: FileLauncher, wall: Wall
) -> None:
    engine = make_engine(store, launcher, wall, timing=Timing(keep_days=400))
    _, reason, clock = accept(store, event(Kind.ALERT), event(), event(Kind.ALERT, data_time=NOW))
    engine.step()
    wall.forward(200 * DAY)
    (young,) = accept(store, event(Kind.ALERT))
    wall.forward(201 * DAY)
    (new,) = accept(store, event(Kind.ALERT))
    engine.step()
    assert [found.id for found in store.events(9)] == [new, young, clock, reason]


def test_more_old_events_than_one_turn_may_forget_are_forgotten_one_turn_after_the_other(
    store: Store, engine: Engine, wall: Wall
) -> None:
    accept(store, *(event(Kind.ALERT) for _ in range(450)))
    engine.step()
    wall.forward(401 * DAY)
    for left in (250, 50, 0):
        engine.step()
        assert len(store.events(999)) == left


def test_a_thread_decides_what_is_committed_and_stops(
    store: Store, launcher: FileLauncher, wall: Wall
) -> None:
    started = threading.Event()
    engine = make_engine(store, launcher, wall, observe=Starts(started))
    engine.start()
    assert engine.alive()
    accept(store, event())
    engine.wake()
    assert started.wait(20)
    engine.stop()
    assert not engine.alive()
    assert only_run(store).phase is Phase.RUNNING


class Starts(Counted):
    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self.event = event

    def started(self, seconds_since_first_event: float) -> None:
        self.event.set()
