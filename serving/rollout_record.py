"""What a rollout came to, as it is printed and kept in `state/rollouts/`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pedalflow.whole_files import write_whole
from serving.error_sums import ErrorSums
from serving.rollout import NOT_MEASURED, Calls, Latencies, Rule

PROMOTED, ROLLED_BACK, FAILED = "promoted", "rolled back", "failed"


@dataclass(frozen=True)
class Side:
    """A release and its errors during the rollout; without a release there was none."""

    release: str | None
    errors: ErrorSums | None = None

    def shown(self) -> dict[str, Any]:
        """As it is printed."""
        if self.errors is None:
            return {"release": self.release}
        errors = self.errors
        figures = {"rmse": errors.rmse, "wape": errors.wape, "bias": errors.bias}
        return {"release": self.release, "rows": errors.rows, **figures, "sums": asdict(errors)}


@dataclass(frozen=True)
class RolloutRecord:
    """A rollout that is over.

    Args:
        release: the release on trial.
        outcome: PROMOTED, ROLLED_BACK, or FAILED where it was good but could not be promoted.
        reason: a sentence.
        champion: the release that served, and its errors.
        canary: the release on trial, and its errors.
        percent: its share of the requests; 0 where nothing served.
        calls: the requests that it was asked.
        latencies: how long either side took to answer, where that was measured.
        rule: what it had to show.
        times: when what happened, in seconds since 1970: started, shared (it got its share), decided, finished.
    """

    release: str
    outcome: str
    reason: str
    champion: Side
    canary: Side
    percent: float = 0.0
    calls: Calls = field(default_factory=Calls)
    latencies: Latencies = NOT_MEASURED
    rule: Rule = field(default_factory=Rule)
    times: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """One object."""
        sides = {"champion": self.champion.shown(), "canary": self.canary.shown()}
        return json.dumps({**asdict(self), **sides}, indent=2)


def keep(folder: Path, record: RolloutRecord) -> Path:
    """Write the record where it stays; returns the file."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(record.times["started"]))
    path = folder / f"{moment}-{record.release}.json"
    write_whole(path, record.to_json() + "\n")
    return path
