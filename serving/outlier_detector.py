"""The outlier detector: the class that Seldon's wrapper starts as a TRANSFORMER above the predictor.

    python -m serving.microservice serving.outlier_detector.OutlierDetector --service-type TRANSFORMER --parameters '[…]'

It judges every row by the release's own reference and writes what it found into `meta.tags`; the payload itself goes on unchanged.

    outlier            one boolean a row
    outlier_reasons    where a row is flagged: a list of reasons for each row
    outlier_unjudged   true where the request could not be read

A request that cannot be read goes on to the predictor, which answers it with a 400. Deciding here as well would be a second place
that refuses, and for the moment in which one of the two has taken up a new release already and the other has not, the two
would disagree. Only a message that has no place for a tag (no object, or a `meta` that is none) is refused here, in the predictor's
words. V2 requests and `binData` have no `meta.tags` either: they go on as they are, and the predictor judges them itself.

The judge is fixed with the release: it never learns from what is served, so nobody can teach it an attack.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict
from seldon_core.proto.prediction_pb2 import Metric as SeldonMetric
from seldon_core.proto.prediction_pb2 import SeldonMessage

from serving.errors import ServingError, StartFailed
from serving.grpc_payloads import BIN_DATA, failure_message, parse_message
from serving.judging import judge
from serving.payloads import MAX_ROWS, OUTLIER_TAG, REASONS_TAG, V2, Request, parse_request
from serving.scoring.errors import BadRequest
from serving.served import Served, load_served
from serving.settings import read_settings, setting
from serving.telemetry import RELEASE, RELEASES_REFUSED, Metric, Telemetry, outlier_kind
from serving.wrapped import followed, routes

logger = logging.getLogger("pedalflow.serving")

UNJUDGED_TAG = "outlier_unjudged"
OUR_TAGS = (OUTLIER_TAG, REASONS_TAG, UNJUDGED_TAG)
REASONED_ROWS = 100  # more rows than these are told the kinds of their reasons only
JUDGED, UNJUDGED, BLOCKED = "judged", "unjudged", "blocked"

JUDGED_REQUESTS = Metric(
    "pedalflow_outlier_requests_total",
    "counter",
    ("outcome",),
    "Requests that the outlier detector saw: judged, unjudged (unreadable, left to the predictor) or blocked.",
)
JUDGED_ROWS = Metric("pedalflow_outlier_rows_total", "counter", (), "Rows that the outlier detector judged.")
FLAGGED_ROWS = Metric("pedalflow_outlier_flagged_rows_total", "counter", (), "Rows that it flagged.")
REASONS = Metric(
    "pedalflow_outlier_reasons_total", "counter", ("reason",), "Reasons for which it flagged rows, by kind."
)
METRICS = (JUDGED_REQUESTS, JUDGED_ROWS, FLAGGED_ROWS, REASONS, RELEASE, RELEASES_REFUSED)
# Seldon's own metrics, by `meta.metrics`: counters, sent now and then because each time costs the wrapper six round trips.
SELDON_ROWS, SELDON_FLAGGED = "seldon_metric_outlier_rows", "seldon_metric_outlier_flagged"


@dataclass(frozen=True)
class OutlierSettings:
    """The settings of the outlier detector, as Seldon `parameters`."""

    release: Path = setting(
        "What judges: a release's folder, or the file that points to the champion and may change."
    )
    block: bool = setting(
        "Refuse a request with an outlier (400, reason OUTLIER) instead of flagging it.", False
    )
    poll_s: float = setting("Seconds between two looks at what should serve.", 2.0, low=0.05)
    publish_s: float = setting("Seconds between two sets of Seldon metrics.", 5.0, low=0.0)
    max_rows: int = setting("Rows that one request may carry.", MAX_ROWS, low=1)
    max_bytes: int = setting("Bytes that the body of a REST request may have.", 4 * 1024 * 1024, low=1024)


class OutlierBlocked(ServingError):
    """A request with an outlier, where the settings say that it must not reach the model."""

    code = 400
    reason = "OUTLIER"


class OutlierDetector:
    """Flags rows that cannot be right."""

    def __init__(self, **parameters: Any) -> None:
        """Check the settings and the release, so that nothing starts that cannot judge.

        Raises:
            SettingsError: a parameter is unknown, missing or out of range.
            ReleaseBroken: the release cannot serve.
        """
        self.settings = read_settings(OutlierSettings, parameters)
        load_served(self.settings.release)
        self.model_error_handler = routes(self.settings.max_bytes)

    def load(self) -> None:
        """Called by the wrapper in each process that serves, after it forked: threads and metrics begin here.

        Raises:
            ServingError: what went wrong; the wrapper would pass over an AttributeError and judge nothing.
        """
        try:
            self._telemetry = Telemetry(METRICS)
            self._tally = Tally(self.settings.publish_s)
            self._live = followed(
                self.settings.release, self.settings.poll_s, self._telemetry, lambda served: None
            )
        except (AttributeError, NotImplementedError, OSError) as error:
            raise StartFailed(f"the outlier detector cannot start: {error!r}") from error

    def transform_input_raw(self, message: Any) -> Any:
        """The message with what was found in its tags, nothing else changed.

        Over REST it raises BadRequest for what cannot be tagged, and OutlierBlocked where the settings say so; over gRPC a refusal
        is a message.
        """
        if not isinstance(message, SeldonMessage):
            return self._content(message)
        try:
            return self._message(message)
        except ServingError as error:
            return failure_message(error.code, error.reason, str(error))

    def _content(self, content: Any) -> dict[str, Any]:
        served = self._live.current
        try:
            request = parse_request(content, served.schema, self.settings.max_rows)
        except BadRequest:
            if not _has_place_for_tags(content):
                raise
            self._telemetry.at(JUDGED_REQUESTS, UNJUDGED).inc()
            return _tagged(content, {UNJUDGED_TAG: True}, [])
        tags = self._judged(served, request)
        if request.protocol == V2:
            return {key: value for key, value in content.items() if key != "meta"}
        return _tagged(content, tags, self._tally.due())

    def _message(self, message: SeldonMessage) -> SeldonMessage:
        served = self._live.current
        del message.meta.metrics[:]  # they would become ours
        try:
            request = parse_message(message, served.schema, self.settings.max_rows)
        except BadRequest:
            self._telemetry.at(JUDGED_REQUESTS, UNJUDGED).inc()
            message.meta.tags[UNJUDGED_TAG].bool_value = True
            return message
        tags = self._judged(served, request)
        if message.WhichOneof("data_oneof") != BIN_DATA:
            for name in OUR_TAGS:
                message.meta.tags.pop(name, None)
            for name, value in tags.items():
                ParseDict(value, message.meta.tags[name])
        message.meta.metrics.extend(SeldonMetric(**counter) for counter in self._tally.due())
        return message

    def _judged(self, served: Served, request: Request) -> dict[str, Any]:
        """The tags of a request. Raises OutlierBlocked."""
        flagged, reasons = judge(served, request)
        count = sum(flagged)
        self._tally.add(len(flagged), count)
        self._telemetry[JUDGED_ROWS].inc(len(flagged))
        blocked = count > 0 and self.settings.block
        self._telemetry.at(JUDGED_REQUESTS, BLOCKED if blocked else JUDGED).inc()
        if not count:
            return {OUTLIER_TAG: flagged}
        self._telemetry[FLAGGED_ROWS].inc(count)
        for reason in (reason for row in reasons for reason in row):
            self._telemetry.at(REASONS, outlier_kind(reason)).inc()
        if blocked:
            row = flagged.index(True)
            raise OutlierBlocked(
                f"row {row} is an outlier ({'; '.join(reasons[row])}), and outliers are blocked here; correct the row"
            )
        return {OUTLIER_TAG: flagged, REASONS_TAG: _told(reasons)}


class Tally:
    """Counts rows until Seldon's metrics are due."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._lock = threading.Lock()
        self._due_at = 0.0
        self._rows = self._flagged = 0

    def add(self, rows: int, flagged: int) -> None:
        """Rows of one request, and how many of them were flagged."""
        with self._lock:
            self._rows += rows
            self._flagged += flagged

    def due(self) -> list[dict[str, Any]]:
        """The counters since the last time, in the form of `meta.metrics`; nothing before their time."""
        with self._lock:
            now = time.monotonic()
            if now < self._due_at:
                return []
            counts = {SELDON_ROWS: self._rows, SELDON_FLAGGED: self._flagged}
            self._due_at, self._rows, self._flagged = now + self._every_s, 0, 0
        return [{"key": key, "type": "COUNTER", "value": value} for key, value in counts.items()]


def _told(reasons: list[list[str]]) -> list[list[str]]:
    """The reasons as tags; of a large request only their kinds, lest the tags make it too long for the predictor."""
    if len(reasons) <= REASONED_ROWS:
        return reasons
    return [[outlier_kind(reason) for reason in row] for row in reasons]


def _has_place_for_tags(content: Any) -> bool:
    if not isinstance(content, dict):
        return False
    meta = content.get("meta") or {}
    return isinstance(meta, dict) and isinstance(meta.get("tags") or {}, dict)


def _tagged(
    content: Mapping[str, Any], tags: Mapping[str, Any], metrics: list[dict[str, Any]]
) -> dict[str, Any]:
    """The message with our tags and metrics instead of a caller's; the wrapper would take a caller's metrics for ours."""
    meta = content.get("meta") or {}
    kept = {name: tag for name, tag in (meta.get("tags") or {}).items() if name not in OUR_TAGS}
    others = {key: value for key, value in meta.items() if key != "metrics"}
    added = {"metrics": metrics} if metrics else {}
    return {**content, "meta": {**others, "tags": {**kept, **tags}, **added}}
