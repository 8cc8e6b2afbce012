"""The recorded deliveries in `tests/samples/triggers/`, and what they come to when they are parsed."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triggers.events import Event, Source
from triggers.sources.source_settings import SourceSettings
from triggers.sources.table import SOURCES

FOLDER = Path(__file__).parent / "triggers"
NAMES = tuple(sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.glob("*/*.json")))


@dataclass(frozen=True)
class Delivery:
    """One POST. `content` is its body before it was made bytes of: a JSON value, or raw text."""

    source: Source
    headers: Mapping[str, str]
    content: Any

    @property
    def body(self) -> bytes:
        raw = isinstance(self.content, str)
        return (self.content if raw else json.dumps(self.content)).encode()

    def parsed(self, settings: SourceSettings | None = None) -> tuple[Event, ...]:
        return SOURCES[self.source](self.headers, self.body, settings or SourceSettings())

    def event(self, settings: SourceSettings | None = None) -> Event:
        (event,) = self.parsed(settings)
        return event

    def with_content(self, change: Mapping[str, Any]) -> Delivery:
        """The same with other values: `{"message.attributes.bucketId": 1}`; numbers stand for places in arrays, ... removes a field."""
        content = copy.deepcopy(self.content)
        for path, value in change.items():
            *way, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
            place = content
            for step in way:
                place = place[step]
            if value is ...:
                del place[last]
            else:
                place[last] = value
        return Delivery(self.source, self.headers, content)

    def with_headers(self, **change: str | None) -> Delivery:
        """The same with other headers; `_` in a name stands for a dash, None removes one."""
        headers: dict[str, str | None] = {
            **self.headers,
            **{name.replace("_", "-"): value for name, value in change.items()},
        }
        return Delivery(self.source, {k: v for k, v in headers.items() if v is not None}, self.content)


def delivery(name: str) -> Delivery:
    """A recorded delivery by its file's name, such as github/push_code."""
    recorded = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return Delivery(Source(name.partition("/")[0]), recorded["headers"], recorded["body"])
