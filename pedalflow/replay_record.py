"""The record of a replay: what the served model answered to the hours of a file, and what the detectors made of them.

`pedalflow replay` writes it in the serving runtime, the report of `pedalflow loop` shows it from the pipelines' one.
"""

from __future__ import annotations

from dataclasses import dataclass

from pedalflow import frozen_json

REPLAY = "replay.json"


@dataclass(frozen=True)
class InterfaceUse:
    """One way in (REST or gRPC): how often it was asked, how often it failed, and how long an answer took, in milliseconds."""

    name: str
    address: str
    requests: int
    failed: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class ServedHour:
    """One row as it was served: `actual` is the label that came back, `reasons` why it counts as an outlier (empty: it does not).

    `staged` rows were sent with a fault put into them on purpose.
    """

    dteday: str
    hr: int
    prediction: float
    actual: float
    reasons: tuple[str, ...]
    staged: bool = False


@dataclass(frozen=True)
class FeatureDrift:
    """One test of one feature in one window; `score` is statistic ÷ threshold, `effect_size` in standard deviations."""

    feature: str
    test: str
    statistic: float
    threshold: float
    score: float
    effect_size: float | None


@dataclass(frozen=True)
class DriftWindow:
    """A full window of requests and its judgement. `staged` names the fault that was put into it on purpose (empty: none)."""

    rows: int
    first: str
    last: str
    is_drift: bool
    score: float
    threshold: float
    season_matched: bool
    reasons: tuple[str, ...]
    features: tuple[FeatureDrift, ...]
    staged: str


@dataclass(frozen=True)
class ConceptDay:
    """A day whose labels are complete: the mean log residual, and the score that is compared with the threshold."""

    day: str
    mean_residual: float
    score: float
    threshold: float
    is_drift: bool


@dataclass(frozen=True)
class Explanation:
    """One prediction taken apart: `base` plus all contributions is the prediction."""

    dteday: str
    hr: int
    base: float
    prediction: float
    contributions: dict[str, float]


@dataclass(frozen=True)
class ReplayRecord:
    """Everything that one replay came to. `difference` is the greatest relative one between REST and gRPC on the same rows."""

    release: str
    title: str
    interfaces: tuple[InterfaceUse, ...]
    difference: float
    hours: tuple[ServedHour, ...]
    windows: tuple[DriftWindow, ...]
    concept: tuple[ConceptDay, ...]
    explanation: Explanation | None
    kept: int
    kept_out: dict[str, int]


def to_json(record: ReplayRecord) -> str:
    """The record as text."""
    return frozen_json.to_text(record)


def from_json(text: str) -> ReplayRecord:
    """The inverse of `to_json`; raises SettingsError where the text is no such record."""
    return frozen_json.from_text(ReplayRecord, text)
