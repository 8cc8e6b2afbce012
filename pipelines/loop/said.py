"""From what the triggers service and the rollouts said, as JSON, to the rows of the loop's record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pedalflow.loop_record import (
    BAD_BATCH,
    BAD_PARAMETERS,
    BAD_RELEASE,
    LiveError,
    LoopEvent,
    LoopRollout,
    LoopRun,
    LoopScore,
    StagedFault,
)
from pedalflow.workspace import Workspace
from pipelines.loop.journal import Position, Staged, Times

EVENTS, RUNS = "events.json", "runs.json"
VERDICTS = ("drift", "concept-drift")
_STAGED = {
    BAD_BATCH: ("a batch with a temperature in °F and rows that are there twice", "the door for new data"),
    BAD_PARAMETERS: ("parameters with which the network learns nothing", "the acceptance gate"),
    BAD_RELEASE: ("a whole release that answers three times what it should", "the canary"),
}
_CAUGHT = {BAD_BATCH: "data refused", BAD_PARAMETERS: "refused", BAD_RELEASE: "rolled back"}
Json = Mapping[str, Any]


def keep_said(folder: Path, events: Sequence[Json], runs: Sequence[Json]) -> None:
    """Keep what the triggers service said of its events and runs, for when it does not run any more."""
    for name, content in ((EVENTS, events), (RUNS, runs)):
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def score_of(event: Json) -> LoopScore | None:
    """A verdict of a detector; None for other events, and for a verdict without figures."""
    facts = event["facts"]
    if event["kind"] not in VERDICTS or facts.get("score") is None or facts.get("threshold") is None:
        return None
    return LoopScore(
        event=event["id"],
        detector=event["kind"],
        day=_last_day(event),
        release=str(facts.get("release") or ""),
        score=float(facts["score"]),
        threshold=float(facts["threshold"]),
        is_drift=facts.get("is_drift") is True,
        outcome=event["outcome"],
        reason=event["reason"],
        run=event["run"],
    )


def _last_day(event: Json) -> str:
    """The last day that a verdict speaks of."""
    if day := event["facts"].get("day"):
        return str(day)
    window = event["facts"].get("window")
    last = window.get("last") if isinstance(window, dict) else None
    return str(last or event["data_time"] or "")[:10]


def event_of(event: Json) -> LoopEvent:
    return LoopEvent(
        id=event["id"],
        kind=event["kind"],
        source=event["source"],
        subject=event["subject"],
        summary=event["summary"],
        at=_minute(event["data_time"]),
        decided=_minute(event["decided"]),
        outcome=event["outcome"],
        reason=event["reason"],
        run=event["run"],
        deliveries=event["deliveries"],
    )


def _minute(moment: str | None) -> str:
    return "" if moment is None else moment[:16]


def run_of(run: Json, events: Sequence[Json], position: Position, staged: str) -> LoopRun:
    facts, times = run["facts"], position.runs.get(run["id"], Times())
    asked_by = [event for event in events if event["run"] == run["id"]]
    until_span = facts.get("until_span")
    return LoopRun(
        id=run["id"],
        asked=_minute(asked_by[0]["decided"]) if asked_by else "",
        started=times.started,
        ended=times.ended,
        action=run["action"],
        outcome=run["outcome"] or (run["phase"] if times.started else ""),
        release=run["release"],
        note=run["note"],
        events=tuple(event["id"] for event in asked_by),
        pipeline_run=str(facts.get("run_id") or ""),
        until_span=int(until_span) if until_span is not None else None,
        taken_in=str(facts.get("taken_in") or ""),
        refused_files=str(facts.get("refused_files") or ""),
        candidate_rmse=_number(facts.get("candidate_rmse")),
        champion_rmse=_number(facts.get("champion_rmse")),
        wall_s=_seconds(run["started"], run["finished"]),
        staged=staged,
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _seconds(begun: str | None, ended: str | None) -> float | None:
    if begun is None or ended is None:
        return None
    first, last = (datetime.fromisoformat(moment.replace("Z", "+00:00")) for moment in (begun, ended))
    return round((last - first).total_seconds(), 1)


def staged_runs(events: Sequence[Json], position: Position) -> dict[str, str]:
    """The runs that were asked for by what was staged."""
    by_event = {event["id"]: event["run"] for event in events}
    found = {by_event.get(staged.known_by, ""): name for name, staged in position.staged.items()}
    return {run: name for run, name in found.items() if run}


def rollouts_of(workspace: Workspace, position: Position, runs: Sequence[Json]) -> tuple[LoopRollout, ...]:
    """The rollouts in their order, with when they were in the time of the story as far as that was seen."""
    staged = {fault.known_by: (name, fault) for name, fault in position.staged.items()}
    of_release = {run["release"]: run["id"] for run in runs if run["release"]}
    found = []
    for path in sorted((workspace.state / "rollouts").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        name, fault = staged.get(content["release"], ("", None))
        times = position.runs.get(of_release.get(content["release"], ""), Times())
        found.append(_rollout(content, fault.at if fault else "", times, name))
    return tuple(found)


def _rollout(content: Json, staged_at: str, times: Times, staged: str) -> LoopRollout:
    return LoopRollout(
        release=content["release"],
        began=staged_at or times.started,
        ended=times.ended,
        percent=int(content["percent"]),
        outcome=content["outcome"],
        reason=content["reason"],
        champion=_live(content["champion"]),
        canary=_live(content["canary"]),
        staged=staged,
    )


def _live(side: Json) -> LiveError | None:
    if "rows" not in side:
        return None
    return LiveError(str(side["release"]), int(side["rows"]), _number(side["rmse"]), _number(side["wape"]))


def faults_of(
    position: Position, events: Sequence[Json], runs: Sequence[Json], rollouts: Sequence[LoopRollout]
) -> tuple[StagedFault, ...]:
    """What was staged, and how it ended."""
    run_of = {event["id"]: event["run"] for event in events}
    ended = {run["id"]: run for run in runs}
    found = []
    for name, staged in position.staged.items():
        outcome, said = _ended(name, staged, ended.get(run_of.get(staged.known_by, "")), rollouts)
        what, by = _STAGED[name]
        caught = outcome == _CAUGHT[name] and staged.champion_before == staged.champion_after
        found.append(
            StagedFault(
                name, staged.at, what, caught, by, said, staged.champion_before, staged.champion_after
            )
        )
    return tuple(found)


def _ended(name: str, staged: Staged, run: Json | None, rollouts: Sequence[LoopRollout]) -> tuple[str, str]:
    """The outcome of a fault, and what was said of it."""
    if name == BAD_RELEASE:
        mine = [rollout for rollout in rollouts if rollout.release == staged.known_by]
        return (mine[-1].outcome, mine[-1].reason) if mine else ("", "")
    return ("", "") if run is None else (run["outcome"], run["note"])
