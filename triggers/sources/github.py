"""GitHub's webhook: a push to the branch is a change of code, of data, or both, by the files that its commits name.

Whether the delivery is GitHub's is checked on the raw bytes before (`authentication.check_hmac`). The signature covers the body alone, so
the body is also what a delivery is known again by, and no header is. Layout: GitHub, "Webhook events and payloads", push and ping.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from pathlib import PurePosixPath
from urllib.parse import parse_qs

from triggers.errors import Refused
from triggers.events import COMMIT, PATHS, Event, Fact, Kind, Source
from triggers.sources.reading import (
    FIELD,
    Object,
    header_of,
    in_time,
    list_of,
    number_or_none,
    object_of,
    object_or_nothing,
    read_object,
    text_of,
    text_or_nothing,
)
from triggers.sources.source_settings import SourceSettings

FORM = "application/x-www-form-urlencoded"
CALLED = (
    "github_delivery"  # the fact that says what GitHub calls the delivery, as its own list of deliveries does
)
MOST_COMMITS, MOST_FILES = 2048, 3000  # GitHub lists no more commits in a push, and no more files in a commit
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_CHANGES = ("added", "modified", "removed")


@dataclass(frozen=True)
class _Push:
    """A push to the branch. `doubt` says why its list of files may be incomplete; empty where it is not."""

    delivery: str
    subject: str
    commit: str
    paths: tuple[str, ...]
    commits: int
    occurred: float | None
    facts: Mapping[str, Fact]
    doubt: str


def parse_github(headers: Mapping[str, str], body: bytes, settings: SourceSettings) -> tuple[Event, ...]:
    """Up to two events for a push to the branch; one of the kind OTHER for everything else that GitHub says."""
    name, called = header_of(headers, "x-github-event"), header_of(headers, "x-github-delivery")
    content = read_object(_json_of(headers, body))
    said: Mapping[str, Fact] = {CALLED: called}
    delivery, repository = hashlib.sha256(body).hexdigest(), _repository(content)
    if name == "ping":
        return (_other(delivery, repository, "GitHub says hello", said),)
    if name != "push":
        return (_other(delivery, repository, f"GitHub reports {name}", said),)
    skipped = _no_push_to(settings.branch, content)
    if skipped:
        return (_other(delivery, repository, skipped, said),)
    push = _push(delivery, f"{repository}@{settings.branch}", content, said)
    return _events(push, settings)


def _json_of(headers: Mapping[str, str], body: bytes) -> bytes:
    """GitHub sends JSON, or a form with the same JSON in its field `payload`."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return body
    try:
        fields = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=10, errors="strict")
        return fields["payload"][0].encode()
    except (ValueError, KeyError) as error:
        raise Refused(
            FIELD, "the form has no field payload that can be read; let GitHub send application/json"
        ) from error


def _repository(content: Object) -> str:
    return text_or_nothing(object_or_nothing(content.get("repository")).get("full_name")) or "GitHub"


def _other(delivery: str, subject: str, summary: str, facts: Mapping[str, Fact]) -> Event:
    return Event(Source.GITHUB, delivery, Kind.OTHER, subject, summary, facts=facts)


def _no_push_to(branch: str, content: Object) -> str:
    """What a push is that is none to the branch; empty for one that is."""
    ref = text_of(content.get("ref"), "ref")
    if ref.startswith("refs/tags/"):
        return f"A tag was pushed: {ref.removeprefix('refs/tags/')}"
    if ref != f"refs/heads/{branch}":
        return f"A push to {ref.removeprefix('refs/heads/')}, not to {branch}"
    return f"The branch {branch} was deleted" if content.get("deleted") is True else ""


