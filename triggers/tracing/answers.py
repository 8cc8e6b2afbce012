"""The first thing that a trace says: why it is so, in a few sentences that are read off the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from triggers.policy import Outcome
from triggers.records import Phase
from triggers.tracing.graph import Node, Thing, Tie, Trace

_SAID = 3  # reasons that are told; the graph has all


def answer(trace: Trace) -> str:
    """Why the thing that `trace` starts from is as it is."""
    return _ANSWERS[trace.node(trace.start).kind](trace, trace.start)


def _request(trace: Trace, id: str) -> str:
    release = _source(trace, id, Tie.ANSWERED)
    if release is None:
        return f"Nothing in the logs says which release answered request {id}."
    return f"Release {release.id} answered request {id}. {_release(trace, release.id)}"


def _release(trace: Trace, id: str) -> str:
    return f"{_made(trace, id)} {_fate(trace, id)}"


def _made(trace: Trace, id: str) -> str:
    maker = _source(trace, id, Tie.MADE)
    if maker is None:
        return f"No record is left of how release {id} was made."
    made = f"Release {id} was made by {maker.name}."
    return f"{made} {_training(trace, maker.id) if maker.kind is Thing.TRAINING else _run(trace, maker.id)}"


def _fate(trace: Trace, id: str) -> str:
    if trace.node(id).facts.get("serves"):
        return f"{id} serves now."
    successor = next((e.target for e in trace.edges if e.source == id and e.said is Tie.REPLACED_BY), "")
    return f"{id} was replaced by {successor}." if successor else f"{id} {trace.node(id).title}."


def _training(trace: Trace, id: str) -> str:
    run = _source(trace, id, Tie.STARTED)
    if run is None:
        return f"No event is known that asked for training {id}: somebody started it by hand."
    return _run(trace, run.id)


def _run(trace: Trace, id: str) -> str:
    run = trace.node(id)
    events = list(_asking(trace, id))
    told = "; ".join(
        f"{event.facts.get('reason', '')} ({event.id}: {event.title})" for event in events[:_SAID]
    )
    more = f"; and {len(events) - _SAID} more" if len(events) > _SAID else ""
    because = f" because {told}{more}" if told else ", and its events are forgotten"
    if run.facts.get("phase") in (Phase.WAITING.value, Phase.DROPPED.value):
        return f"Run {id} has not started: it {run.title}. It was asked for{because}."
    return (
        f"Run {id} started{because}. It {run.title}." if run.facts.get("started") else _not_yet(run, because)
    )


def _not_yet(run: Node, because: str) -> str:
    return f"Run {run.id} was asked for{because}. It {run.title}."


def _event(trace: Trace, id: str) -> str:
    facts = trace.node(id).facts
    reason = facts.get("reason") or ""
    run = next((edge.target for edge in trace.edges if edge.source == id and edge.said in _ASKING), "")
    if not reason and not run:
        return f"Event {id} is not decided yet."
    if not run:
        return f"Event {id} started no run: {reason}."
    verb = "joined" if str(facts.get("decision", "")).startswith(Outcome.JOINS.value) else "asked for"
    return f"Event {id} {verb} run {run}: {reason}. {_came_to(trace, run)}"


def _came_to(trace: Trace, run: str) -> str:
    return f"That run {trace.node(run).title}."


def _span(trace: Trace, id: str) -> str:
    return _used(trace, id, Tie.TRAINED, "used by")


def _commit(trace: Trace, id: str) -> str:
    return _used(trace, id, Tie.BUILT, "the code of")


def _window(trace: Trace, id: str) -> str:
    judging = [edge.target for edge in trace.edges if edge.source == id and edge.said is Tie.JUDGED_BY]
    return " ".join(_event(trace, event) for event in judging[:_SAID])


def _rollout(trace: Trace, id: str) -> str:
    rollout = trace.node(id)
    return f"Release {rollout.facts['release']} was tried on live requests: {rollout.title}."


def _used(trace: Trace, id: str, tie: Tie, as_what: str) -> str:
    trainings = [edge.target for edge in trace.edges if edge.source == id and edge.said is tie]
    if not trainings:
        return f"No training is known that {id} was {as_what}."
    count = "1 training" if len(trainings) == 1 else f"{len(trainings)} trainings"
    return f"{id} was {as_what} {count}: {', '.join(trainings[:_SAID])}{', …' if len(trainings) > _SAID else ''}."


_ASKING = (Tie.ASKED_FOR, Tie.JOINED)


def _asking(trace: Trace, run: str) -> Iterator[Node]:
    return (trace.node(edge.source) for edge in trace.edges if edge.target == run and edge.said in _ASKING)


def _source(trace: Trace, id: str, tie: Tie) -> Node | None:
    """The first cause of this sort."""
    return next(
        (trace.node(edge.source) for edge in trace.edges if (edge.target, edge.said) == (id, tie)), None
    )


_ANSWERS: Mapping[Thing, Callable[[Trace, str], str]] = {
    Thing.REQUEST: _request,
    Thing.RELEASE: _release,
    Thing.TRAINING: _training,
    Thing.RUN: _run,
    Thing.EVENT: _event,
    Thing.SPAN: _span,
    Thing.COMMIT: _commit,
    Thing.WINDOW: _window,
    Thing.ROLLOUT: _rollout,
}
