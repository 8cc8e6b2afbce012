"""What a rollout on a cluster does next, by what is there now. Pure; one function for each phase, and the table of them.

Every move is one write of one object, which says the new state and does it at once. So wherever a rollout is cut off, what is there is
one of these states, and anybody can go on from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from serving.cluster.api import Seen
from serving.cluster.availability import Pods, pods_of
from serving.cluster.deployment import (
    CANARY,
    MAIN,
    Object,
    ReleaseAt,
    main_of,
    predictor,
    release_of,
    shares,
    with_canary,
    with_main,
    with_share,
    without_canary,
)
from serving.cluster.prometheus import Measured
from serving.cluster.terms import Action, Registry, Terms
from serving.cluster.under_way import Ended, Phase, UnderWay, ended, noted
from serving.rollout import Verdict, judge
from serving.rollout_record import FAILED, PROMOTED, ROLLED_BACK


@dataclass(frozen=True)
class Write:
    """Write the object."""

    deployment: Object
    said: str


@dataclass(frozen=True)
class Wait:
    """Look again later."""

    said: str


@dataclass(frozen=True)
class Register:
    """Tell the registry."""


@dataclass(frozen=True)
class Follow:
    """Let what works beside the graph take the release up, wait for its pods, then finish."""


@dataclass(frozen=True)
class Refuse:
    """What was asked for cannot be done now."""

    said: str


_PROMOTED = (Phase.PROMOTING, Phase.REGISTERING, Phase.FOLLOWING)  # main has the release on trial
Move = Write | Wait | Register | Follow | Refuse


@dataclass(frozen=True)
class Situation:
    """What a decision rests on; `measured` is None where Prometheus does not answer, or was not asked."""

    seen: Seen
    rollout: UnderWay
    terms: Terms
    now: float
    measured: Measured | None

    def pods(self, name: str) -> Pods:
        """Those of a predictor."""
        return pods_of(self.seen.deployment, self.seen.deployments, name)


def begun(
    deployment: Object, candidate: ReleaseAt, steps: tuple[int, ...], registry: Registry, now: float
) -> Write:
    """The first move: a canary without a share."""
    champion = release_of(main_of(deployment))
    registers = registry is Registry.TELL
    rollout = UnderWay(candidate, champion, Phase.STARTING, steps, 0, now, registers, since=now)
    return Write(
        noted(with_canary(deployment, candidate), rollout),
        f"the canary takes {candidate.release} up beside {champion.release}",
    )


def next_move(situation: Situation) -> Move:
    """What to do now."""
    phase, why = situation.rollout.phase, _meddled(situation)
    if why:
        return undone(situation, FAILED if phase in _PROMOTED else ROLLED_BACK, why)
    return _PHASES[phase](situation)


def undone(situation: Situation, outcome: str, reason: str) -> Write:
    """Everything as it was: all requests are main's, main has its release again, the canary is gone."""
    rollout = situation.rollout
    before = without_canary(situation.seen.deployment)
    if release_of(main_of(before)) == rollout.candidate:
        before = with_main(before, rollout.champion)
    ending = Ended(rollout.candidate.release, rollout.started, outcome, reason)
    return Write(ended(before, ending), f"roll back: {reason}")


def finished(situation: Situation) -> Write:
    """The last move of a rollout that promoted: main has all requests, the canary is gone."""
    rollout = situation.rollout
    ending = Ended(rollout.candidate.release, rollout.started, PROMOTED, rollout.reason)
    return Write(
        ended(without_canary(situation.seen.deployment), ending),
        f"{rollout.candidate.release} answers all requests",
    )


def _meddled(situation: Situation) -> str:
    """What somebody else changed that a rollout rests on; empty where nothing was."""
    deployment, rollout = situation.seen.deployment, situation.rollout
    main, canary = release_of(main_of(deployment)), predictor(deployment, CANARY)
    promoted = rollout.phase in _PROMOTED
    expected = rollout.candidate if promoted else rollout.champion
    if main != expected:
        return f"somebody gave {MAIN} the release {main.release} meanwhile; roll out again"
    if promoted:
        return ""
    if canary is None or release_of(canary) != rollout.candidate:
        return "somebody removed the canary or gave it another release meanwhile; roll out again"
    share = shares(deployment)[CANARY]
    if share != rollout.share:
        return f"somebody changed the canary's share from {rollout.share} % to {share} % meanwhile"
    return ""


def _starting(situation: Situation) -> Move:
    pods = situation.pods(CANARY)
    if not pods.up:
        return _not_yet(situation, pods, ROLLED_BACK, "the canary")
    rollout = situation.rollout.moved(Phase.SHARING, situation.now, shared=situation.now)
    return _share(situation, rollout)


def _share(situation: Situation, rollout: UnderWay) -> Write:
    changed = with_share(situation.seen.deployment, rollout.share)
    return Write(
        noted(changed, rollout),
        f"{rollout.candidate.release} answers {rollout.share} % of the requests, {rollout.champion.release} the others",
    )


