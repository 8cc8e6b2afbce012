"""Carries a rollout out on a cluster: look, decide, write, and again, until it is over or as far as was asked for.

It keeps nothing to itself that the next one would need. Killed anywhere, it is taken up by the same command, also on another machine; two
of them at once do no harm, because a write that rests on an old look is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pedalflow.errors import PedalflowError, RunFailed, ServingFailed, SettingsError
from serving.cluster.api import Cluster, Follower, Seen
from serving.cluster.availability import pods_of, with_version
from serving.cluster.deployment import CANARY, MAIN, ReleaseAt, main_of, predictor, release_of, shares
from serving.cluster.moves import (
    Follow,
    Move,
    Refuse,
    Register,
    Situation,
    Wait,
    Write,
    begun,
    finished,
    followed_next,
    next_move,
    undone,
)
from serving.cluster.prometheus import Measured, Prometheus, PrometheusSilent, Side
from serving.cluster.terms import Action, Terms
from serving.cluster.under_way import Ended, Phase, UnderWay, last_ended, under_way
from serving.rollout_record import FAILED, PROMOTED, ROLLED_BACK, RolloutRecord
from serving.rollout_record import Side as RecordedSide

SAY_EVERY_S = 10.0
STOPPED = "stopped by hand"


@dataclass(frozen=True)
class ClusterTrial:
    """One rollout on a cluster: where, the release and its shares, its terms, and what tells the registry of a promotion."""

    cluster: Cluster
    prometheus: Prometheus
    candidate: ReleaseAt
    steps: tuple[int, ...]
    terms: Terms
    register: Callable[[str], None]
    say: Callable[[str], None]


@dataclass
class _Told:
    """What this process has seen of the rollout: as it was first and last, the last figures, and what was said last."""

    first: UnderWay | None = None
    last: UnderWay | None = None
    measured: Measured | None = None
    said: str = ""
    said_at: float = 0.0


def rolled_out(trial: ClusterTrial) -> RolloutRecord | None:
    """Carry the rollout out, or the part that was asked for; None where it is not over with that.

    Raises:
        SettingsError: the rollout of another release is under way.
        RunFailed: what was asked for cannot be done now.
        ServingFailed: the API server or, at the beginning, Prometheus does not answer, or what is there cannot be worked on.
    """
    told = _Told()
    while True:
        seen = trial.cluster.look()
        rollout = under_way(seen.deployment)
        if rollout is None and told.last is not None:
            return _over(trial, told, told.last, seen)
        if rollout is None:
            if release_of(main_of(seen.deployment)).checksum == trial.candidate.checksum:
                return _serves_already(trial)
            _begin(trial, seen)
            continue
        _check_same(trial, rollout)
        told.first, told.last = told.first or rollout, rollout
        if _far_enough(trial.terms.action, told.first, rollout):
            return None
        _go_on(trial, told, _situation(trial, seen, rollout, told))


def aborted(cluster: Cluster, terms: Terms, say: Callable[[str], None]) -> str | None:
    """Take the canary's share back and remove it; the release that was on trial, or None where no rollout is under way.

    Raises RunFailed where the release is being registered: then there is nothing left to compare, and it is better to end it.
    """
    stopped: UnderWay | None = None
    while True:
        seen = cluster.look()
        rollout = under_way(seen.deployment)
        if rollout is None:
            return stopped.candidate.release if stopped else None
        name = rollout.candidate.release
        if rollout.phase in (Phase.REGISTERING, Phase.FOLLOWING):
            raise RunFailed(
                f"{MAIN} serves {name} already, and the registry and the detectors hear of it; `pedalflow rollout {name} --cluster` "
                "ends it"
            )
        move = undone(Situation(seen, rollout, terms, time.time(), None), ROLLED_BACK, STOPPED)
        if cluster.write(move.deployment):
            say(move.said)
        stopped = rollout


def settled(cluster: Cluster, within_s: float, say: Callable[[str], None]) -> None:
    """Wait until main's pods are all there and the canary's are gone. Raises ServingFailed where that takes too long."""
    deadline, said = time.monotonic() + within_s, ""
    while True:
        seen = cluster.look()
        pods = pods_of(seen.deployment, seen.deployments, MAIN)
        left = predictor(seen.deployment, CANARY) is None and with_version(seen.deployments, CANARY)
        if pods.up and not left:
            return
        what = "the canary's pods are going" if pods.up else f"{MAIN}: {pods.said}"
        if time.monotonic() >= deadline:
            raise ServingFailed(
                f"{MAIN} should serve {release_of(main_of(seen.deployment)).release} alone, but after {within_s:g} s that is not so "
                f"({what}); look at the pods with: kubectl get pods -n {cluster.namespace}"
            )
        if what != said:
            say(what)
            said = what
        time.sleep(cluster.pace.poll_s)


def _begin(trial: ClusterTrial, seen: Seen) -> None:
    """Put a canary beside main, once everything that a verdict needs is there."""
    name = trial.candidate.release
    if trial.terms.action in (Action.STEP, Action.PROMOTE):
        raise RunFailed(f"no rollout is under way; `pedalflow rollout {name} --cluster start` begins one")
    standing = shares(seen.deployment).get(CANARY, 0)
    if standing:
        raise ServingFailed(
            f"there is a predictor {CANARY} with {standing} % of the requests that no rollout put there; remove it first"
        )
    trial.prometheus.check()
    move = begun(seen.deployment, trial.candidate, trial.steps, trial.terms.registry, time.time())
    if trial.cluster.write(move.deployment):
        trial.say(move.said)


def _check_same(trial: ClusterTrial, rollout: UnderWay) -> None:
    other = rollout.candidate
    if other != trial.candidate:
        raise SettingsError(
            f"a rollout of {other.release} from {other.uri} is under way ({rollout.phase.value}); let `pedalflow rollout "
            f"{other.release} --cluster` end it, or stop it with `pedalflow rollout --cluster abort`"
        )


def _far_enough(action: Action, first: UnderWay, rollout: UnderWay) -> bool:
    """Whether what was asked for is done, though the rollout is not over."""
    if action is Action.START:
        return rollout.phase is not Phase.STARTING
    return action is Action.STEP and rollout.step > first.step


def _situation(trial: ClusterTrial, seen: Seen, rollout: UnderWay, told: _Told) -> Situation:
    now, measured = time.time(), None
    if rollout.phase is Phase.SHARING:
        cluster = trial.cluster
        side = Side(
            cluster.namespace,
            cluster.name,
            rollout.champion.release,
            rollout.candidate.release,
            rollout.shared,
        )
        try:
            measured = trial.prometheus.measured(side, now)
        except PrometheusSilent as error:
            _say(trial, told, str(error))
        told.measured = measured or told.measured
    return Situation(seen, rollout, trial.terms, now, measured)


def _go_on(trial: ClusterTrial, told: _Told, situation: Situation) -> None:
    """Do the next move."""
    move = next_move(situation)
    if isinstance(move, Register):
        move = _registered(trial, situation)
    if isinstance(move, Follow):
        move = _followed(trial, situation)
    if isinstance(move, Refuse):
        raise RunFailed(f"{situation.rollout.candidate.release} stays as it is: {move.said}")
    if isinstance(move, Wait):
        _say(trial, told, move.said)
        time.sleep(trial.cluster.pace.poll_s)
    elif isinstance(move, Write) and trial.cluster.write(move.deployment):
        trial.say(move.said)


def _registered(trial: ClusterTrial, situation: Situation) -> Move:
    """Tell the registry, which may have been told before; where it refuses, everything goes back."""
    try:
        trial.register(situation.rollout.candidate.release)
    except PedalflowError as error:
        return undone(situation, FAILED, str(error))
    return followed_next(situation)


def _followed(trial: ClusterTrial, situation: Situation) -> Move:
    """Let everything that works with the champion take it up, and wait for its pods; what was told before stays untouched."""
    release, followers = situation.rollout.candidate, trial.cluster.followers()
    untold = [follower for follower in followers if follower.release != release.release]
    for follower in untold:
        if trial.cluster.point(follower, release):
            trial.say(f"{follower.name} takes {release.release} up")
    if untold:
        return Wait(f"{untold[-1].name} is told of {release.release}")
    return _awaited(trial, situation, followers)


def _awaited(trial: ClusterTrial, situation: Situation, followers: list[Follower]) -> Move:
    """The end once all of their pods are there; what does not come up is said, and holds no champion up for ever."""
    late = "; ".join(f"{each.name}: {each.pods.said}" for each in followers if not each.pods.up)
    if not late:
        return finished(situation)
    limit_s = trial.terms.available_s
    if situation.now - situation.rollout.since <= limit_s:
        return Wait(late)
    trial.say(
        f"warning: {situation.rollout.candidate.release} is the champion, but after {limit_s:g} s not everything works with it ({late}); "
        f"look at the pods with: kubectl get pods -n {trial.cluster.namespace}"
    )
    return finished(situation)


def _say(trial: ClusterTrial, told: _Told, said: str) -> None:
    """What is waited for, when it is another thing or some time has passed."""
    now = time.monotonic()
    if said != told.said and now >= told.said_at + SAY_EVERY_S:
        trial.say(said)
        told.said, told.said_at = said, now


def _serves_already(trial: ClusterTrial) -> RolloutRecord:
    """An earlier rollout promoted it, or it was applied so: nothing is compared."""
    name, now = trial.candidate.release, time.time()
    return RolloutRecord(
        release=name,
        outcome=PROMOTED,
        reason="it serves already",
        champion=RecordedSide(name),
        canary=RecordedSide(name),
        times={"started": now, "finished": now},
    )


def _over(trial: ClusterTrial, told: _Told, rollout: UnderWay, seen: Seen) -> RolloutRecord:
    """The record of the rollout that this process took part in."""
    ending = last_ended(seen.deployment)
    if ending is None or ending.started != rollout.started:
        raise RunFailed(
            f"somebody removed what the SeldonDeployment said of the rollout of {rollout.candidate.release}; look at its predictors, "
            "then roll out again"
        )
    return _record(trial, rollout, told.measured or Measured(), ending)


def _record(trial: ClusterTrial, rollout: UnderWay, measured: Measured, ending: Ended) -> RolloutRecord:
    return RolloutRecord(
        release=ending.release,
        outcome=ending.outcome,
        reason=ending.reason,
        champion=RecordedSide(rollout.champion.release, measured.champion),
        canary=RecordedSide(rollout.candidate.release, measured.canary),
        percent=float(rollout.share),
        calls=measured.calls,
        latencies=measured.latencies,
        rule=trial.terms.rule,
        times={"started": rollout.started, "shared": rollout.shared, "finished": time.time()},
    )
