"""Everything that a run is made of, resolved before it starts: window, hashes, code, champion, parameters.

The builder turns a plan into a TFX pipeline and asks nobody else. Two runs with the same plan key are the same run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pedalflow.run_record import SpanUsed


@dataclass(frozen=True)
class PlannedSpan:
    """A span of the window and where its file lies."""

    used: SpanUsed
    path: str


@dataclass(frozen=True)
class Plan:
    """What one run does.

    `code` is the fingerprint of the sources, `registry` tells one registry from another, `champion` is the folder of the blessed
    release (None before the first one), and `tune` asks for a search of hyperparameters instead of a model.
    """

    use_case: str
    spans: tuple[PlannedSpan, ...]
    first_evaluation_day: str
    commit: str
    dirty: bool
    code: str
    parameters: Mapping[str, Any]
    environment: Mapping[str, str]
    registry: str
    champion: str | None = None
    tune: bool = False

    @property
    def until_span(self) -> int:
        """The newest span of the window."""
        return self.spans[-1].used.number

    @property
    def key(self) -> str:
        """sha256 over all that decides the result; the champion and the paths do not."""
        return _digest({**self.facts, "registry": self.registry})

    @property
    def maker(self) -> str:
        """sha256 over sources and environment: every node carries it, so that no cache outlives the code or an upgrade."""
        return _digest({"code": self.code, "environment": dict(self.environment)})

    @property
    def facts(self) -> dict[str, Any]:
        """What the release's manifest says of its making."""
        return {
            "use_case": self.use_case,
            "spans": [asdict(span.used) for span in self.spans],
            "first_evaluation_day": self.first_evaluation_day,
            "commit": self.commit,
            "dirty": self.dirty,
            "code": self.code,
            "parameters": dict(self.parameters),
            "environment": dict(self.environment),
        }


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def code_fingerprint(root: Path, packages: tuple[str, ...]) -> str:
    """sha256 over the sources of the packages that decide a model, by name and content."""
    digest = hashlib.sha256()
    for path in sorted(path for package in packages for path in (root / package).rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
