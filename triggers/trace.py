"""From any id to everything it is tied to, and why: request, release, training, run, event, span, commit, rollout or judged day.

`trace` is pure: what it knows comes from the readers that are passed in. The command, the page and the API show the same trace.
"""

from __future__ import annotations

from triggers.tracing.graph import Edge, Node, Thing, Tie, Trace
from triggers.tracing.ids import resolve
from triggers.tracing.readers import Readers
from triggers.tracing.weaving import weave

__all__ = ["Edge", "Node", "Thing", "Tie", "Trace", "trace"]


def trace(id: str, readers: Readers) -> Trace:
    """Everything that `id`, or the one id that begins so, is tied to.

    Raises:
        NotTraceable: nothing is known by this id, or several things are.
        DataRefused: the request is in a log that is broken.
        StoreFailed: the database does not answer.
    """
    return weave(resolve(id, readers), readers)
