"""When a canary is good enough: the errors of two releases over the same time, compared with the noise in mind. Pure; knows no clock."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from serving.error_sums import ErrorSums


class Verdict(str, enum.Enum):
    """What is to be done."""

    WAIT = "wait"
    PROMOTE = "promote"
    ROLL_BACK = "roll back"


@dataclass(frozen=True)
class Rule:
    """What a canary has to show.

    Args:
        rows: labelled rows that the canary needs before it can be promoted; the champion needs as many as it, or `rows`.
        tolerance: its WAPE may be so many times the champion's.
        clearly_worse: from so many times the champion's on it is rolled back early,
        early_rows: with at least so many labelled rows on either side.
        sure: standard errors that a difference must have to count: 1.96 leaves one in twenty to chance, both sides together.
        failures: requests that it may fail,
        failed_share: or the share of all that it was asked, whichever is more.
        slower: its p95 and its p99 may be so many times the champion's,
        slow_s: and count as slow only from so many seconds on; where nobody measures how long answers take, they do not count.
        patience_s: seconds after which too few labels are reason enough to roll back.
    """

    rows: int = 72
    tolerance: float = 1.05
    clearly_worse: float = 1.5
    early_rows: int = 24
    sure: float = 1.96
    failures: int = 3
    failed_share: float = 0.01
    slower: float = 2.0
    slow_s: float = 0.1
    patience_s: float = 1800.0


@dataclass(frozen=True)
class Calls:
    """Requests that the canary was asked, and those that it failed: no answer, or an error of its own."""

    asked: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Latency:
    """Seconds within which 95 and 99 of 100 requests were answered."""

    p95_s: float
    p99_s: float


@dataclass(frozen=True)
class Latencies:
    """How long both sides take; None where too few requests were measured."""

    champion: Latency | None = None
    canary: Latency | None = None


NOT_MEASURED = Latencies()


@dataclass(frozen=True)
class Judgement:
    """The verdict, and a sentence for people."""

    verdict: Verdict
    reason: str


def judge(
    champion: ErrorSums,
    canary: ErrorSums,
    calls: Calls,
    waited_s: float,
    rule: Rule,
    latencies: Latencies = NOT_MEASURED,
) -> Judgement:
    """What to do with a canary, by the errors of both sides on the requests since it got its share, `waited_s` ago.

    The rows of the two sides are others, so their WAPEs differ by chance too. Both have a standard error; only a difference of
    `rule.sure` standard errors of it counts. Bad days hit both sides alike, so taking rows for independent errs on the careful side.
    """
    if calls.failed > max(rule.failures, rule.failed_share * calls.asked):
        said = f"the canary failed {calls.failed} of {calls.asked} requests"
        return Judgement(Verdict.ROLL_BACK, said)
    slow = _slow(latencies, rule)
    if slow:
        return Judgement(Verdict.ROLL_BACK, slow)
    compared = comparison(champion, canary)
    if min(champion.rows, canary.rows) >= min(rule.early_rows, rule.rows) and _is_worse(
        champion, canary, 1.0, rule, at_least=rule.clearly_worse
    ):
        return Judgement(Verdict.ROLL_BACK, f"the canary is clearly worse: {compared}")
    if min(champion.rows, canary.rows) < rule.rows:
        return _too_few(champion, canary, waited_s, rule)
    if _is_worse(champion, canary, rule.tolerance, rule):
        return Judgement(Verdict.ROLL_BACK, f"the canary is worse: {compared}")
    return Judgement(Verdict.PROMOTE, f"the canary is no worse: {compared}")


def comparison(champion: ErrorSums, canary: ErrorSums) -> str:
    """Both errors in words."""
    return (
        f"WAPE {canary.wape:.1%} on {canary.rows} requested rows, "
        f"the champion's {champion.wape:.1%} on {champion.rows} of the same time"
    )


def _slow(latencies: Latencies, rule: Rule) -> str:
    """In what the canary is too slow beside the champion; empty where it is not, or one of them was not measured."""
    if latencies.champion is None or latencies.canary is None:
        return ""
    for name, champion_s, canary_s in (
        ("p95", latencies.champion.p95_s, latencies.canary.p95_s),
        ("p99", latencies.champion.p99_s, latencies.canary.p99_s),
    ):
        if canary_s > max(rule.slow_s, rule.slower * champion_s):
            return f"the canary is slow: its {name} is {canary_s:.3g} s, the champion's {champion_s:.3g} s"
    return ""


def _is_worse(
    champion: ErrorSums, canary: ErrorSums, tolerance: float, rule: Rule, at_least: float = 0.0
) -> bool:
    """Whether the canary's WAPE is above `tolerance` × the champion's beyond the noise, and at least `at_least` × the champion's."""
    if canary.wape < at_least * champion.wape:
        return False
    noise = math.hypot(canary.noise, tolerance * champion.noise)
    return canary.wape - tolerance * champion.wape > rule.sure * noise


def _too_few(champion: ErrorSums, canary: ErrorSums, waited_s: float, rule: Rule) -> Judgement:
    few = (
        f"{canary.rows} of the canary's and {champion.rows} of the champion's, {rule.rows} of each are needed"
    )
    if waited_s < rule.patience_s:
        return Judgement(Verdict.WAIT, f"labelled rows so far: {few}")
    return Judgement(Verdict.ROLL_BACK, f"not enough labelled requests within {rule.patience_s:g} s: {few}")
