"""What a trace is: things, and the ties between them, each told as a sentence from cause to effect."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from triggers.events import Facts


class Thing(str, enum.Enum):
    """The kinds of things that a trace knows. The value is the word for it."""

    REQUEST = "request"
    RELEASE = "release"
    TRAINING = "training"  # one run of the training pipeline, with a record of its own
    RUN = "run"  # one run of this service: what was asked for, launched, and how it ended
    EVENT = "event"
    SPAN = "span"
    COMMIT = "commit"
    WINDOW = "window"  # the rows that a detector judged together: a range of days, or one day
    ROLLOUT = "rollout"


class Tie(str, enum.Enum):
    """How a cause is tied to its effect: "CAUSE `value` EFFECT" is a sentence, and so is "EFFECT `back` CAUSE"."""

    ANSWERED = "answered"
    CAME_WITH = "came with"
    MADE = "made"
    TRIED_IN = "was tried in"
    REPLACED_BY = "was replaced by"
    STARTED = "started"
    ASKED_FOR = "asked for"
    JOINED = "joined"
    ACCUSED_BY = "was accused by"
    CLEARED_BY = "was found in order by"
    JUDGED_BY = "was judged by"
    TRAINED = "was used by"
    BUILT = "was the code of"
    PUSHED = "was announced by"

    @property
    def back(self) -> str:
        return _BACK[self]


_BACK: Mapping[Tie, str] = {
    Tie.ANSWERED: "was answered by",
    Tie.CAME_WITH: "came with",
    Tie.MADE: "was made by",
    Tie.TRIED_IN: "tried",
    Tie.REPLACED_BY: "replaced",
    Tie.STARTED: "was started by",
    Tie.ASKED_FOR: "was asked for by",
    Tie.JOINED: "was joined by",
    Tie.ACCUSED_BY: "accused",
    Tie.CLEARED_BY: "found in order",
    Tie.JUDGED_BY: "judged",
    Tie.TRAINED: "trained on",
    Tie.BUILT: "ran the code of",
    Tie.PUSHED: "announced",
}


@dataclass(frozen=True)
class Node:
    """One thing. `title` is a phrase that says what it is; `facts` are plain JSON values for whoever wants more."""

    kind: Thing
    id: str
    title: str
    facts: Facts = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How people call it: `release r-…`; a span's id says itself what it is."""
        return self.id if self.kind is Thing.SPAN else f"{self.kind.value} {self.id}"


@dataclass(frozen=True)
class Edge:
    """A tie from a cause to its effect, both by the ids of their nodes."""

    source: str
    target: str
    said: Tie


@dataclass(frozen=True)
class Trace:
    """Everything that the thing called `start` is tied to.

    Args:
        start: the id of the node that was asked about.
        nodes: each thing once, the start first.
        edges: each tie once, those that lead to the start before those that lead away from it.
        answer: why it is so, in a few sentences: "why did this run start?", "why did that alert not start one?".
        notes: what could not be read, or was left out because there is too much of it.
    """

    start: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    answer: str = ""
    notes: tuple[str, ...] = ()

    def node(self, id: str) -> Node:
        """The node of this id; KeyError if there is none."""
        return {node.id: node for node in self.nodes}[id]

    def ties_of(self, id: str) -> Iterator[tuple[str, str]]:
        """What a thing is tied to, its causes first: the words from it to the other, and the other's id."""
        for edge in self.edges:
            if edge.target == id:
                yield edge.said.back, edge.source
        for edge in self.edges:
            if edge.source == id:
                yield edge.said.value, edge.target


def as_json(trace: Trace) -> dict[str, Any]:
    """The trace as plain JSON values."""
    return {
        "start": trace.start,
        "answer": trace.answer,
        "nodes": [
            {"kind": node.kind.value, "id": node.id, "title": node.title, "facts": dict(node.facts)}
            for node in trace.nodes
        ],
        "edges": [{"from": edge.source, "to": edge.target, "said": edge.said.value} for edge in trace.edges],
        "notes": list(trace.notes),
    }
