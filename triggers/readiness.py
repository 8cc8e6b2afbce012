"""Whether a run that waits may start: which of its reasons still hold, and whether one of them is due by itself."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from triggers.events import RELEASE, Facts, Kind
from triggers.policy import BY_KIND, VERDICTS, Action, Rule, moment_text


@dataclass(frozen=True)
class Reason:
    """What a waiting run was asked for, with how things stand now. Times are in seconds since 1970, by the service's clock.

    Args:
        event: the newest event that gave this reason.
        kind: of the event.
        facts: of the event.
        verdict: the newest one about the same subject and release (None: the kind has no verdicts).
        due: when a run may start for this reason at the earliest, as it was decided.
        decided: when that was decided first.
    """

    event: str
    kind: Kind
    facts: Facts
    verdict: bool | None = None
    due: float = 0.0
    decided: float = 0.0


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
    now: float,
    champion: str,
    new_data: bool | None,
    last_promotion: float | None = None,
    rules: Mapping[Kind, Rule] = BY_KIND,
) -> Readiness:
    """Whether a run may start at `now` (service clock): it may when one of the reasons that still hold is due by itself.

    Args:
        new_data: whether there is data that no run has tried yet (None: unknown). What the run takes in is such data too.
        last_promotion: when a release was promoted last; the quiet after it counts for reasons that came before it, too.
    """
    holding = [reason for reason in reasons if not _lapsed(reason, champion)]
    if not holding:
        lapsed = "; ".join(dict.fromkeys(_lapsed(reason, champion) for reason in reasons))
        return Readiness(Ready.DROP, lapsed or "it has no reason any more")
    data_from = now if new_data is not False else _brings_data_at(holding, rules)
    waits = [_wait(reason, rules[reason.kind], last_promotion, data_from) for reason in holding]
    if any(wait.until is not None and wait.until <= now for wait in waits):
        return Readiness(Ready.LAUNCH, "; ".join(dict.fromkeys(rules[reason.kind].why for reason in holding)))
    return Readiness(Ready.WAIT, "; ".join(dict.fromkeys(_waits_for(wait) for wait in waits)))


@dataclass(frozen=True)
class _Wait:
    """Until when a reason waits (None: until there is data), and which rule says so."""

    rule: Rule
    until: float | None


def _wait(reason: Reason, rule: Rule, last_promotion: float | None, data_from: float | None) -> _Wait:
    until = reason.due
    if last_promotion is not None and rule.quiet_s:
        until = max(until, last_promotion + rule.quiet_s)
    if not rule.needs_new_data:
        return _Wait(rule, until)
    return _Wait(rule, None if data_from is None else max(until, data_from))


def _brings_data_at(holding: Iterable[Reason], rules: Mapping[Kind, Rule]) -> float | None:
    """When the first upload that the run takes in has settled: those who wait for data need not wait for its cool-down."""
    takes_in = (reason for reason in holding if rules[reason.kind].action is Action.TAKE_IN)
    return min((reason.decided + rules[reason.kind].settle_s for reason in takes_in), default=None)


def _waits_for(wait: _Wait) -> str:
    if wait.until is None:
        return "it waits for data that no run has tried yet"
    return f"{wait.rule.why}, for which nothing starts before {moment_text(wait.until)}"


def _lapsed(reason: Reason, champion: str) -> str:
    """Why a reason holds no more; empty where it does."""
    if reason.kind not in VERDICTS:
        return ""
    accused = reason.facts.get(RELEASE)
    if accused and champion and accused != champion:
        return f"{accused} no longer serves"
    return "the newest verdict is that nothing drifts any more" if reason.verdict is False else ""
