"""Each thing as a node: a phrase for people, and the facts behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pedalflow.request_log import LoggedRequest
from pedalflow.run_record import REFUSED, RunRecord, SpanUsed
from triggers.events import COMMIT, Facts
from triggers.records import OVER, Phase, StoredEvent, StoredRun
from triggers.tracing.graph import Node, Thing
from triggers.tracing.readers import Rollout, span_id
from triggers.wording import lasted, moment

WINDOW, DAY = "window", "day"  # facts of a detector's event that say which rows it judged


def of_event(stored: StoredEvent) -> Node:
    event = stored.event
    facts: dict[str, Any] = {
        "kind": event.kind.value,
        "source": event.source.value,
        "subject": event.subject,
        "delivery": event.delivery,
        "received": moment(stored.received),
        "deliveries": stored.deliveries,
        "decision": stored.outcome or "not decided yet",
        "action": stored.action and stored.action.value,
        "reason": stored.reason,
        **event.facts,
    }
    return Node(Thing.EVENT, stored.id, event.summary, _plain(facts))


def of_run(run: StoredRun) -> Node:
    facts: dict[str, Any] = {
        "phase": run.phase.value,
        "action": run.action.value,
        "created": moment(run.created),
        "started": None if run.started is None else moment(run.started),
        "finished": None if run.finished is None else moment(run.finished),
        "launcher": run.launcher,
        "launched_id": run.launched_id,
        "url": run.url,
        "attempts": run.attempts,
        "outcome": run.outcome,
        "release": run.release,
        "note": run.note,
        **run.facts,
    }
    return Node(Thing.RUN, run.id, how_it_stands(run), _plain(facts))


def how_it_stands(run: StoredRun) -> str:
    """A run's life in one phrase."""
    note = f": {run.note}" if run.note else ""
    if run.phase is Phase.WAITING:
        return f"waits, and is due at {moment(run.due)} at the earliest{note}"
    if run.phase is Phase.DROPPED:
        return f"was dropped before it started{note}"
    if run.phase not in OVER:
        return f"is {run.phase.value}{_since(run)}{note}"
    came_to = f" ({run.outcome})" if run.outcome else ""
    return f"{_ENDED[run.phase]}{came_to}{_took(run)}{note}"


_ENDED = {Phase.SUCCEEDED: "succeeded", Phase.FAILED: "failed", Phase.CANCELED: "was canceled"}


def _since(run: StoredRun) -> str:
    return f" since {moment(run.started)}" if run.started is not None else ""


def _took(run: StoredRun) -> str:
    if run.started is None or run.finished is None:
        return ""
    return f" {lasted(run.finished - run.started)} after its start at {moment(run.started)}"


def of_training(record: RunRecord) -> Node:
    before = f" (the champion before: {record.champion.rmse:.1f})" if record.champion else ""
    refusals = [f"{gate.rule}, {gate.slice}: {gate.note}" for gate in record.gates if not gate.passed]
    why = f" ({refusals[0]})" if record.outcome == REFUSED and refusals else ""
    title = (
        f"{record.outcome}{why}, finished {_said_moment(record.finished)}, RMSE {record.candidate.rmse:.1f}{before} "
        f"on {record.evaluation_first} to {record.evaluation_last}"
    )
    facts: dict[str, Any] = {
        "outcome": record.outcome,
        "started": record.started,
        "finished": record.finished,
        "until_span": record.until_span,
        "commit": record.commit,
        "uncommitted_changes": record.dirty,
        "release": record.release_id,
        "model_version": record.model_version,
        "compared_with": record.champion_release,
        "rmse": record.candidate.rmse,
        "champion_rmse": record.champion and record.champion.rmse,
        "refused_by": refusals,
    }
    return Node(Thing.TRAINING, record.run_id, title, _plain(facts))


def of_span(span: SpanUsed) -> Node:
    title = f"{span.rows} rows, {span.first} to {span.last}, DVC hash {span.md5}"
    facts: dict[str, Any] = {"rows": span.rows, "first": span.first, "last": span.last, "md5": span.md5}
    return Node(Thing.SPAN, span_id(span.number), title, _plain(facts))


def of_commit(commit: str, dirty: bool | None) -> Node:
    """`dirty` says whether a training ran code that differed from the commit (None: nothing is known of it)."""
    title = "with changes that were not committed" if dirty else "the code as it was committed"
    return Node(Thing.COMMIT, commit, "code in git" if dirty is None else title)


def of_request(logged: LoggedRequest) -> Node:
    rows = len(logged.predictions) or len(logged.labels) or _rows(logged)
    facts: dict[str, Any] = {
        "time": logged.time,
        "release": logged.release,
        "rows": rows,
        "predictions": list(logged.predictions[:_SHOWN]),
        "labels": list(logged.labels[:_SHOWN]),
        "segment": logged.segment,
    }
    if rows == 1:
        facts["fields"] = {name: values[0] for name, values in logged.columns.items() if values}
    return Node(Thing.REQUEST, logged.id, _answered(logged, rows), _plain(facts))


_SHOWN = 3


def _rows(logged: LoggedRequest) -> int:
    return len(next(iter(logged.columns.values()), ()))


def _answered(logged: LoggedRequest, rows: int) -> str:
    counted = "1 row" if rows == 1 else f"{rows} rows"
    if not logged.release:
        return f"{counted}, and no answer was found in the logs"
    labels = f"; labels that came back: {_numbers(logged.labels)}" if logged.labels else "; no labels yet"
    return f"{counted} at {_said_moment(logged.time)}, predicted {_numbers(logged.predictions)}{labels}"


def _numbers(values: Sequence[float]) -> str:
    shown = ", ".join(f"{value:.1f}" for value in values[:_SHOWN])
    return f"{shown}, …" if len(values) > _SHOWN else shown


def _said_moment(text: str) -> str:
    """A moment of a record or a log, as all moments are shown; as it stands there where it is none."""
    try:
        return moment(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())
    except ValueError:
        return text


def of_window(facts: Facts) -> Node | None:
    """The rows that a detector's event is about; None where it names none."""
    window, day = facts.get(WINDOW), facts.get(DAY)
    if isinstance(window, dict) and window.get("first"):
        title = f"{window['rows']} rows" if window.get("rows") else "the rows of these days"
        return Node(Thing.WINDOW, f"{window['first']}..{window.get('last')}", title, dict(window))
    if isinstance(day, str) and day:
        return Node(Thing.WINDOW, day, "a day whose labels are complete")
    return None


def of_rollout(rollout: Rollout) -> Node:
    when = "" if rollout.time is None else f", {moment(rollout.time)}"
    facts = {"release": rollout.release, "outcome": rollout.outcome, "reason": rollout.reason}
    return Node(Thing.ROLLOUT, rollout.id, f"{rollout.outcome}{when}: {rollout.reason}", _plain(facts))


def commit_of(stored: StoredEvent) -> str:
    """The commit that an event names; empty where it names none."""
    commit = stored.event.facts.get(COMMIT)
    return commit if isinstance(commit, str) else ""


def spans_of(stored: StoredEvent) -> tuple[str, ...]:
    """The spans that a commit of data brought, such as `span-04`."""
    spans = stored.event.facts.get("spans")
    return tuple(name for name in spans if isinstance(name, str)) if isinstance(spans, list) else ()


def _plain(facts: dict[str, Any]) -> Facts:
    """Without what is empty."""
    return {name: value for name, value in facts.items() if value not in (None, "", [], ())}
