"""The record that one pipeline run leaves behind: what it used, what it measured and what was decided.

`state/runs/<run_id>/run.json` holds it; the report, `pedalflow status` and the benchmarks read it. Predictions lie beside it
in `predictions.csv` with the columns dteday, hr, actual, candidate, naive and champion (empty in a first run).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pedalflow import frozen_json

RECORD, PREDICTIONS = "run.json", "predictions.csv"
DAY, HOUR = "dteday", "hr"  # in predictions.csv, whatever the use case calls them
PROMOTED, CHALLENGER, REFUSED, UNCHANGED = "promoted", "challenger", "refused", "unchanged"


@dataclass(frozen=True)
class SpanUsed:
    """A span inside the window of a run. `first` and `last` are dates; `md5` is the hash DVC knows the file by."""

    number: int
    rows: int
    first: str
    last: str
    md5: str


@dataclass(frozen=True)
class Score:
    """Errors of one model on one set of rows, in rentals per hour; `wape` is MAE divided by the mean, `bias` mean(predicted - actual)."""

    rows: int
    rmse: float
    mae: float
    wape: float
    bias: float


@dataclass(frozen=True)
class SliceScore:
    """Scores of the candidate, the naive mean and the champion on one slice, for example `season=1`."""

    feature: str
    value: str
    candidate: Score
    naive: Score
    champion: Score | None


@dataclass(frozen=True)
class GateResult:
    """One acceptance rule applied to one slice (`overall` for all rows). `passed` is False also where it could not be measured.

    `limit` and `value` share `unit`; `note` says in words what was compared, or why a rule did not apply.
    """

    rule: str
    slice: str
    value: float | None
    limit: float | None
    unit: str
    passed: bool
    note: str


@dataclass(frozen=True)
class FeatureStatistics:
    """TFDV's statistics of one column in one split. `histogram` holds (low, high, count) triples or, for text, (value, "", count)."""

    name: str
    split: str
    count: int
    missing: int
    mean: float | None
    std: float | None
    low: float | None
    high: float | None
    histogram: tuple[tuple[float | str, float | str, float], ...]


@dataclass(frozen=True)
class Anomaly:
    """What TFDV found wrong with one feature of one split."""

    feature: str
    split: str
    short: str
    long: str


@dataclass(frozen=True)
class NodeTiming:
    """Wall and CPU seconds of one pipeline node; a cached node took its outputs from an earlier run."""

    node: str
    wall_s: float
    cpu_s: float
    cached: bool


@dataclass(frozen=True)
class Growth:
    """The yearly growth rate that the model extrapolates with. `rate` is 0 where the data cannot identify one; `reason` says why."""

    rate: float
    identified: bool
    reason: str


@dataclass(frozen=True)
class RunRecord:
    """Everything a reader needs to understand one run. Times are ISO 8601 in UTC.

    `outcome` is one of promoted (champion), challenger (registered, not promoted), refused (a gate said no) and unchanged
    (nothing new: every node came from cache and the release was registered before).
    """

    run_id: str
    started: str
    finished: str
    outcome: str
    until_span: int
    spans: tuple[SpanUsed, ...]
    evaluation_first: str
    evaluation_last: str
    train_rows: int
    evaluation_rows: int
    commit: str
    dirty: bool
    release_id: str | None
    model_version: str | None
    champion_release: str | None
    candidate: Score
    naive: Score
    champion: Score | None
    slices: tuple[SliceScore, ...]
    gates: tuple[GateResult, ...]
    statistics: tuple[FeatureStatistics, ...]
    anomalies: tuple[Anomaly, ...]
    timings: tuple[NodeTiming, ...]
    growth: Growth
    params: dict[str, object] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


def to_json(record: RunRecord) -> str:
    """`record` as the text of a `run.json`; raises SettingsError where a number is not finite or `params` holds no plain data."""
    return frozen_json.to_text(record)


def from_json(text: str) -> RunRecord:
    """The record that `to_json` wrote; raises SettingsError that names the key or value that does not fit."""
    return frozen_json.from_text(RunRecord, text)
