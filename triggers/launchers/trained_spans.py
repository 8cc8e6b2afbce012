"""What a workspace says of its champion and of its data, read from small files: which release serves, and what no run has tried."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pedalflow.champion import read_pointer
from pedalflow.errors import ReleaseBroken
from pedalflow.release import MANIFEST
from pedalflow.run_record import RECORD
from pedalflow.workspace import Workspace

_POINTER = re.compile(r"span-(\d+)\.csv\.dvc")
_RUN = re.compile(r"span-(\d+)-\w+")


def champion(workspace: Workspace) -> str:
    """The release that serves; empty where there is none."""
    try:
        return read_pointer(workspace.champion).release
    except ReleaseBroken:
        return ""


def has_new_data(workspace: Workspace) -> bool | None:
    """Whether a span has arrived that neither the champion nor a later run was trained on.

    A run whose model was refused or rolled back has tried its spans: the same question would get the same answer. None where the
    champion's manifest does not say what it was trained on.
    """
    try:
        folder = read_pointer(workspace.champion).folder
    except ReleaseBroken:
        return True
    trained = _last_trained(folder / MANIFEST)
    return None if trained is None else newest_span(workspace) > max(trained, _newest_tried(workspace))


def newest_span(workspace: Workspace) -> int:
    """The number of the newest span that has arrived; 0 where none has."""
    found = (_POINTER.fullmatch(path.name) for path in workspace.spans.glob("span-*.csv.dvc"))
    return max((int(match[1]) for match in found if match), default=0)


def _newest_tried(workspace: Workspace) -> int:
    """The newest span that a run came to an end with; 0 where none did."""
    found = (_RUN.fullmatch(path.parent.name) for path in workspace.runs.glob(f"span-*/{RECORD}"))
    return max((int(match[1]) for match in found if match), default=0)


def _last_trained(manifest: Path) -> int | None:
    """The newest span that went into a release."""
    try:
        spans = json.loads(manifest.read_text(encoding="utf-8"))["facts"]["spans"]
        return max(int(span["number"]) for span in spans)
    except (OSError, ValueError, KeyError, TypeError):
        return None
