"""What `pedalflow rollout --cluster status` shows: the predictors with their releases, shares and pods, and how far a rollout is."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pedalflow.tables import table
from serving.cluster.api import Seen
from serving.cluster.availability import pods_of
from serving.cluster.deployment import release_of, shares
from serving.cluster.under_way import UnderWay, last_ended, under_way


def status_of(seen: Seen) -> Mapping[str, Any]:
    """All of it, as `--json` prints it."""
    deployment, rollout = seen.deployment, under_way(seen.deployment)
    last = last_ended(deployment)
    return {
        "state": str((deployment.get("status") or {}).get("state", "unknown")),
        "predictors": [
            {
                "name": name,
                "share": share,
                **_release_and_pods(seen, name),
            }
            for name, share in shares(deployment).items()
        ],
        "rollout": _shown(rollout) if rollout else None,
        "last": asdict(last) if last else None,
    }


def as_text(status: Mapping[str, Any]) -> str:
    """The same for people."""
    rows = [
        (each["name"], f"{each['share']} %", each["release"], f"{each['ready']} of {each['wanted']}")
        for each in status["predictors"]
    ]
    shown = table(rows, ("predictor", "share", "release", "pods ready"))
    return "\n".join([shown, "", f"Seldon says:   {status['state']}", *_rollout_lines(status)])


def as_json(status: Mapping[str, Any]) -> str:
    """One object."""
    return json.dumps(status, indent=2)


def _release_and_pods(seen: Seen, name: str) -> Mapping[str, Any]:
    one = next(each for each in seen.deployment["spec"]["predictors"] if each["name"] == name)
    pods = pods_of(seen.deployment, seen.deployments, name)
    return {**asdict(release_of(one)), "ready": pods.ready, "wanted": pods.wanted, "failed": pods.failed}


def _shown(rollout: UnderWay) -> Mapping[str, Any]:
    return {**asdict(rollout), "phase": rollout.phase.value, "share": rollout.share}


def _rollout_lines(status: Mapping[str, Any]) -> list[str]:
    rollout, last = status["rollout"], status["last"]
    lines = ["Under way:     nothing"]
    if rollout:
        minutes = (time.time() - rollout["since"]) / 60
        steps = ", ".join(f"{share} %" for share in rollout["steps"])
        lines = [
            f"Under way:     {rollout['candidate']['release']} is {rollout['phase']} with {rollout['share']} % "
            f"(of {steps}) for {minutes:.0f} min"
        ]
    if last:
        lines.append(f"Last rollout:  {last['release']} was {last['outcome']}: {last['reason']}")
    return lines
