"""What each task may use, how often it is tried, and whether the cache may answer for it, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Policy:
    """CPUs and gigabytes that a task may use (it asks for half), how often it is tried again, and whether the cache may answer for it."""

    cpus: float = 1.0
    gigabytes: float = 2.0
    retries: int = 1
    cached: bool = True


# A gate that refuses would refuse again; what talks to others is tried more often, and its effect is outside the cache.
TASKS: Mapping[str, Policy] = {
    "RunPlan": Policy(retries=0),
    "ChampionModel": Policy(gigabytes=1.0),
    "CuratedSchema": Policy(gigabytes=1.0),
    "SpanExampleGen": Policy(gigabytes=3.0),
    "StatisticsGen": Policy(gigabytes=3.0),
    "ExampleValidator": Policy(),
    "AnomalyGate": Policy(gigabytes=1.0, retries=0),
    "Transform": Policy(cpus=2.0, gigabytes=4.0),
    "Trainer": Policy(cpus=2.0, gigabytes=4.0),
    "Evaluator": Policy(cpus=2.0, gigabytes=4.0),
    "AcceptanceGate": Policy(retries=0),
    "DetectorFitter": Policy(cpus=2.0, gigabytes=3.0),
    "ReleaseBuilder": Policy(),
    "MlflowRegistrar": Policy(retries=3, cached=False),
    "ReleasePusher": Policy(retries=3, cached=False),
    "RunCompletion": Policy(gigabytes=1.0, retries=3, cached=False),
}
BACKOFF: Mapping[str, Any] = {"backoffDuration": "15s", "backoffFactor": 2.0, "backoffMaxDuration": "300s"}
