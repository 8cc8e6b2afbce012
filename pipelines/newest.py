"""Which data there is, and which of it the champion has not seen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pedalflow.champion import read_pointer
from pedalflow.errors import DataMissing, ReleaseBroken
from pedalflow.release import MANIFEST
from pedalflow.spans import Span
from pedalflow.workspace import Workspace
from pipelines.arrivals.door import list_spans


def newest_span(workspace: Workspace) -> int:
    """The number of the newest span that has arrived. Raises DataMissing where none has."""
    spans = list_spans(workspace)
    if not spans:
        raise DataMissing(
            f"no span has arrived in {workspace.root}; `pedalflow data prepare --until-span 1` brings in the first"
        )
    return spans[-1].number


def unseen_spans(workspace: Workspace) -> tuple[Span, ...]:
    """The spans that the release that serves was not made of: all of them where none serves, or where it cannot be read."""
    seen = _seen(workspace)
    return tuple(span for span in list_spans(workspace) if seen.get(span.number) != span.md5)


def _seen(workspace: Workspace) -> Mapping[int, str]:
    """Number and hash of each span that the champion was made of, as its manifest has them."""
    try:
        pointer = read_pointer(workspace.champion)
        manifest: Mapping[str, Any] = json.loads((pointer.folder / MANIFEST).read_bytes())
        return {span["number"]: span["md5"] for span in manifest["facts"]["spans"]}
    except (ReleaseBroken, OSError, ValueError, KeyError, TypeError):
        return {}
