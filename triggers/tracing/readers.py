"""Where a trace is read from: the store of this service, and what a workspace keeps of trainings, requests and the champion."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar

from pedalflow.champion import read_pointer
from pedalflow.errors import ReleaseBroken, SettingsError
from pedalflow.request_log import LoggedRequest, find_request, ids_beginning
from pedalflow.run_record import RECORD, RunRecord, from_json
from pedalflow.spans import span_name
from pedalflow.workspace import Workspace
from triggers.events import Kind
from triggers.records import StoredEvent, StoredRun

Record = TypeVar("Record")


class Kept(Protocol):
    """The reading side of the store, as far as a trace needs it. Lists come newest first."""

    def event(self, id: str) -> StoredEvent | None: ...

    def run(self, id: str) -> StoredRun | None: ...

    def events(
        self, limit: int, before: int | None = None, kind: Kind | None = None, run: str | None = None
    ) -> Sequence[StoredEvent]: ...

    def runs(self, limit: int, before: int | None = None) -> Sequence[StoredRun]: ...

    def find_events(self, *, request_id: str = "", release: str = "") -> Sequence[StoredEvent]: ...


class NothingKept:
    """Stands for the store where there is no database yet."""

    def event(self, id: str) -> StoredEvent | None:
        return None

    def run(self, id: str) -> StoredRun | None:
        return None

    def events(
        self, limit: int, before: int | None = None, kind: Kind | None = None, run: str | None = None
    ) -> Sequence[StoredEvent]:
        return ()

    def runs(self, limit: int, before: int | None = None) -> Sequence[StoredRun]:
        return ()

    def find_events(self, *, request_id: str = "", release: str = "") -> Sequence[StoredEvent]:
        return ()


@dataclass(frozen=True)
class Rollout:
    """What a rollout came to: `id` is the name of its record, `time` when it ended in seconds since 1970 (None: not said)."""

    id: str
    release: str
    outcome: str
    reason: str
    time: float | None


@dataclass(frozen=True)
class Readers:
    """What a trace is put together from.

    Args:
        store: events and runs.
        trainings: the records of the training pipeline, the oldest first.
        rollouts: of releases that were tried on live requests, the oldest first.
        champion: the release that serves; empty where nobody knows.
        spans: the names of the spans that have arrived, such as `span-04`.
        request: what the request logs know of one request.
        request_ids: at most so many request ids with this beginning.
        problems: what could not be read.
    """

    store: Kept
    trainings: Sequence[RunRecord] = ()
    rollouts: Sequence[Rollout] = ()
    champion: str = ""
    spans: frozenset[str] = frozenset()
    request: Callable[[str], LoggedRequest | None] = lambda request_id: None
    request_ids: Callable[[str, int], Sequence[str]] = lambda prefix, most: ()
    problems: Sequence[str] = ()


def workspace_readers(workspace: Workspace, store: Kept) -> Readers:
    """Read what a workspace holds; what is missing holds nothing, and what is broken is named in `problems`."""
    problems: list[str] = []
    trainings = _read(workspace.runs, f"*/{RECORD}", _training, problems)
    return Readers(
        store=store,
        trainings=sorted(trainings, key=lambda record: record.finished),
        rollouts=_read(workspace.rollouts, "*.json", _rollout, problems),
        champion=champion_of(workspace),
        spans=frozenset(path.name.split(".")[0] for path in workspace.spans.glob("span-*.csv.dvc")),
        request=lru_cache(lambda request_id: find_request(workspace.serving, request_id)),
        request_ids=lambda prefix, most: ids_beginning(workspace.serving, prefix, most),
        problems=problems,
    )


def champion_of(workspace: Workspace) -> str:
    """The release that serves; empty where none does, or where the pointer cannot be read."""
    try:
        return read_pointer(workspace.champion).release
    except ReleaseBroken:
        return ""


def span_id(number: int) -> str:
    """How a trace calls a span: `span-04`."""
    return span_name(number).removesuffix(".csv")


def _read(
    folder: Path, files: str, reader: Callable[[Path, int], Record], problems: list[str]
) -> list[Record]:
    """What `reader` makes of each file, in the order of their names; one that cannot be read is added to `problems`."""
    read = []
    for path in sorted(folder.glob(files)):
        try:
            read.append(reader(path, path.stat().st_mtime_ns))
        except (SettingsError, OSError, ValueError, KeyError, TypeError) as error:
            problems.append(f"a record cannot be read: {path}: {error}")
    return read


@lru_cache(maxsize=256)  # the service asks again and again, and a record is long
def _training(path: Path, changed: int) -> RunRecord:
    return from_json(path.read_text(encoding="utf-8"))


@lru_cache(maxsize=256)
def _rollout(path: Path, changed: int) -> Rollout:
    content = json.loads(path.read_text(encoding="utf-8"))
    finished = content["times"].get("finished")
    return Rollout(
        path.stem, str(content["release"]), str(content["outcome"]), str(content["reason"]), finished
    )
