"""A rollout, step by step: the canary takes a release up, gets its share, errors are compared, and the release is promoted or rolled back.

It may be killed at any moment: the next rollout takes the share back first, and `serve` does so when it starts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from pedalflow.champion import Pointer, read_pointer, write_pointer
from pedalflow.errors import PedalflowError, RunFailed, ServingFailed
from pedalflow.workspace import Workspace
from serving import local
from serving.error_sums import ErrorSums
from serving.events import rfc3339
from serving.local import Wish
from serving.rollout import Calls, Judgement, Rule, Verdict, judge
from serving.rollout_record import FAILED, PROMOTED, ROLLED_BACK, RolloutRecord, Side, keep
from serving.rollout_watch import Watch
from serving.running import Servers, running
from serving.traffic import write_percent

TAKEN_UP_WITHIN_S = 60.0
POLL_S = 0.5
SAY_EVERY_S = 5.0
_NOTHING = ErrorSums(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

Promote = Callable[[Workspace, str], None]


@dataclass(frozen=True)
class Trial:
    """One rollout: the workspace, the release on trial, its share in percent, what it has to show, and what promotes it."""

    workspace: Workspace
    candidate: Pointer
    percent: float
    rule: Rule
    promote: Promote
    say: Callable[[str], None]

    @property
    def files(self) -> Wish:
        """Where `serve` has the files of this workspace."""
        return Wish(release=self.workspace.champion, state=self.workspace.serving)


@dataclass(frozen=True)
class Seen:
    """What was compared, and when the canary got its share (seconds since 1970; 0: it did not come so far)."""

    champion: ErrorSums = _NOTHING
    canary: ErrorSums = _NOTHING
    calls: Calls = field(default_factory=Calls)
    shared: float = 0.0


def rolled_out(trial: Trial) -> RolloutRecord:
    """Carry the rollout out and keep its record.

    Raises:
        RunFailed: the release was good, but could not be promoted.
        ServingFailed: the servers stopped meanwhile, or serve something else than the workspace's champion.
    """
    started = time.time()
    champion = _champion(trial.workspace)
    servers = running(trial.workspace.serving)
    if champion is not None and champion.release == trial.candidate.release:
        record = _finished(trial, servers)
    elif champion is None or servers is None or not servers.canary:
        record = _promoted_at_once(trial, champion, servers)
    else:
        record = _tried(trial, champion, servers)
    times = {"started": started, **record.times, "finished": time.time()}
    record = replace(record, times=times)
    keep(trial.workspace.rollouts, record)
    if record.outcome == FAILED:
        raise RunFailed(record.reason)
    return record


def _finished(trial: Trial, servers: Servers | None) -> RolloutRecord:
    """An earlier rollout of the release was stopped after it had promoted it: what it left to do is done now."""
    name = trial.candidate.release
    with _shares_taken_back(trial):
        if servers is not None and _follow_champion(trial, servers):
            _wait_for_predictor(trial, Watch(servers))
    return RolloutRecord(name, PROMOTED, "it serves already", Side(name), Side(name))


def _promoted_at_once(trial: Trial, champion: Pointer | None, servers: Servers | None) -> RolloutRecord:
    """Where there is nothing to compare on. What was rolled back before stays so: nothing shows that it would do better now."""
    name = trial.candidate.release
    sides = Side(champion.release if champion else None), Side(name)
    why = (
        "no servers run here"
        if servers is None
        else "the servers have no canary (`pedalflow serve --canary`)"
    )
    if _was_rolled_back(trial.workspace, name):
        reason = f"it was rolled back before, and {why}; start `pedalflow serve --canary` to try it once more"
        return RolloutRecord(name, ROLLED_BACK, reason, *sides)
    reason = f"{why}, so it was promoted at once"
    trial.say(f"{why}: {name} is promoted at once")
    trial.promote(trial.workspace, name)
    if servers is not None and _follow_champion(trial, servers):
        _wait_for_predictor(trial, Watch(servers))
    return RolloutRecord(name, PROMOTED, reason, *sides)


def _was_rolled_back(workspace: Workspace, release: str) -> bool:
    """Whether the last rollout of the release took it back."""
    records = sorted(workspace.rollouts.glob(f"*-{release}.json"))
    return bool(records) and json.loads(records[-1].read_text(encoding="utf-8"))["outcome"] == ROLLED_BACK


def _follow_champion(trial: Trial, servers: Servers) -> bool:
    """Whether the servers take up whoever becomes champion; `serve --release` serves one release for good."""
    return servers.release == str(trial.workspace.champion)


def _tried(trial: Trial, champion: Pointer, servers: Servers) -> RolloutRecord:
    """With a share of the traffic."""
    if not _follow_champion(trial, servers):
        raise ServingFailed(
            f"the servers serve {servers.release} whoever is champion; start them without --release, then roll out again"
        )
    watch = Watch(servers)
    with _shares_taken_back(trial):
        judgement, seen = _on_trial(trial, champion, watch)
        decided = time.time()
        outcome, reason = _done(trial, judgement, watch)
    times = {"shared": seen.shared, "decided": decided}
    return RolloutRecord(
        release=trial.candidate.release,
        outcome=outcome,
        reason=reason,
        champion=Side(champion.release, seen.champion),
        canary=Side(trial.candidate.release, seen.canary),
        percent=trial.percent,
        calls=seen.calls,
        rule=trial.rule,
        times=times,
    )


@contextmanager
def _shares_taken_back(trial: Trial) -> Iterator[None]:
    """Before the block and after it all traffic is the champion's, and then the canary answers with the champion too."""
    try:
        write_percent(trial.files.traffic, 0)
        yield
    finally:
        write_percent(trial.files.traffic, 0)
        champion = _champion(trial.workspace)
        if champion is not None:
            write_pointer(trial.files.canary_pointer, champion)


