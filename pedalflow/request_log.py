"""What the request logs of serving know of one request, read line by line, so that a log may be larger than memory.

The logs are segments of JSON lines below a workspace's serving state, in folders called `requests` (a predictor's own, `exchange` lines)
and `collected` (the collector's, with one line for the request, one for the response and one for the feedback).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pedalflow.errors import DataRefused

FOLDERS = ("requests", "collected")
_OPEN = ".open"  # the end of the name of a segment that is still written


@dataclass(frozen=True)
class LoggedRequest:
    """One request as far as the logs know it.

    Args:
        id: the request id.
        time: when it was answered, RFC 3339 in UTC; empty where no answer was found.
        release: which release answered.
        columns: the fields of its rows, without those that are kept private.
        predictions: one for each row.
        labels: one for each row, once they came back.
        segment: the file that the answer was found in.
    """

    id: str
    time: str = ""
    release: str = ""
    columns: dict[str, list[Any]] = field(default_factory=dict)
    predictions: tuple[float, ...] = ()
    labels: tuple[float, ...] = ()
    segment: str = ""


def find_request(serving: Path, request_id: str) -> LoggedRequest | None:
    """What the logs below `serving` know of a request: stops when rows, answer and labels are found, the newest segments first.

    Raises DataRefused where a line about the request is none of a request log, naming the segment.
    """
    needle = f'"id":{json.dumps(request_id, ensure_ascii=False)}'.encode()
    found: LoggedRequest | None = None
    for path, line in _lines_with(needle, segments(serving)):
        content = _content(path, line)
        if content["id"] != request_id:
            continue
        found = _added(found or LoggedRequest(request_id), content, path)
        if found.release and found.labels and found.columns:
            break
    return found


def ids_beginning(serving: Path, prefix: str, most: int) -> tuple[str, ...]:
    """The first `most` request ids that begin with `prefix`, the newest segments first, each once."""
    needle = f'"id":{json.dumps(prefix, ensure_ascii=False)[:-1]}'.encode()
    found: dict[str, None] = {}
    for path, line in _lines_with(needle, segments(serving)):
        request_id = str(_content(path, line)["id"])
        if request_id.startswith(prefix):
            found[request_id] = None
        if len(found) == most:
            break
    return tuple(found)


def segments(serving: Path) -> list[Path]:
    """All segments below `serving`, the newest first: their names hold the time at which they were begun."""
    return sorted(
        (path for name in FOLDERS for path in serving.glob(f"**/{name}/requests-*.jsonl*")),
        key=lambda path: path.name,
        reverse=True,
    )


def _lines_with(needle: bytes, paths: Sequence[Path]) -> Iterator[tuple[Path, bytes]]:
    """The whole lines that hold `needle`; a last line that is still being written is left out.

    A segment may get its final name meanwhile, or be removed if nothing was written to it.
    """
    for path in paths:
        for name in (path.name, path.name.removesuffix(_OPEN)):
            with suppress(FileNotFoundError), path.with_name(name).open("rb") as file:
                for line in file:
                    if needle in line and line.endswith(b"\n"):
                        yield path.with_name(name), line
                break


def _content(path: Path, line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
        return {**content, "kind": str(content["kind"]), "id": str(content["id"])}
    except (ValueError, KeyError, TypeError) as error:
        raise _no_log(path, error) from error


def _added(known: LoggedRequest, line: dict[str, Any], path: Path) -> LoggedRequest:
    """`known` with what the line says; what was found first stays."""
    try:
        if "columns" in line and not known.columns:
            known = replace(known, columns=dict(line["columns"]))
        if "labels" in line and not known.labels:
            known = replace(known, labels=tuple(map(float, line["labels"])))
        if "predictions" in line and not known.release:
            predictions = tuple(map(float, line["predictions"]))
            release, time = str(line["release"]), str(line["time"])
            known = replace(known, predictions=predictions, release=release, time=time, segment=str(path))
        return known
    except (ValueError, KeyError, TypeError) as error:
        raise _no_log(path, error) from error


def _no_log(path: Path, error: Exception) -> DataRefused:
    return DataRefused(
        f"{path} holds a line that is none of a request log ({error!r}); move the segment away"
    )
