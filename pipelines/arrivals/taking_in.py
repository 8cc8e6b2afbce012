"""Several files that arrive one after the other, as a retraining takes them in: one that is refused keeps none of the others out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pedalflow.workspace import Workspace
from pipelines.arrivals import door
from pipelines.arrivals.violations import BatchRefused, cut, escaped

ALREADY_KNOWN, NO_FILE = "already_known", "no_file"


@dataclass(frozen=True)
class TakenFile:
    """A file that became a span."""

    file: str
    span: int


@dataclass(frozen=True)
class KnownFile:
    """A file whose content is a span already: it was delivered before, which is no error."""

    file: str


@dataclass(frozen=True)
class RefusedFile:
    """A file that was not taken: the first rule it broke, and why in a sentence that says where its report lies."""

    file: str
    rule: str
    why: str


@dataclass(frozen=True)
class Intake:
    """What became of the files, each kind in the order they came in."""

    taken_in: tuple[TakenFile, ...] = ()
    already_there: tuple[KnownFile, ...] = ()
    refused_files: tuple[RefusedFile, ...] = ()


def take_in(workspace: Workspace, files: Sequence[Path], progress: door.Progress = door.silent) -> Intake:
    """Let `files` arrive in this order, each through the door of `pedalflow data arrive`: taken in, there already, or refused.

    Raises what is wrong with the workspace; whatever is wrong with a file is in the answer.
    """
    results = [_arrived(workspace, file, progress) for file in files]
    return Intake(
        tuple(result for result in results if isinstance(result, TakenFile)),
        tuple(result for result in results if isinstance(result, KnownFile)),
        tuple(result for result in results if isinstance(result, RefusedFile)),
    )


def _arrived(
    workspace: Workspace, file: Path, progress: door.Progress
) -> TakenFile | KnownFile | RefusedFile:
    name = escaped(cut(file.name))
    if not file.is_file():
        return RefusedFile(name, NO_FILE, f"{escaped(str(file))} is no file; give the path of a CSV file")
    try:
        return TakenFile(name, door.arrive(workspace, file, progress).number)
    except BatchRefused as refused:
        rule = refused.report.broken[0].rule
        return KnownFile(name) if rule == ALREADY_KNOWN else RefusedFile(name, rule, str(refused))