def _push(delivery: str, subject: str, content: Object, said: Mapping[str, Fact]) -> _Push:
    after = text_of(content.get("after"), "after")
    if not _HASH.fullmatch(after):
        raise Refused(FIELD, "after must be the full hash of a commit, in lower case")
    commits = [
        object_of(commit, f"commits[{index}]")
        for index, commit in enumerate(list_of(content.get("commits"), "commits"))
    ]
    paths = tuple(dict.fromkeys(_paths(commits)))
    return _Push(
        delivery,
        subject,
        after,
        paths,
        len(commits),
        _pushed_at(content),
        {
            "by": text_or_nothing(object_or_nothing(content.get("pusher")).get("name")),
            "message": text_or_nothing(object_or_nothing(content.get("head_commit")).get("message")),
            "compare": text_or_nothing(content.get("compare")),
            **said,
        },
        _doubt(content, commits, paths),
    )


def _pushed_at(content: Object) -> float | None:
    """When it was pushed. The time of a commit says nothing: it may be weeks old when it is pushed."""
    pushed = number_or_none(object_or_nothing(content.get("repository")).get("pushed_at"))
    return None if pushed is None else in_time(float(pushed))


def _paths(commits: Iterable[Object]) -> Iterator[str]:
    for index, commit in enumerate(commits):
        for change in _CHANGES:
            where = f"commits[{index}].{change}"
            for path in list_of(commit.get(change, []), where):
                yield text_of(path, where)


def _doubt(content: Object, commits: list[Object], paths: tuple[str, ...]) -> str:
    size = number_or_none(content.get("size"))
    if len(commits) >= MOST_COMMITS or (size is not None and size > len(commits)):
        return "GitHub does not list all of its commits"
    if any(change not in commit for commit in commits for change in _CHANGES):
        return "GitHub does not list its files"
    if any(len(list_of(commit[change], change)) >= MOST_FILES for commit in commits for change in _CHANGES):
        return "GitHub does not list all of its files"
    if content.get("forced") is True:
        return "it replaced commits, whose files nobody lists"
    return "" if paths else "it lists no files"


def _events(push: _Push, settings: SourceSettings) -> tuple[Event, ...]:
    data = [path for path in push.paths if _matches(settings.data_paths, path)]
    rest = [
        path for path in push.paths if not _matches((*settings.data_paths, *settings.ignored_paths), path)
    ]
    code = [path for path in rest if _matches(settings.code_paths, path)]
    events = []
    if code or push.doubt:
        events.append(_code_event(push, code))
    if data:
        events.append(_data_event(push, data))
    if not events:
        summary = f"A push of {_count(push.commits, 'commit')}, in which neither code nor data changed"
        events.append(_other(push.delivery, push.subject, summary, push.facts))
    return tuple(events)


def _code_event(push: _Push, paths: list[str]) -> Event:
    files = f"code in {_count(len(paths), 'file')}" if paths else "code"
    why = f", counted as code because {push.doubt}" if push.doubt else f": {', '.join(paths[:3])}"
    summary = f"{_count(push.commits, 'commit')} changed {files}{why}"
    return _event(push, Kind.CODE, summary, paths, {})


def _data_event(push: _Push, paths: list[str]) -> Event:
    spans = list(dict.fromkeys(map(_span, paths)))
    named = ", ".join(spans[:5]) + (f" and {len(spans) - 5} more" if len(spans) > 5 else "")
    summary = f"{_count(push.commits, 'commit')} brought other versions of the data: {named}"
    return _event(push, Kind.DATA, summary, paths, {"spans": [*spans]})


def _event(push: _Push, kind: Kind, summary: str, paths: list[str], more: Mapping[str, Fact]) -> Event:
    return Event(
        source=Source.GITHUB,
        delivery=f"{push.delivery}/{kind.value}",
        kind=kind,
        subject=push.subject,
        summary=summary,
        occurred=push.occurred,
        facts={COMMIT: push.commit, PATHS: [*paths], **push.facts, **more},
    )


def _span(path: str) -> str:
    """span-02 for data/spans/span-02.csv.dvc: the name of the file that DVC keeps, without its endings."""
    return PurePosixPath(path).name.removesuffix(".dvc").removesuffix(".csv")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _matches(globs: tuple[str, ...], path: str) -> bool:
    return bool(globs) and _pattern(globs).match(path) is not None


@lru_cache(maxsize=32)
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, globs)))
