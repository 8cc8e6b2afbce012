"""A trace for a terminal: the answer first, then a tree in which every line is a sentence about the line above it."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.tracing.graph import Edge, Node, Thing, Trace


def as_text(trace: Trace) -> str:
    """The trace as people read it; each tie is told once."""
    untold = dict.fromkeys(trace.edges)
    tree = [_told(trace.node(trace.start)), *_below(trace, trace.start, untold, {trace.start})]
    also = [
        f"Also: {trace.node(edge.source).name} {edge.said.value} {trace.node(edge.target).name}."
        for edge in untold
    ]
    notes = [f"Note: {note}." for note in trace.notes]
    return "\n\n".join(filter(None, (trace.answer, "\n".join(tree), "\n".join(also), "\n".join(notes))))


def _below(
    trace: Trace, id: str, untold: dict[Edge, None], told: set[str], effects: bool = True
) -> Iterator[str]:
    """The lines below a thing: its causes with their own causes and, unless it is a cause itself, its effects with all of theirs."""
    ties = [(edge, edge.said.back, edge.source) for edge in untold if edge.target == id]
    if effects:
        ties += [(edge, edge.said.value, edge.target) for edge in untold if edge.source == id]
    for edge, _, _ in ties:
        del untold[edge]
    for place, (edge, words, other) in enumerate(ties, start=1):
        last = place == len(ties)
        node, new = trace.node(other), other not in told
        told.add(other)
        yield f"{'└─' if last else '├─'} {words} {_told(node) if new else node.name}"
        below = _below(trace, other, untold, told, effects=edge.source == id) if new else iter(())
        yield from (f"{'   ' if last else '│  '}{line}" for line in below)


def _told(node: Node) -> str:
    """A thing with what there is to say of it; an event with what was decided."""
    if node.kind is not Thing.EVENT:
        return f"{node.name}: {node.title}"
    reason = f": {node.facts['reason']}" if node.facts.get("reason") else ""
    return f"{node.name}: {node.title} ({node.facts['decision']}{reason})"
