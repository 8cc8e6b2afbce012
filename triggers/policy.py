"""Which event leads to which action: the whole policy is the table `RULES`, and pure functions that read it.

An event is decided once, when it has been committed (`decide`); a run that waits is asked again just before it would start whether its
reasons still hold (`triggers.readiness`). Nothing here knows a clock, a database or a pipeline.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from triggers.events import IS_DRIFT, RELEASE, WEIGHED, Facts, Kind

HOUR, DAY = 3600.0, 86400.0


class Action(str, enum.Enum):
    """What is done. The order is that of strength: a run that several events lead to does the strongest of theirs."""

    RECORD = "record only"
    RETRAIN = "retrain the deployed pipeline on the new spans"
    TAKE_IN = "take in data first, then retrain"
    REBUILD = "rebuild and retrain"


STRENGTH = tuple(Action)


class Lane(str, enum.Enum):
    """Runs that wait in the same lane are one run. Whichever lane they wait in, one run of a pipeline is at work at a time."""

    BUILD = "build"
    TRAIN = "train"


@dataclass(frozen=True)
class Votes:
    """How many of the last verdicts about the same thing have to say so; the newest always has to."""

    needed: int
    of: int


@dataclass(frozen=True)
class Rule:
    """What an event of one kind leads to.

    Args:
        kind: of the event.
        action: what is done.
        why: the sentence that people read.
        settle_s: how long more of the same is waited for.
        cool_down_s: how long after the start of the last run with this kind among its reasons the next may start.
        quiet_s: how long after a promotion nothing starts for this reason.
        votes: of verdicts; one of one means that every event counts by itself. An alert whose rule has weighed them does so anyway.
        needs_new_data: whether a run makes sense only on data that no run has tried yet; it waits for some.
    """

    kind: Kind
    action: Action
    why: str
    settle_s: float = 0.0
    cool_down_s: float = 0.0
    quiet_s: float = 0.0
    votes: Votes = Votes(1, 1)
    needs_new_data: bool = False

    @property
    def lane(self) -> Lane:
        return Lane.BUILD if self.action is Action.REBUILD else Lane.TRAIN


_ONLY_RECORDED = "people and other rules look at it; by itself it is no reason to retrain"
RULES: tuple[Rule, ...] = (
    Rule(Kind.CODE, Action.REBUILD, "new code makes another model", settle_s=30),
    Rule(Kind.DATA, Action.RETRAIN, "a commit brought other versions of the data", settle_s=30),
    Rule(Kind.STORAGE, Action.TAKE_IN, "a batch of data was uploaded", settle_s=60, cool_down_s=HOUR),
    Rule(
        Kind.DRIFT,
        Action.RETRAIN,
        "the requests no longer look like the training data",
        cool_down_s=DAY,
        quiet_s=2 * DAY,
        votes=Votes(2, 3),
        needs_new_data=True,
    ),
    Rule(
        Kind.CONCEPT_DRIFT,
        Action.RETRAIN,
        "the labels no longer follow the predictions",
        cool_down_s=DAY,
        quiet_s=2 * DAY,
        needs_new_data=True,
    ),
    Rule(
        Kind.SCHEDULE,
        Action.RETRAIN,
        "it is time to look at the newest data",
        cool_down_s=HOUR,
        needs_new_data=True,
    ),
    Rule(Kind.PERSON, Action.RETRAIN, "somebody asked for it"),
    Rule(Kind.PAUSE, Action.RECORD, "no run starts until somebody resumes"),
    Rule(Kind.RESUME, Action.RECORD, "what waits is judged again and may start"),
    Rule(Kind.OUTLIERS, Action.RECORD, _ONLY_RECORDED),
    Rule(Kind.ADVERSARIAL, Action.RECORD, "what somebody made to move the model must not move it"),
    Rule(Kind.ALERT, Action.RECORD, _ONLY_RECORDED),
    Rule(Kind.RUN_COMPLETION, Action.RECORD, "a run says that it is over"),
    Rule(Kind.OTHER, Action.RECORD, "nobody has written a rule for it"),
)
BY_KIND: Mapping[Kind, Rule] = {rule.kind: rule for rule in RULES}

VERDICTS = (Kind.DRIFT, Kind.CONCEPT_DRIFT)  # kinds of event that say yes or no


class Outcome(str, enum.Enum):
    """What became of an event."""

    STARTS = "asks for a run"
    JOINS = "joins a run that waits"
    RECORDED = "recorded only"


@dataclass(frozen=True)
class Situation:
    """What there is to know when something is decided. Times are in seconds since 1970, all by the same clock.

    Args:
        now: by the service's clock, which in a replay is the time of the data.
        verdicts: `is_drift` of the newest events about the same subject and release, oldest first, this one last.
        champion: the release that serves; empty where nobody knows.
        last_start: when the last run with this kind among its reasons began.
        last_promotion: when a release was promoted last.
        waiting: the run that waits in the lane of the event's rule.
        active: the run that is being launched or is at work, in any lane.
        paused: by whom, since when and why nothing starts, in a sentence; empty where it is not so.
    """

    now: float
    verdicts: Sequence[bool] = ()
    champion: str = ""
    last_start: float | None = None
    last_promotion: float | None = None
    waiting: str = ""
    active: str = ""
    paused: str = ""


@dataclass(frozen=True)
class Decision:
    """What becomes of one event.

    Args:
        due: when a run may start for it at the earliest.
        reason: a sentence for people.
        note: what its run says while it waits, the same without what passes by itself; empty where there is nothing such.
    """

    action: Action
    outcome: Outcome
    due: float
    reason: str
    note: str = ""


def decide(kind: Kind, facts: Facts, situation: Situation, rules: Mapping[Kind, Rule] = BY_KIND) -> Decision:
    """What an event leads to."""
    rule = rules[kind]
    if rule.action is Action.RECORD:
        return _recorded(rule, situation, rule.why)
    objection = _objection(rule, facts, situation)
    if objection:
        return _recorded(rule, situation, objection)
    due, because = _due(rule, situation)
    outcome = Outcome.JOINS if situation.waiting else Outcome.STARTS
    note = _sentence(rule.why, because)
    reason = _sentence(note, busy(situation.active), situation.paused)
    return Decision(rule.action, outcome, due, reason, note)


def _sentence(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def _recorded(rule: Rule, situation: Situation, reason: str) -> Decision:
    return Decision(Action.RECORD, Outcome.RECORDED, situation.now, reason)


def _objection(rule: Rule, facts: Facts, situation: Situation) -> str:
    """Why an event that could lead to a run does not; empty where it does."""
    if rule.kind not in VERDICTS:
        return ""
    if facts.get(IS_DRIFT) is not True:
        return "the alert is over" if facts.get(WEIGHED) else "the detector looked and found no drift"
    accused = facts.get(RELEASE)
    if accused and situation.champion and accused != situation.champion:
        return f"it is about {accused}, which does not serve"
    agreeing = sum(situation.verdicts[-rule.votes.of :])
    if agreeing < rule.votes.needed and facts.get(WEIGHED) is not True:
        return f"{agreeing} of the last {rule.votes.of} windows drift, and {rule.votes.needed} are needed"
    return ""


def _due(rule: Rule, situation: Situation) -> tuple[float, str]:
    """When a run for this reason may start, and what it waits for."""
    waits = [(situation.now + rule.settle_s, f"more of the same is waited for, {span_text(rule.settle_s)}")]
    if situation.last_start is not None:
        waits.append(
            (situation.last_start + rule.cool_down_s, f"cools down for {span_text(rule.cool_down_s)}")
        )
    if situation.last_promotion is not None:
        waits.append(
            (
                situation.last_promotion + rule.quiet_s,
                f"quiet for {span_text(rule.quiet_s)} after a promotion",
            )
        )
    due, because = max(waits, key=lambda wait: wait[0])
    return (due, because) if due > situation.now else (situation.now, "")


def busy(active: str) -> str:
    """What a run waits for while another is at work; empty where none is."""
    return f"run {active} is at work, so it waits until that is over" if active else ""


def strongest(actions: Sequence[Action]) -> Action:
    """The action of a run that several events lead to."""
    return max(actions, key=STRENGTH.index)


def span_text(seconds: float) -> str:
    """A span of time as people say it: 45 s, 5 min, 36 h, 7 days."""
    for unit, length in (("days", DAY), ("h", HOUR), ("min", 60.0)):
        if seconds >= 2 * length or (seconds >= length and unit != "days"):
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def moment_text(moment: float) -> str:
    """A moment (seconds since 1970) in UTC, to the second."""
    return f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
