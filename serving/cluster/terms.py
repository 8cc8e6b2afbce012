"""What is asked of a rollout on a cluster, and what it has to keep to."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from serving.rollout import Rule


class Action(str, enum.Enum):
    """How much of a rollout is asked for."""

    WHOLE = "whole"
    START = "start"
    STEP = "step"
    PROMOTE = "promote"
    ABORT = "abort"
    STATUS = "status"


class Registry(enum.Enum):
    """Whether the registry hears of a promotion: it does, it must not, or nobody here can tell it."""

    TELL = "tell"
    LEAVE = "leave"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Terms:
    """What a rollout has to keep to.

    Args:
        rule: what the canary has to show.
        hold_s: seconds that it has each share at least.
        available_s: seconds within which pods have to be ready.
        registry: whether the registry is told of a promotion.
        action: how much is asked for.
    """

    rule: Rule
    hold_s: float
    available_s: float
    registry: Registry
    action: Action = Action.WHOLE
