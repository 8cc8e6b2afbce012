"""What the commands of a local run answered, as what the run came to: tables of exit codes and outcomes, and pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pedalflow import run_record
from pedalflow.command import exits
from triggers.launchers import launcher
from triggers.launchers.launcher import Seen, State
from triggers.policy import span_text

Scalar = str | int | float | bool | None

REFUSED_FILES = "refused_files"
MOST_TOLD = 3  # refused objects in a run's note; its facts have them all

# What a refusal of each kind comes to. The pipeline did what it is there for, so such a run has succeeded.
REFUSALS: Mapping[int, str] = {
    exits.DATA_REFUSED.code: launcher.DATA_REFUSED,
    exits.ANOMALIES.code: launcher.DATA_REFUSED,
    exits.GATE_REFUSED.code: launcher.REFUSED,
}
# Stopped from outside, as when the machine goes down: no fault of the run's.
STOPPED = (exits.INTERRUPTED.code, -2, -15)
_OUTCOMES: Mapping[str, str] = {
    run_record.PROMOTED: launcher.PROMOTED,
    run_record.CHALLENGER: launcher.CHALLENGER,
    run_record.REFUSED: launcher.REFUSED,
    run_record.UNCHANGED: launcher.UNCHANGED,
    launcher.ROLLED_BACK: launcher.ROLLED_BACK,
}
# The outcomes that a command prints last of all and with exit code 0.
ENDED_WELL = frozenset(_OUTCOMES) - {run_record.REFUSED}
_BUSY = re.compile(r"\b(training|rollout|promotion) (is|has been) at work\b")


@dataclass(frozen=True)
class Answer:
    """How a command ended: its exit code, the JSON on its standard output, and the last line of what it said."""

    code: int
    content: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""

    @property
    def busy(self) -> bool:
        """Whether another process has the workspace, so that asking again later helps."""
        return self.code == exits.RUN_FAILED.code and bool(_BUSY.search(self.said))


def answer(code: int, output: str, said: str) -> Answer:
    """What a command answered; output that is no JSON object counts as none."""
    try:
        content = json.loads(output)
    except ValueError:
        content = None
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1].removeprefix("pedalflow: ") if lines else ""
    return Answer(code, content if isinstance(content, dict) else {}, last)


def of_training(trained: Answer) -> Seen:
    """What a run has come to after the training."""
    facts = _training_facts(trained.content)
    if trained.code in REFUSALS:
        outcome = REFUSALS[trained.code]
        release = _text(trained.content, "release_id") if outcome == launcher.REFUSED else ""
        return Seen(State.SUCCEEDED, outcome=outcome, release=release, note=trained.said, facts=facts)
    if trained.code != exits.OK.code:
        return replace(_failure("the training", trained), facts=facts)
    outcome = _OUTCOMES.get(_text(trained.content, "outcome"), "")
    if not outcome:
        return Seen(
            State.FAILED,
            note="the training ended well but did not say what it came to; its log has more",
            facts=facts,
        )
    release = "" if outcome == launcher.UNCHANGED else _text(trained.content, "release_id")
    note = "there was nothing new to train on" if outcome == launcher.UNCHANGED else ""
    return Seen(State.SUCCEEDED, outcome=outcome, release=release, note=note, facts=facts)


def of_rollout(trained: Seen, rolled_out: Answer) -> Seen:
    """What a run has come to after the rollout of what it trained."""
    facts = {**trained.facts, **_rollout_facts(rolled_out.content)}
    if rolled_out.code != exits.OK.code:
        failed = _failure(f"the rollout of {trained.release}", rolled_out)
        return replace(failed, release=trained.release, facts=facts)
    outcome = _OUTCOMES.get(_text(rolled_out.content, "outcome"), "")
    if outcome not in (launcher.PROMOTED, launcher.ROLLED_BACK):
        note = (
            f"the rollout of {trained.release} ended well but did not say what it came to; its log has more"
        )
        return Seen(State.FAILED, release=trained.release, note=note, facts=facts)
    reason = _text(rolled_out.content, "reason") or rolled_out.said
    return replace(trained, outcome=outcome, note=reason, facts=facts)


def took_too_long(timeout_s: float) -> Seen:
    """What a run has come to whose time is up."""
    return Seen(State.FAILED, note=f"it took longer than {span_text(timeout_s)} and was stopped")


def with_refused(seen: Seen, refused: Sequence[str]) -> Seen:
    """The same, with the uploaded objects that were not taken in; where nothing else came of the run, it came to that."""
    if not refused:
        return seen
    files = [str(seen.facts[REFUSED_FILES])] if REFUSED_FILES in seen.facts else []
    left_out = len(refused) - MOST_TOLD
    told = [*refused[:MOST_TOLD], f"and {left_out} more"] if left_out > 0 else refused
    return replace(
        seen,
        outcome=launcher.DATA_REFUSED if seen.outcome == launcher.UNCHANGED else seen.outcome,
        note="; ".join(filter(None, (seen.note, "not taken in: " + "; ".join(told)))),
        facts={**seen.facts, REFUSED_FILES: "; ".join([*files, *refused])},
    )


def _failure(what: str, ended: Answer) -> Seen:
    if ended.code < 0:
        return Seen(
            State.FAILED, note=f"{what} was killed by signal {-ended.code}; was there too little memory?"
        )
    return Seen(
        State.FAILED, note=ended.said or f"{what} failed with exit code {ended.code} and said nothing"
    )


def _training_facts(content: Mapping[str, Any]) -> dict[str, Scalar]:
    facts: dict[str, Scalar] = {key: content[key] for key in ("run_id", "until_span") if key in content}
    facts |= {
        f"{name}_rmse": rmse
        for name in ("candidate", "champion")
        if (rmse := _rmse(content.get(name))) is not None
    }
    for key in ("taken_in", "already_there"):
        if content.get(key):
            facts[key] = _listed(content[key])
    if content.get(REFUSED_FILES):
        facts[REFUSED_FILES] = _listed(content[REFUSED_FILES])
    return facts


def _rollout_facts(content: Mapping[str, Any]) -> dict[str, Scalar]:
    """The errors on live requests of both sides of a rollout."""
    sides = {name: content.get(name) for name in ("canary", "champion")}
    return {f"live_{name}_rmse": rmse for name, side in sides.items() if (rmse := _rmse(side)) is not None}


def _rmse(score: object) -> float | None:
    value = score.get("rmse") if isinstance(score, Mapping) else None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _listed(items: object) -> str:
    """A list as one text: plain items as they are, files by their names, a refused one with its reason."""
    if not isinstance(items, list):
        return str(items)
    return "; ".join(_item(item) for item in items)


def _item(item: object) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    name, why = str(item.get("file", "")), str(item.get("why", ""))
    if why.startswith(name):
        return why
    return f"{name}: {why}" if why else name


def _text(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key)
    return value if isinstance(value, str) else ""
