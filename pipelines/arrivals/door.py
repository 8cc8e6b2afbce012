"""The one door for new data: `arrive` takes a batch in or refuses it, `prepare` makes a workspace ready through the same door."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from components.use_cases import load_function, load_use_case
from pedalflow.errors import DataMissing, SettingsError
from pedalflow.spans import Span, SpanState, span_name
from pedalflow.use_case import UseCase
from pedalflow.workspace import Workspace
from pipelines.arrivals import quarantine, store, versioning
from pipelines.arrivals.intake import KEPT_BYTES_OF_TOO_LARGE, read_file, unpacked
from pipelines.arrivals.violations import BatchRefused, BatchReport, Broken, broken, cut, escaped
from pipelines.provenance import REPOSITORY

if TYPE_CHECKING:
    from pipelines.arrivals.checks import Batch, KnownSpans, Rules

Progress = Callable[[str], None]


def silent(_: str) -> None:
    """The progress of nobody watching."""


def use_case_of(workspace: Workspace) -> UseCase:
    """The use case that the workspace's `params.yaml` names, or the repository's where the workspace has none yet.

    Raises SettingsError where neither names one, or the file cannot be read as YAML.
    """
    for params in (workspace.params, REPOSITORY / "params.yaml"):
        if params.exists():
            settings = _yaml(params)
            name = settings.get("use_case") if isinstance(settings, dict) else None
            if not isinstance(name, str) or not name:
                raise SettingsError(f"{params} names no use case; add a line such as `use_case: bikeshare`")
            return load_use_case(name)
    raise SettingsError(f"there is no {workspace.params}; copy the repository's params.yaml there")


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8, or a date that does not exist
        raise SettingsError(f"{path} is not readable as YAML: {error}") from error


def list_spans(workspace: Workspace) -> tuple[Span, ...]:
    """All spans of the workspace, by number, with the state of their files."""
    return store.list_spans(workspace)


def arrive(
    workspace: Workspace, file: Path, progress: Progress = silent, expected_span: int | None = None
) -> Span:
    """Take `file` (CSV, plain or gzip) in as the next span. All or nothing, also when the process is killed.

    Its dates say which span it is; where `expected_span` is given and is another one, the batch is refused.

    Raises BatchRefused (a DataRefused) with the data as it was, DataMissing where there is no such file or it is none (a folder,
    a pipe, a device).
    """
    case = use_case_of(workspace)
    raw, name = read_file(file), escaped(cut(file.name))
    with store.writing(workspace):
        quarantine.sweep(workspace)
        return _arrive(workspace, case, raw, name, progress, expected_span)


def prepare(
    workspace: Workspace, until_span: int | None = None, progress: Progress = silent
) -> tuple[Span, ...]:
    """Make a workspace ready: DVC, the files of its spans, and spans up to `until_span` from the raw archive.

    A span file that is missing comes from the archive if that gives the recorded hash, else from DVC's cache or remote. New spans
    arrive through the same checks as any other. Raises DataMissing for a file that was changed or cannot be brought back.
    """
    case = use_case_of(workspace)
    with store.writing(workspace):
        spans = store.list_spans(workspace)
        for span in spans:
            _bring_back(workspace, case, span, progress)
        for number in range(len(spans) + 1, (until_span or 0) + 1):
            content = _from_archive(case, number)
            _arrive(workspace, case, content, span_name(number), progress)
        return store.list_spans(workspace)


def _arrive(
    workspace: Workspace,
    case: UseCase,
    raw: bytes,
    name: str,
    progress: Progress,
    expected_span: int | None = None,
) -> Span:
    spans = store.list_spans(workspace)
    progress(f"checking {name}")
    content, batch, found = _checked(raw, case, spans)
    if batch is not None and expected_span not in (None, batch.span):
        hint = f"its dates make it span {batch.span}, and span {expected_span} was asked for"
        found = (broken("other_span", hint, case.date, None, [batch.first]),)
    if batch is None or found:
        raise _refusal(workspace, name, raw, found)
    origin = store.Origin(name, hashlib.sha256(raw).hexdigest())
    span = store.add(workspace, batch.span, content, batch.rows, batch.first, batch.last, origin)
    progress(f"span {span.number} arrived: {span.rows} rows, {span.first} to {span.last}")
    return span


def _refusal(workspace: Workspace, name: str, raw: bytes, found: tuple[Broken, ...]) -> BatchRefused:
    """The error for a refused file, which is in quarantine then, unless it is a span already."""
    kept = raw[:KEPT_BYTES_OF_TOO_LARGE] if found[0].rule == "too_large" else raw
    report = _report(name, kept, found)
    is_known = found[0].rule == "already_known"
    return BatchRefused(report, None if is_known else quarantine.keep(workspace, kept, report))


def _checked(
    raw: bytes, case: UseCase, spans: tuple[Span, ...]
) -> tuple[bytes, Batch | None, tuple[Broken, ...]]:
    """The unpacked bytes, and the batch they are or all that is wrong with them."""
    from pipelines.arrivals.checks import check_batch  # here, since listing spans must not pay for pandas

    read = unpacked(raw)
    if read.broken:
        return read.content, None, read.broken
    known = next((span for span in spans if span.md5 == store.md5_of(read.content)), None)
    if known:
        hint = f"exactly this file arrived before, as span {known.number}"
        return read.content, None, (broken("already_known", hint),)
    return read.content, *check_batch(read.content, _rules(case), _known(spans, case))


def _report(name: str, kept: bytes, found: tuple[Broken, ...]) -> BatchReport:
    now = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    return BatchReport(name, hashlib.sha256(kept).hexdigest(), now, found)


def _rules(case: UseCase) -> Rules:
    from pipelines.arrivals.checks import Rules

    return Rules(
        columns=case.columns,
        date=case.date,
        hour=case.hour,
        row_rules=load_function(case.row_rules),
        span_of=load_function(case.span_of),
        span_dates=load_function(case.span_dates),
    )


def _known(spans: tuple[Span, ...], case: UseCase) -> KnownSpans:
    from pipelines.arrivals.checks import KnownSpans
    from pipelines.arrivals.reading import read_frame

    by_number = {span.number: span for span in spans}

    def hours(number: int) -> frozenset[tuple[str, int]]:
        frame = read_frame(store.read_span(by_number[number]))
        return frozenset(zip(frame[case.date], frame[case.hour].astype(int), strict=True))

    return KnownSpans(tuple(by_number), hours)


def _from_archive(case: UseCase, number: int) -> bytes:
    content: bytes = load_function(case.archive_span)(REPOSITORY / case.archive, number)
    return content


def _bring_back(workspace: Workspace, case: UseCase, span: Span, progress: Progress) -> None:
    if span.state is SpanState.PRESENT:
        return
    if span.state is SpanState.MODIFIED:
        store.read_span(span)  # raises, and says what to do
    try:
        content = _from_archive(case, span.number)
    except DataMissing:
        content = b""
    if store.md5_of(content) == span.md5:
        store.restore(workspace, span, content)
    else:
        versioning.fetch(workspace, Path(span.path + ".dvc"))
    progress(f"span {span.number} restored: {span.rows} rows, {span.first} to {span.last}")
