"""The policy as a table: which event leads to what, and when a run for it may start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from triggers.events import IS_DRIFT, RELEASE, WEIGHED, Facts, Kind
from triggers.policy import (
    BY_KIND,
    DAY,
    HOUR,
    RULES,
    Action,
    Lane,
    Outcome,
    Situation,
    decide,
    span_text,
    strongest,
)

NOW = 1_350_000_000.0
QUIET = Situation(NOW)
DRIFTS: Facts = {IS_DRIFT: True, RELEASE: "r-1"}
CALM: Facts = {IS_DRIFT: False, RELEASE: "r-1"}
RECORDED = (
    Kind.PAUSE,
    Kind.RESUME,
    Kind.OUTLIERS,
    Kind.ADVERSARIAL,
    Kind.ALERT,
    Kind.RUN_COMPLETION,
    Kind.OTHER,
)
ACTING = tuple(kind for kind in Kind if kind not in RECORDED)
AGREED = replace(QUIET, verdicts=(True, True))
SERVES = replace(AGREED, champion="r-1")


def test_every_kind_of_event_has_exactly_one_rule() -> None:
    assert sorted(rule.kind for rule in RULES) == sorted(Kind)


@pytest.mark.parametrize("kind", RECORDED)
def test_some_kinds_are_recorded_and_nothing_else_whatever_the_situation(kind: Kind) -> None:
    for situation in (QUIET, replace(QUIET, waiting="q-1", active="q-2", last_start=0.0)):
        decision = decide(kind, DRIFTS, situation)
        assert (decision.action, decision.outcome) == (Action.RECORD, Outcome.RECORDED)
        assert decision.reason == BY_KIND[kind].why


@pytest.mark.parametrize(
    ("kind", "action", "lane", "settles_s"),
    [
        (Kind.CODE, Action.REBUILD, Lane.BUILD, 30),
        (Kind.DATA, Action.RETRAIN, Lane.TRAIN, 30),
        (Kind.STORAGE, Action.TAKE_IN, Lane.TRAIN, 60),
        (Kind.DRIFT, Action.RETRAIN, Lane.TRAIN, 0),
        (Kind.CONCEPT_DRIFT, Action.RETRAIN, Lane.TRAIN, 0),
        (Kind.SCHEDULE, Action.RETRAIN, Lane.TRAIN, 0),
        (Kind.PERSON, Action.RETRAIN, Lane.TRAIN, 0),
    ],
)
def test_the_first_event_of_a_kind_asks_for_a_run(
    kind: Kind, action: Action, lane: Lane, settles_s: float
) -> None:
    decision = decide(kind, DRIFTS, SERVES)
    assert (decision.action, decision.outcome) == (action, Outcome.STARTS)
    assert decision.due == NOW + settles_s
    assert BY_KIND[kind].lane is lane
    assert BY_KIND[kind].why in decision.reason


@pytest.mark.parametrize("kind", ACTING)
def test_an_event_joins_the_run_that_waits(kind: Kind) -> None:
    decision = decide(kind, DRIFTS, replace(SERVES, waiting="q-1"))
    assert decision.outcome is Outcome.JOINS


@pytest.mark.parametrize("kind", ACTING)
def test_an_event_says_that_it_waits_for_the_run_at_work(kind: Kind) -> None:
    decision = decide(kind, DRIFTS, replace(SERVES, active="q-7"))
    assert decision.outcome is Outcome.STARTS
    assert "q-7 is at work" in decision.reason


@pytest.mark.parametrize("kind", ACTING)
def test_an_event_says_that_it_is_paused_and_its_run_is_told_so_only_while_it_is(kind: Kind) -> None:
    decision = decide(kind, DRIFTS, replace(SERVES, paused="paused by ada: the cluster is upgraded"))
    assert decision.outcome is Outcome.STARTS
    assert decision.reason.endswith("; paused by ada: the cluster is upgraded")
    assert "paused" not in decision.note


@pytest.mark.parametrize(
    ("kind", "last_start", "last_promotion", "due", "says"),
    [
        (Kind.CODE, NOW - 1, NOW - 1, NOW + 30, "waited for, 30 s"),
        (Kind.DATA, NOW - 1, NOW - 1, NOW + 30, "waited for, 30 s"),
        (Kind.STORAGE, NOW - 10, None, NOW - 10 + HOUR, "cools down for 1 h"),
        (Kind.STORAGE, NOW - HOUR + 30, None, NOW + 60, "waited for, 1 min"),
        (Kind.STORAGE, None, NOW - 1, NOW + 60, "waited for, 1 min"),
        (Kind.DRIFT, NOW - HOUR, None, NOW - HOUR + DAY, "cools down for 24 h"),
        (Kind.DRIFT, NOW - DAY, None, NOW, ""),
        (Kind.DRIFT, None, NOW - HOUR, NOW - HOUR + 2 * DAY, "quiet for 2 days after a promotion"),
        (Kind.DRIFT, NOW - HOUR, NOW - HOUR, NOW - HOUR + 2 * DAY, "quiet for 2 days"),
        (Kind.DRIFT, NOW - HOUR, NOW - 2 * DAY + 60, NOW - HOUR + DAY, "cools down for 24 h"),
        (Kind.CONCEPT_DRIFT, NOW - HOUR, None, NOW - HOUR + DAY, "cools down for 24 h"),
        (Kind.CONCEPT_DRIFT, None, NOW - HOUR, NOW - HOUR + 2 * DAY, "quiet for 2 days"),
        (Kind.SCHEDULE, NOW - 60, NOW - 60, NOW - 60 + HOUR, "cools down for 1 h"),
        (Kind.PERSON, NOW, NOW, NOW, ""),
    ],
)
def test_a_run_waits_for_the_longest_of_settling_cool_down_and_quiet(
    kind: Kind, last_start: float | None, last_promotion: float | None, due: float, says: str
) -> None:
    situation = replace(SERVES, last_start=last_start, last_promotion=last_promotion)
    decision = decide(kind, DRIFTS, situation)
    assert decision.outcome is Outcome.STARTS
    assert decision.due == due
    assert says in decision.reason
    assert says or decision.reason == BY_KIND[kind].why


@pytest.mark.parametrize(
    ("kind", "facts", "verdicts", "champion", "says"),
    [
        (Kind.DRIFT, CALM, (True, True, False), "r-1", "found no drift"),
        (Kind.DRIFT, {RELEASE: "r-1"}, (True, True), "r-1", "found no drift"),
        (Kind.DRIFT, {IS_DRIFT: 1, RELEASE: "r-1"}, (True, True), "r-1", "found no drift"),
        (Kind.DRIFT, DRIFTS, (True,), "r-1", "1 of the last 3 windows drift, and 2 are needed"),
        (Kind.DRIFT, DRIFTS, (False, False, True), "r-1", "1 of the last 3"),
        (Kind.DRIFT, DRIFTS, (True, False, False, True), "r-1", "1 of the last 3"),
        (Kind.DRIFT, DRIFTS, (True, True), "r-2", "r-1, which does not serve"),
        (Kind.CONCEPT_DRIFT, CALM, (False,), "r-1", "found no drift"),
        (Kind.CONCEPT_DRIFT, DRIFTS, (True,), "r-2", "r-1, which does not serve"),
    ],
)
def test_a_verdict_that_does_not_count_is_recorded_with_its_reason(
    kind: Kind, facts: Facts, verdicts: tuple[bool, ...], champion: str, says: str
) -> None:
    decision = decide(kind, facts, replace(QUIET, verdicts=verdicts, champion=champion, waiting="q-1"))
    assert (decision.action, decision.outcome) == (Action.RECORD, Outcome.RECORDED)
    assert says in decision.reason


@pytest.mark.parametrize(
    ("kind", "facts", "verdicts", "champion"),
    [
        (Kind.DRIFT, DRIFTS, (True, True), "r-1"),
        (Kind.DRIFT, DRIFTS, (True, False, True), "r-1"),
        (Kind.DRIFT, DRIFTS, (False, True, True), ""),
        (Kind.DRIFT, {IS_DRIFT: True}, (True, True), "r-2"),
        (Kind.DRIFT, {IS_DRIFT: True, WEIGHED: True}, (True,), "r-1"),
        (Kind.CONCEPT_DRIFT, DRIFTS, (True,), "r-1"),
        (Kind.CONCEPT_DRIFT, DRIFTS, (False, False, True), ""),
    ],
)
def test_a_verdict_that_counts_asks_for_a_run(
    kind: Kind, facts: Facts, verdicts: tuple[bool, ...], champion: str
) -> None:
    decision = decide(kind, facts, replace(QUIET, verdicts=verdicts, champion=champion))
    assert (decision.action, decision.outcome) == (Action.RETRAIN, Outcome.STARTS)


def test_another_table_of_rules_decides_otherwise() -> None:
    rules = {**BY_KIND, Kind.PERSON: replace(BY_KIND[Kind.PERSON], settle_s=5.0)}
    assert decide(Kind.PERSON, {}, QUIET, rules).due == NOW + 5.0


@pytest.mark.parametrize(
    ("facts", "says"), [(CALM, "the detector looked"), ({**CALM, WEIGHED: True}, "the alert is over")]
)
def test_who_says_that_nothing_drifts_is_named(facts: Facts, says: str) -> None:
    assert says in decide(Kind.DRIFT, facts, AGREED).reason


def test_what_a_waiting_run_says_does_not_depend_on_what_is_at_work() -> None:
    decision = decide(Kind.STORAGE, {}, replace(QUIET, active="q-7"))
    assert decision.note == f"{BY_KIND[Kind.STORAGE].why}; more of the same is waited for, 1 min"
    assert decision.reason == f"{decision.note}; run q-7 is at work, so it waits until that is over"


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ((Action.RETRAIN, Action.TAKE_IN), Action.TAKE_IN),
        ((Action.REBUILD, Action.TAKE_IN, Action.RETRAIN), Action.REBUILD),
        ((Action.RECORD, Action.RETRAIN), Action.RETRAIN),
    ],
)
def test_a_run_does_the_strongest_of_its_events_actions(
    actions: tuple[Action, ...], expected: Action
) -> None:
    assert strongest(actions) is expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "0.5 s"),
        (30, "30 s"),
        (60, "1 min"),
        (90, "1.5 min"),
        (3600, "1 h"),
        (2 * 3600, "2 h"),
        (DAY, "24 h"),
        (2 * DAY, "2 days"),
    ],
)
def test_spans_of_time_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert span_text(seconds) == text