def _sharing(situation: Situation) -> Move:
    rollout, rule, measured = situation.rollout, situation.terms.rule, situation.measured
    waited_s = situation.now - rollout.shared
    pods = situation.pods(CANARY)
    if pods.failed or not pods.ready:  # what no pod takes, no executor counts
        return undone(situation, ROLLED_BACK, f"the canary's pods fail: {pods.said}")
    if measured is None:
        return _blind(situation, waited_s)
    judgement = judge(measured.champion, measured.canary, measured.calls, waited_s, rule, measured.latencies)
    if judgement.verdict is Verdict.ROLL_BACK:
        return undone(situation, ROLLED_BACK, judgement.reason)
    return _SHARING[situation.terms.action](situation, measured, judgement.verdict, judgement.reason)


def _blind(situation: Situation, waited_s: float) -> Move:
    """Without Prometheus nothing is promoted."""
    silent = "Prometheus does not answer, and nothing is promoted without it"
    if situation.terms.action is not Action.WHOLE:
        return Refuse(silent)
    if waited_s < situation.terms.rule.patience_s:
        return Wait(silent)
    return undone(situation, ROLLED_BACK, silent)


def _goes_on(situation: Situation, measured: Measured, verdict: Verdict, reason: str) -> Move:
    """Every share is held for a while; behind the last one stands the verdict."""
    rollout = situation.rollout
    left_s = situation.terms.hold_s - (situation.now - rollout.since)
    if left_s > 0:
        return Wait(f"{rollout.share} % for {left_s:.0f} s more; {reason}")
    if rollout.step + 1 < len(rollout.steps):
        if measured.calls.asked == 0:
            return Wait(f"no request of the canary has been counted yet at {rollout.share} %")
        return _stepped(situation)
    return _promoted(situation, reason) if verdict is Verdict.PROMOTE else Wait(reason)


def _steps_now(situation: Situation, measured: Measured, verdict: Verdict, reason: str) -> Move:
    rollout = situation.rollout
    if rollout.step + 1 < len(rollout.steps):
        return _stepped(situation)
    return Refuse(f"the canary has its last share, {rollout.share} %; promote it or abort ({reason})")


def _promotes_now(situation: Situation, measured: Measured, verdict: Verdict, reason: str) -> Move:
    if verdict is Verdict.PROMOTE:
        return _promoted(situation, reason)
    return Refuse(f"it is too early to promote ({reason})")


def _stepped(situation: Situation) -> Write:
    rollout = situation.rollout
    return _share(situation, rollout.moved(Phase.SHARING, situation.now, step=rollout.step + 1))


def _promoted(situation: Situation, reason: str) -> Write:
    rollout = situation.rollout.moved(Phase.PROMOTING, situation.now, reason=reason)
    changed = with_main(situation.seen.deployment, rollout.candidate)
    return Write(noted(changed, rollout), f"promote: {reason}")


def _promoting(situation: Situation) -> Move:
    pods = situation.pods(MAIN)
    if not pods.up:
        return _not_yet(situation, pods, FAILED, MAIN)
    if not situation.rollout.registers or situation.terms.registry is Registry.LEAVE:
        return followed_next(situation)
    return _noted(situation, Phase.REGISTERING, f"{MAIN} serves {situation.rollout.candidate.release}")


def followed_next(situation: Situation) -> Write:
    """From here on there is no way back: the release is the champion."""
    return _noted(situation, Phase.FOLLOWING, f"{situation.rollout.candidate.release} is the champion")


def _noted(situation: Situation, phase: Phase, said: str) -> Write:
    rollout = situation.rollout.moved(phase, situation.now)
    return Write(noted(situation.seen.deployment, rollout), said)


def _registering(situation: Situation) -> Move:
    return _REGISTERING[situation.terms.registry](situation)


def _cannot_register(situation: Situation) -> Move:
    return Refuse(
        f"{MAIN} serves it, and the registry has to be told, but this workspace has no such release; run the same command "
        "where the rollout began, or with --no-registry"
    )


def _not_yet(situation: Situation, pods: Pods, outcome: str, who: str) -> Move:
    """Wait for pods, but not for ever."""
    name, limit_s = situation.rollout.candidate.release, situation.terms.available_s
    if pods.failed:
        return undone(situation, outcome, f"{who} does not come up with {name}: {pods.failed}")
    if situation.now - situation.rollout.since > limit_s:
        return undone(
            situation,
            outcome,
            f"{who} did not come up with {name} within {limit_s:g} s: {pods.said}{_seldon_says(situation)}",
        )
    return Wait(f"{who} with {name}: {pods.said}")


def _seldon_says(situation: Situation) -> str:
    """What Seldon's operator says where it has failed; it may be of before, so it decides nothing."""
    status = situation.seen.deployment.get("status") or {}
    return f" (Seldon says: {status.get('description', '')})" if status.get("state") == "Failed" else ""


_PHASES: dict[Phase, Callable[[Situation], Move]] = {
    Phase.STARTING: _starting,
    Phase.SHARING: _sharing,
    Phase.PROMOTING: _promoting,
    Phase.REGISTERING: _registering,
    Phase.FOLLOWING: lambda _: Follow(),
}
_REGISTERING: dict[Registry, Callable[[Situation], Move]] = {
    Registry.TELL: lambda _: Register(),
    Registry.LEAVE: followed_next,
    Registry.UNKNOWN: _cannot_register,
}
_SHARING: dict[Action, Callable[[Situation, Measured, Verdict, str], Move]] = {
    Action.WHOLE: _goes_on,
    Action.STEP: _steps_now,
    Action.PROMOTE: _promotes_now,
}
