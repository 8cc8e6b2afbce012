"""Which event leads to which action: the whole policy is the table `RULES`, and pure functions that read it.

An event is decided once, when it has been committed (`decide`); a run that waits is asked again just before it would start whether its
reasons still hold (`readiness`). Nothing here knows a clock, a database or a pipeline.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from triggers.events import IS_DRIFT, RELEASE, Facts, Kind

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
        votes: of verdicts; one of one means that every event counts by itself.
        needs_new_data: whether a run makes sense only on data that the champion has not seen; it waits for some.
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
    Rule(Kind.OUTLIERS, Action.RECORD, _ONLY_RECORDED),
    Rule(Kind.ADVERSARIAL, Action.RECORD, "what somebody made to move the model must not move it"),
    Rule(Kind.ALERT, Action.RECORD, _ONLY_RECORDED),
    Rule(Kind.RUN_COMPLETION, Action.RECORD, "a run says that it is over"),
    Rule(Kind.OTHER, Action.RECORD, "nobody has written a rule for it"),
)
BY_KIND: Mapping[Kind, Rule] = {rule.kind: rule for rule in RULES}

_VERDICTS = (Kind.DRIFT, Kind.CONCEPT_DRIFT)


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
    """

    now: float
    verdicts: Sequence[bool] = ()
    champion: str = ""
    last_start: float | None = None
    last_promotion: float | None = None
    waiting: str = ""
    active: str = ""


@dataclass(frozen=True)
class Decision:
    """What becomes of one event: `due` is when a run may start at the earliest, `reason` a sentence for people."""

    action: Action
    outcome: Outcome
    due: float
    reason: str


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
    return Decision(rule.action, outcome, due, "; ".join(filter(None, (rule.why, because, _busy(situation)))))


def _recorded(rule: Rule, situation: Situation, reason: str) -> Decision:
    return Decision(Action.RECORD, Outcome.RECORDED, situation.now, reason)


def _objection(rule: Rule, facts: Facts, situation: Situation) -> str:
    """Why an event that could lead to a run does not; empty where it does."""
    if rule.kind not in _VERDICTS:
        return ""
    if facts.get(IS_DRIFT) is not True:
        return "the detector looked and found no drift"
    accused = facts.get(RELEASE)
    if accused and situation.champion and accused != situation.champion:
        return f"it is about {accused}, which no longer serves"
    agreeing = sum(situation.verdicts[-rule.votes.of :])
    if agreeing < rule.votes.needed:
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


def _busy(situation: Situation) -> str:
    return f"run {situation.active} is at work, so it waits until that is over" if situation.active else ""


@dataclass(frozen=True)
class Reason:
    """An event that a waiting run was asked for, with how things stand now.

    `verdict` is the newest one about the same subject and release (None: the kind has no verdicts).
    """

    event: str
    kind: Kind
    facts: Facts
    verdict: bool | None = None


class Ready(str, enum.Enum):
    """Whether a waiting run may start."""

    LAUNCH = "launch"
    WAIT = "wait"
    DROP = "drop"


@dataclass(frozen=True)
class Readiness:
    """The answer, with a sentence for people."""

    ready: Ready
    reason: str


def readiness(
    reasons: Sequence[Reason],
    *,
    champion: str,
    new_data: bool | None,
    rules: Mapping[Kind, Rule] = BY_KIND,
) -> Readiness:
    """Whether a run that is due still has a reason. `new_data` is whether there is data that the champion has not seen (None: unknown)."""
    holding = [reason for reason in reasons if not _lapsed(reason, champion)]
    if not holding:
        lapsed = "; ".join(dict.fromkeys(_lapsed(reason, champion) for reason in reasons))
        return Readiness(Ready.DROP, lapsed or "it has no reason any more")
    if new_data is False and all(rules[reason.kind].needs_new_data for reason in holding):
        return Readiness(Ready.WAIT, "there is no data yet that the champion has not seen")
    return Readiness(Ready.LAUNCH, "; ".join(dict.fromkeys(rules[reason.kind].why for reason in holding)))


def _lapsed(reason: Reason, champion: str) -> str:
    """Why a reason holds no more; empty where it does."""
    if reason.kind not in _VERDICTS:
        return ""
    accused = reason.facts.get(RELEASE)
    if accused and champion and accused != champion:
        return f"{accused} no longer serves"
    return "the newest verdict is that nothing drifts any more" if reason.verdict is False else ""


def strongest(actions: Sequence[Action]) -> Action:
    """The action of a run that several events lead to."""
    return max(actions, key=STRENGTH.index)


def span_text(seconds: float) -> str:
    """A span of time as people say it: 45 s, 5 min, 36 h, 7 days."""
    for unit, length in (("days", DAY), ("h", HOUR), ("min", 60.0)):
        if seconds >= 2 * length or (seconds >= length and unit != "days"):
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"
