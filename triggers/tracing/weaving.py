"""Puts a trace together: what a thing comes from, and what came of it, from the readers that are passed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from pedalflow.run_record import PROMOTED, RunRecord
from triggers.events import IS_DRIFT, RELEASE, Kind
from triggers.policy import Outcome
from triggers.records import StoredEvent, StoredRun
from triggers.tracing import nodes
from triggers.tracing.answers import answer
from triggers.tracing.graph import Edge, Node, Thing, Tie, Trace
from triggers.tracing.ids import Found
from triggers.tracing.readers import Readers, span_id

T = TypeVar("T")

MOST = 20  # ties of one sort that are followed
_LOOKED_AT = 2000  # newest runs and newest events of a kind, among which ties are looked for


def weave(start: Found, readers: Readers) -> Trace:
    """Everything that `start` is tied to."""
    weaver = _Weaver(readers)
    _FROM[start.kind](weaver, start.id)
    return weaver.woven(start.id)


class _Weaver:
    """Puts things and ties together: `why_…` follows causes, `then_…` effects. Each returns the id of its node."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._nodes: dict[str, Node] = {}
        self._edges: dict[Edge, None] = {}
        self._notes: dict[str, None] = dict.fromkeys(readers.problems)
        self._runs = list(readers.store.runs(_LOOKED_AT))

    def woven(self, start: str) -> Trace:
        ordered = sorted(
            self._nodes.values(), key=lambda node: node.id != start
        )  # the others as they were found
        whole = Trace(start, tuple(ordered), tuple(self._edges), notes=tuple(self._notes))
        return replace(whole, answer=answer(whole))

    def from_request(self, id: str) -> None:
        logged = self._readers.request(id)
        assert logged is not None, id  # it was found by this id
        self._put(nodes.of_request(logged))
        if logged.release:
            self._tie(self.why_release(logged.release), id, Tie.ANSWERED)
            self.then_release(logged.release)
        for stored in self._first(self._readers.store.find_events(request_id=id), "events that came with it"):
            self._tie(id, self.why_event(stored), Tie.CAME_WITH)
            self.then_event(stored)

    def from_release(self, name: str) -> None:
        self.why_release(name)
        self.then_release(name)
        judged = self._readers.store.find_events(release=name)
        accusing = [stored for stored in judged if stored.event.facts.get(IS_DRIFT) is True]
        for stored in self._first(accusing, "events that accuse it"):
            self.why_event(stored)
            self.then_event_only_asked(stored)
        if cleared := len(judged) - len(accusing):
            self._notes[f"events about {name} that found no drift: {cleared}"] = None

    def from_training(self, run_id: str) -> None:
        record = self._training(run_id)
        assert record is not None, run_id
        self.why_training(record)
        self._then_training(record)
        if record.release_id:
            self.then_release(record.release_id)

    def from_run(self, id: str) -> None:
        run = self._readers.store.run(id)
        assert run is not None, id
        self.why_run(run)
        self.then_run(run)

    def from_event(self, id: str) -> None:
        stored = self._readers.store.event(id)
        assert stored is not None, id
        self.why_event(stored)
        self.then_event(stored)

    def from_span(self, id: str) -> None:
        self._put(self._span(id))
        for stored in self._announcing(lambda stored: id in nodes.spans_of(stored)):
            self._tie(id, self._put(nodes.of_event(stored)), Tie.PUSHED)
            self.then_event_only_asked(stored)
        mine = [
            record for record in self._readers.trainings if id in (span_id(s.number) for s in record.spans)
        ]
        self._then_trainings(id, mine, Tie.TRAINED)

    def from_commit(self, commit: str) -> None:
        mine = [record for record in self._readers.trainings if record.commit == commit]
        self._put(nodes.of_commit(commit, mine[-1].dirty if mine else None))
        for stored in self._announcing(lambda stored: nodes.commit_of(stored) == commit):
            self._tie(commit, self._put(nodes.of_event(stored)), Tie.PUSHED)
            self.then_event_only_asked(stored)
        self._then_trainings(commit, mine, Tie.BUILT)

    def from_window(self, id: str) -> None:
        verdicts = [
            stored
            for kind in (Kind.CONCEPT_DRIFT, Kind.DRIFT)
            for stored in self._readers.store.events(_LOOKED_AT, kind=kind)
            if (window := nodes.of_window(stored.event.facts)) and window.id == id
        ]
        for stored in self._first(verdicts, "events that judged it"):
            self.why_event(stored)
            self.then_event_only_asked(stored)

    def from_rollout(self, id: str) -> None:
        rollout = next(rollout for rollout in self._readers.rollouts if rollout.id == id)
        self._put(nodes.of_rollout(rollout))
        self.why_release(rollout.release)
        self.then_release(rollout.release)

    def why_release(self, name: str) -> str:
        self._put(self._release(name))
        for record in self._readers.trainings:
            if record.release_id == name:
                self.why_training(record)
                self._made(record, name)
        for run in self._runs:
            if run.release == name and self._training(_run_id(run)) is None:
                self._tie(self.why_run(run), name, Tie.MADE)
        return name

    def why_training(self, record: RunRecord) -> str:
        id = self._put(nodes.of_training(record))
        self._why_it_ran(record)
        for span in record.spans:
            self._tie(self._put(nodes.of_span(span)), id, Tie.TRAINED)
        self._tie(self._put(nodes.of_commit(record.commit, record.dirty)), id, Tie.BUILT)
        return id

    def why_run(self, run: StoredRun) -> str:
        self._put(nodes.of_run(run))
        for stored in self._first(self._readers.store.events(MOST + 1, run=run.id)[::-1], "events behind it"):
            self._tie(self.why_event(stored), run.id, _asked(stored))
        return run.id

    def why_event(self, stored: StoredEvent) -> str:
        id = self._put(nodes.of_event(stored))
        window = nodes.of_window(stored.event.facts)
        if window is not None:
            self._tie(self._put(window), id, Tie.JUDGED_BY)
        release = stored.event.facts.get(RELEASE)
        if isinstance(release, str) and release:
            self._tie(self._put(self._release(release)), id, _verdict(stored))
        if commit := nodes.commit_of(stored):
            self._tie(self._put(nodes.of_commit(commit, None)), id, Tie.PUSHED)
        for span in nodes.spans_of(stored):
            self._tie(self._put(self._span(span)), id, Tie.PUSHED)
        return id

    def then_event(self, stored: StoredEvent) -> None:
        if run := self._readers.store.run(stored.run) if stored.run else None:
            self.why_run(run)
            self.then_run(run)

    def then_event_only_asked(self, stored: StoredEvent) -> None:
        """The run that it led to, and what that made, without the run's other reasons."""
        if run := self._readers.store.run(stored.run) if stored.run else None:
            self._tie(stored.id, self._put(nodes.of_run(run)), _asked(stored))
            self.then_run(run)

    def then_run(self, run: StoredRun) -> None:
        record = self._training(_run_id(run))
        if record is not None:
            self._tie(run.id, self.why_training(record), Tie.STARTED)
            self._then_training(record)
        elif run.release:
            self._tie(run.id, self._put(self._release(run.release)), Tie.MADE)
        if run.release:
            self.then_release(run.release)

    def then_release(self, name: str) -> None:
        """How it was tried on live requests, what it replaced, and what replaced it."""
        for rollout in self._readers.rollouts:
            if rollout.release == name:
                self._tie(name, self._put(nodes.of_rollout(rollout)), Tie.TRIED_IN)
        served = list(
            dict.fromkeys(r.release_id or "" for r in self._readers.trainings if r.outcome == PROMOTED)
        )
        place = served.index(name) if name in served else None
        if place is None:
            return
        if place > 0:
            self._tie(self._put(self._release(served[place - 1])), name, Tie.REPLACED_BY)
        if place + 1 < len(served):
            self._tie(name, self._put(self._release(served[place + 1])), Tie.REPLACED_BY)

    def _then_training(self, record: RunRecord) -> None:
        if record.release_id:
            self._put(self._release(record.release_id))
            self._made(record, record.release_id)

    def _why_it_ran(self, record: RunRecord) -> None:
        mine = [run for run in self._runs if _run_id(run) == record.run_id]
        for run in self._first(mine, f"runs that started {record.run_id}"):
            self._tie(self.why_run(run), record.run_id, Tie.STARTED)

    def _then_trainings(self, used: str, records: Sequence[RunRecord], tie: Tie) -> None:
        """The newest trainings that something went into, why each ran, and what it made."""
        for record in self._first(records[::-1], "trainings that it went into"):
            self._tie(used, self._put(nodes.of_training(record)), tie)
            self._then_training(record)
            self._why_it_ran(record)

    def _announcing(self, names_it: Callable[[StoredEvent], bool]) -> Sequence[StoredEvent]:
        pushed = (
            stored
            for kind in (Kind.CODE, Kind.DATA)
            for stored in self._readers.store.events(_LOOKED_AT, kind=kind)
        )
        return self._first(list(filter(names_it, pushed)), "events that announced it")

    def _span(self, id: str) -> Node:
        """The span as the newest training that used it knew it."""
        used = (span for record in self._readers.trainings[::-1] for span in record.spans)
        known = next((span for span in used if span_id(span.number) == id), None)
        return nodes.of_span(known) if known else Node(Thing.SPAN, id, "no training has used it yet")

    def _training(self, run_id: str) -> RunRecord | None:
        return next((record for record in self._readers.trainings if record.run_id == run_id), None)

    def _release(self, name: str) -> Node:
        if name == self._readers.champion:
            return Node(Thing.RELEASE, name, "serves now", {"serves": True})
        records = [record for record in self._readers.trainings if record.release_id == name]
        outcome = records[-1].outcome if records else ""
        title = (
            "served before"
            if outcome == PROMOTED
            else f"does not serve ({outcome or 'nothing more is known'})"
        )
        return Node(Thing.RELEASE, name, title, {"serves": False})

    def _made(self, record: RunRecord, release: str) -> None:
        self._tie(record.run_id, release, Tie.MADE)

    def _put(self, node: Node) -> str:
        known = self._nodes.get(node.id)
        if known is None or len(node.facts) > len(known.facts):
            self._nodes[node.id] = node
        return node.id

    def _tie(self, source: str, target: str, said: Tie) -> None:
        self._edges[Edge(source, target, said)] = None

    def _first(self, things: Sequence[T], what: str) -> Sequence[T]:
        """At most MOST of them; that there are more is noted."""
        if len(things) > MOST:
            self._notes[f"only {MOST} of the {what} are shown"] = None
        return things[:MOST]


def _run_id(run: StoredRun) -> str:
    """What the training pipeline calls the run that this one started; empty where it is not known."""
    return str(run.facts.get("run_id") or "")


def _asked(stored: StoredEvent) -> Tie:
    return Tie.JOINED if stored.outcome == Outcome.JOINS.value else Tie.ASKED_FOR


def _verdict(stored: StoredEvent) -> Tie:
    return Tie.ACCUSED_BY if stored.event.facts.get(IS_DRIFT) is True else Tie.CLEARED_BY


_FROM: Mapping[Thing, Callable[[_Weaver, str], None]] = {
    Thing.REQUEST: _Weaver.from_request,
    Thing.RELEASE: _Weaver.from_release,
    Thing.TRAINING: _Weaver.from_training,
    Thing.RUN: _Weaver.from_run,
    Thing.EVENT: _Weaver.from_event,
    Thing.SPAN: _Weaver.from_span,
    Thing.COMMIT: _Weaver.from_commit,
    Thing.WINDOW: _Weaver.from_window,
    Thing.ROLLOUT: _Weaver.from_rollout,
}
