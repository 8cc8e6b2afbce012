"""What a SeldonDeployment's annotations say of rollouts: how far one is, and how the last one ended. Nothing else remembers it."""

from __future__ import annotations

import copy
import enum
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from pedalflow.errors import ServingFailed
from serving.cluster.deployment import Object, ReleaseAt

UNDER_WAY, LAST = "pedalflow.dev/rollout", "pedalflow.dev/last-rollout"


class Phase(str, enum.Enum):
    """How far a rollout is."""

    STARTING = "starting"  # the canary comes up, without a share
    SHARING = "sharing"  # it answers its share of the requests
    PROMOTING = "promoting"  # the verdict is good, and main takes the release up
    REGISTERING = "registering"  # main serves it, and the registry is told
    FOLLOWING = "following"  # it is promoted, and the detectors and the explainer take it up too


@dataclass(frozen=True)
class UnderWay:
    """A rollout that is under way; moments are seconds since 1970.

    Args:
        candidate: the release on trial.
        champion: the release that main served when it began, and goes back to.
        phase: how far it is.
        steps: the shares in percent that the canary is given, one after the other.
        step: which of them it has.
        started: when it began, by which it is known.
        registers: whether the registry is to be told of a promotion.
        since: when this phase, or this step of it, began.
        shared: when the canary got its first share; 0 before that.
        reason: why it is promoted, once it is.
    """

    candidate: ReleaseAt
    champion: ReleaseAt
    phase: Phase
    steps: tuple[int, ...]
    step: int
    started: float
    registers: bool
    since: float
    shared: float = 0.0
    reason: str = ""

    @property
    def share(self) -> int:
        """The canary's share in percent."""
        return 0 if self.phase is Phase.STARTING else self.steps[self.step]

    def moved(self, phase: Phase, now: float, **more: Any) -> UnderWay:
        """The same rollout in another phase, or another step, from now on."""
        return replace(self, phase=phase, since=now, **more)


@dataclass(frozen=True)
class Ended:
    """How a rollout ended: the release, when it had begun, PROMOTED, ROLLED_BACK or FAILED, and a sentence."""

    release: str
    started: float
    outcome: str
    reason: str


def under_way(deployment: Object) -> UnderWay | None:
    """The rollout that is under way. Raises ServingFailed where its annotation cannot be read."""
    content = _annotation(deployment, UNDER_WAY)
    if content is None:
        return None
    try:
        rollout = UnderWay(
            **{
                **content,
                "candidate": ReleaseAt(**content["candidate"]),
                "champion": ReleaseAt(**content["champion"]),
                "phase": Phase(content["phase"]),
                "steps": tuple(int(share) for share in content["steps"]),
            }
        )
        rollout.steps[rollout.step]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise _unreadable(UNDER_WAY) from error
    return rollout


def last_ended(deployment: Object) -> Ended | None:
    """How the last rollout ended; None where there was none, or what is said of it cannot be read."""
    try:
        content = _annotation(deployment, LAST)
        return None if content is None else Ended(**content)
    except (ServingFailed, TypeError):
        return None


def noted(deployment: Object, rollout: UnderWay) -> Object:
    """The object with the rollout's state."""
    return _annotated(deployment, {UNDER_WAY: json.dumps(asdict(rollout), sort_keys=True)})


def ended(deployment: Object, ending: Ended) -> Object:
    """The object with no rollout under way and the end of the last one."""
    changed = _annotated(deployment, {LAST: json.dumps(asdict(ending), sort_keys=True)})
    changed["metadata"]["annotations"].pop(UNDER_WAY, None)
    return changed


def _annotation(deployment: Object, key: str) -> dict[str, Any] | None:
    text = (deployment["metadata"].get("annotations") or {}).get(key)
    if text is None:
        return None
    try:
        content = json.loads(text)
    except ValueError as error:
        raise _unreadable(key) from error
    if not isinstance(content, dict):
        raise _unreadable(key)
    return content


def _unreadable(key: str) -> ServingFailed:
    return ServingFailed(
        f"the annotation {key} of the SeldonDeployment cannot be read; look at the predictors and their traffic, "
        f"apply the manifests without a canary, and remove it with: kubectl annotate sdep NAME {key}-"
    )


def _annotated(deployment: Object, annotations: dict[str, str]) -> Object:
    changed = copy.deepcopy(deployment)
    changed["metadata"]["annotations"] = {**(changed["metadata"].get("annotations") or {}), **annotations}
    return changed