def _on_trial(trial: Trial, champion: Pointer, watch: Watch) -> tuple[Judgement, Seen]:
    """Let the canary take the release up, give it its share, and wait for a verdict."""
    name = trial.candidate.release
    write_pointer(trial.files.canary_pointer, trial.candidate)
    if not _within(TAKEN_UP_WITHIN_S, trial, lambda: watch.serves(local.CANARY, name)):
        why = (
            f"the canary did not take it up within {TAKEN_UP_WITHIN_S:g} s; its log is in {trial.files.logs}"
        )
        return Judgement(Verdict.ROLL_BACK, why), Seen()
    before = watch.calls()
    write_percent(trial.files.traffic, trial.percent)
    trial.say(f"{name} answers {trial.percent:g} % of the requests, {champion.release} the others")
    return _watched(trial, champion, watch, before, Seen(shared=time.time()))


def _watched(
    trial: Trial, champion: Pointer, watch: Watch, before: Calls, seen: Seen
) -> tuple[Judgement, Seen]:
    """Look until there is a verdict."""
    say_again = 0.0
    while True:
        _check_servers(trial)
        if _champion(trial.workspace) != champion:
            why = f"{champion.release} is no longer the champion that it was compared with; roll out again"
            return Judgement(Verdict.ROLL_BACK, why), seen
        seen = _looked(trial, champion, watch, before, seen)
        waited_s = time.time() - seen.shared
        judgement = judge(seen.champion, seen.canary, seen.calls, waited_s, trial.rule)
        if judgement.verdict is not Verdict.WAIT:
            return judgement, seen
        if waited_s >= say_again:
            trial.say(judgement.reason)
            say_again = waited_s + SAY_EVERY_S
        time.sleep(POLL_S)


def _looked(trial: Trial, champion: Pointer, watch: Watch, before: Calls, seen: Seen) -> Seen:
    """What there is now; where a part does not answer, which may be starting again, what there was."""
    try:
        errors, calls = watch.errors(rfc3339(seen.shared)), watch.calls()
    except ServingFailed as error:
        trial.say(f"{error}; trying again")
        return seen
    new = Calls(max(0, calls.asked - before.asked), max(0, calls.failed - before.failed))
    return replace(
        seen,
        champion=errors.get(champion.release, _NOTHING),
        canary=errors.get(trial.candidate.release, _NOTHING),
        calls=new,
    )


def _done(trial: Trial, judgement: Judgement, watch: Watch) -> tuple[str, str]:
    """Do what the verdict says; outcome and reason."""
    trial.say(f"{judgement.verdict.value}: {judgement.reason}")
    if judgement.verdict is Verdict.ROLL_BACK:
        return ROLLED_BACK, judgement.reason
    try:
        trial.promote(trial.workspace, trial.candidate.release)
    except PedalflowError as error:
        return FAILED, f"{error}; {judgement.reason}"
    _wait_for_predictor(trial, watch)
    return PROMOTED, judgement.reason


def _wait_for_predictor(trial: Trial, watch: Watch) -> None:
    """Raises ServingFailed where the predictor does not take up the champion."""
    name = trial.candidate.release
    if not _within(TAKEN_UP_WITHIN_S, trial, lambda: watch.serves(local.PREDICTOR, name)):
        raise ServingFailed(
            f"{name} is the champion, but the predictor did not take it up within {TAKEN_UP_WITHIN_S:g} s; its log is in {trial.files.logs}"
        )


def _within(seconds: float, trial: Trial, holds: Callable[[], bool]) -> bool:
    """Wait until it holds; a part that does not answer yet is asked again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        _check_servers(trial)
        with suppress(ServingFailed):
            if holds():
                return True
        time.sleep(POLL_S / 5)
    return False


def _check_servers(trial: Trial) -> None:
    if running(trial.workspace.serving) is None:
        raise ServingFailed("the servers stopped during the rollout; start them, and roll out again")


def _champion(workspace: Workspace) -> Pointer | None:
    """Whom the pointer names; None where nobody serves yet."""
    return read_pointer(workspace.champion) if workspace.champion.exists() else None
