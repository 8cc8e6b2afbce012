"""The predictor: the class that Seldon's wrapper starts as a MODEL.

    python -m serving.microservice serving.predictor.Predictor --parameters '[{"name": "release", "type": "STRING", "value": "…"}]'

`serving.microservice` is Seldon's own wrapper with a few named changes; `seldon-core-microservice serving.predictor.Predictor` works too.
Everything that comes in passes `predict_raw`, `infer` or `send_feedback_raw`; what is counted, logged and refused is the same for REST,
V2 and gRPC.
"""

from __future__ import annotations

import atexit
import gc
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

import flask
import numpy as np
import numpy.typing as npt
from seldon_core import wrapper
from seldon_core.proto.prediction_pb2 import Feedback, SeldonMessage

from pedalflow.errors import SettingsError
from serving.errors import LogFailed, ModelFailed, ServingError, StartFailed
from serving.feedback import parse_feedback
from serving.grpc_payloads import BIN_DATA, failure_message, parse_message, reply_message
from serving.judging import judge
from serving.payloads import (
    MAX_ROWS,
    OUTLIER_TAG,
    REASONS_TAG,
    RELEASE_TAG,
    V2,
    Request,
    parse_request,
    reply_bytes,
    reply_content,
)
from serving.request_id import request_id
from serving.scoring.errors import BadRequest, ModelBroken, Rule
from serving.segments import SegmentWriter
from serving.served import Served, load_served
from serving.settings import read_settings, setting
from serving.telemetry import (
    BAD_REQUESTS,
    FEEDBACK,
    LOG_FAILURES,
    OUTLIERS,
    REQUESTS,
    ROWS,
    SECONDS,
    Telemetry,
    outlier_kind,
)
from serving.wrapped import followed
from serving.wrapper_routes import wrapper_routes

logger = logging.getLogger("pedalflow.serving")

T = TypeVar("T")

OUR_TAGS = (RELEASE_TAG, OUTLIER_TAG, REASONS_TAG)

REST, GRPC, OF_FEEDBACK = "rest", "grpc", "feedback"  # and V2: the interfaces that metrics tell apart
INLINE, UPSTREAM, OFF = "inline", "upstream", "off"
WARN, REFUSE = "warn", "refuse"


@dataclass(frozen=True)
class PredictorSettings:
    """The settings of the predictor, as Seldon `parameters`."""

    release: Path = setting(
        "What serves: a release's folder, or the file that points to the champion and may change."
    )
    name: str = setting("The model's name in the routes of the V2 protocol.", "pedalflow")
    poll_s: float = setting("Seconds between two looks at what should serve.", 2.0, low=0.05)
    max_rows: int = setting("Rows that one request may carry.", MAX_ROWS, low=1)
    max_bytes: int = setting("Bytes that the body of a REST request may have.", 4 * 1024 * 1024, low=1024)
    outliers: str = setting(
        "Who flags outliers: `inline` is the predictor; `upstream` the outlier detector before it, by the tags of a REST request that "
        "has some; `off` nobody. With `inline` a caller's own flags count for nothing.",
        INLINE,
        choices=(INLINE, UPSTREAM, OFF),
    )
    request_log: str = setting("Folder of the request log; empty: nothing is logged.", "")
    private_fields: tuple[str, ...] = setting(
        "Fields that never reach the request log, separated by commas.", ()
    )
    rotate_mb: float = setting("Size in MiB at which a segment of the log is closed.", 64.0, low=0.001)
    sync_every_s: float = setting("Seconds between two `fsync` of the log.", 1.0, low=0.01)
    log_failure: str = setting(
        "When the log cannot be written: `warn` answers all the same, `refuse` answers 503.",
        WARN,
        choices=(WARN, REFUSE),
    )


@dataclass(frozen=True)
class Outliers:
    """Which rows are outliers and why, by row."""

    flagged: Sequence[bool]
    reasons: Sequence[Sequence[str]]


class Predictor:
    """Answers with the model of the release that serves now, says which release it was, and flags outliers."""

    def __init__(self, **parameters: Any) -> None:
        """Check the settings and the release, so that nothing starts that cannot serve.

        Raises:
            SettingsError: a parameter is unknown, missing or out of range.
            ReleaseBroken: the release cannot serve.
        """
        self.settings = read_settings(PredictorSettings, parameters)
        first = load_served(self.settings.release)
        unknown = set(self.settings.private_fields) - set(first.schema.names)
        if unknown:
            raise SettingsError(
                f"private_fields names {', '.join(sorted(unknown))}, but rows have {', '.join(first.schema.names)}"
            )
        self.model_error_handler = wrapper_routes(self, self.settings.name, self.settings.max_bytes)
        self._metadata = _metadata(self.settings.name, first)
        self._log_is_down = False

    def load(self) -> None:
        """Called by the wrapper in each process that serves, after it forked: threads, files and metrics begin here.

        Raises:
            ServingError: what went wrong; the wrapper would pass over an AttributeError and serve nothing.
        """
        try:
            self._start()
        except (AttributeError, NotImplementedError, OSError) as error:
            raise StartFailed(f"the predictor cannot start: {error!r}") from error

    def predict_raw(
        self, message: bytes | str | Mapping[str, Any] | SeldonMessage
    ) -> bytes | dict[str, Any] | SeldonMessage:
        """Answer a message in its own form. Raises BadRequest or ServingError over REST; over gRPC a refusal is a message too."""
        if isinstance(message, SeldonMessage):
            return self._as_message(GRPC, lambda: self._answer_message(message))
        as_content = isinstance(message, Mapping) and not wrapper.PAYLOAD_PASSTHROUGH
        return self._counted(REST, lambda: self._answer(message, as_content))

    def infer(self, body: bytes) -> bytes:
        """Answer a request of the V2 inference protocol. Raises BadRequest or ServingError."""
        return self._counted(V2, lambda: self._answer_v2(body))

    def send_feedback_raw(self, feedback: Feedback) -> SeldonMessage:
        """Log the true labels of a request that was answered. Raises BadRequest over REST; over gRPC a refusal is a message."""
        if flask.has_request_context():
            return self._counted(OF_FEEDBACK, lambda: self._take_feedback(feedback))
        return self._as_message(OF_FEEDBACK, lambda: self._take_feedback(feedback))

    def health_status_raw(self) -> dict[str, Any]:
        """Which release serves. Raises ServingError where none does yet."""
        return {"jsonData": {"release": self.served.release.name}}

    def init_metadata(self) -> dict[str, Any]:
        """What Seldon's `/metadata` says; not the release, which may change while the process lives."""
        return self._metadata

    @property
    def served(self) -> Served:
        """What serves now. Raises ServingError before `load`."""
        try:
            return self._live.current
        except AttributeError as error:
            raise StartFailed("no release is loaded yet; the wrapper calls load() first") from error

    def _start(self) -> None:
        self._telemetry = Telemetry()
        self._log = self._open_log()
        self._rows = self._telemetry[ROWS]
        self._live = followed(self.settings.release, self.settings.poll_s, self._telemetry, lambda _: None)
        gc.collect()
        gc.freeze()  # what is loaded now lives as long as the process; the collector need not walk through it again

    def _open_log(self) -> SegmentWriter | None:
        if not self.settings.request_log:
            return None
        log = SegmentWriter(
            Path(self.settings.request_log),
            int(self.settings.rotate_mb * 1024 * 1024),
            self.settings.sync_every_s,
            self.settings.private_fields,
        )
        atexit.register(log.close)
        return log

    def _answer(self, message: bytes | str | Mapping[str, Any], as_content: bool) -> bytes | dict[str, Any]:
        served = self.served
        request = parse_request(message, served.schema, self.settings.max_rows)
        predictions, puid, tags = self._predict(served, request)
        reply = reply_content if as_content else reply_bytes
        return reply(request, predictions, puid, tags, served.model.output, self.settings.name)

    def _answer_v2(self, body: bytes) -> bytes:
        served = self.served
        request = parse_request(body, served.schema, self.settings.max_rows)
        if request.protocol != V2:
            raise BadRequest(Rule.FORM, "this is no request of the V2 protocol; send inputs, or use /predict")
        predictions, puid, tags = self._predict(served, request)
        return reply_bytes(request, predictions, puid, tags, served.model.output, self.settings.name)

    def _answer_message(self, message: SeldonMessage) -> SeldonMessage:
        served = self.served
        request = parse_message(message, served.schema, self.settings.max_rows)
        predictions, puid, tags = self._predict(served, request)
        in_bytes = message.WhichOneof("data_oneof") == BIN_DATA
        return reply_message(request, predictions, puid, tags, served.model.output, in_bytes)

    def _predict(
        self, served: Served, request: Request
    ) -> tuple[npt.NDArray[np.float64], str, dict[str, Any]]:
        """Predictions, id and tags of a request that is right; its line is in the log when this returns."""
        try:
            predictions = _predictions(served, request)
        except ModelBroken as error:
            raise ModelFailed(f"release {served.release.name}: {error}") from error
        puid = request_id(request)
        tags: dict[str, Any] = {name: tag for name, tag in request.tags.items() if name not in OUR_TAGS}
        tags[RELEASE_TAG] = served.release.name
        outliers = self._outliers(served, request)
        if outliers is not None:
            tags[OUTLIER_TAG] = outliers.flagged
            if True in outliers.flagged:
                tags[REASONS_TAG] = outliers.reasons
                self._count_outliers(outliers)
        if self._log is not None:
            self._write(_exchange(served, request, puid, predictions, outliers))
        self._rows.inc(len(predictions))
        return predictions, puid, tags

    def _outliers(self, served: Served, request: Request) -> Outliers | None:
        if self.settings.outliers == OFF:
            return None
        if self.settings.outliers == UPSTREAM and OUTLIER_TAG in request.tags and flask.has_request_context():
            return _from_upstream(request)
        return Outliers(*judge(served, request))

    def _count_outliers(self, outliers: Outliers) -> None:
        for reasons in outliers.reasons:
            for reason in reasons:
                self._telemetry.at(OUTLIERS, outlier_kind(reason)).inc()

    def _take_feedback(self, feedback: Feedback) -> SeldonMessage:
        puid, labels = parse_feedback(feedback)
        self._write({"kind": "feedback", "id": puid, "time": datetime.now(timezone.utc), "labels": labels})
        self._telemetry[FEEDBACK].inc()
        reply = SeldonMessage()
        reply.meta.puid = puid
        return reply

    def _write(self, line: Mapping[str, Any]) -> None:
        """Write a line to the request log, if there is one. Raises LogFailed where the settings ask for it."""
        if self._log is None:
            return
        try:
            self._log.append(line)
        except OSError as error:
            self._telemetry[LOG_FAILURES].inc()
            if self.settings.log_failure == REFUSE:
                raise LogFailed(f"the request log cannot be written ({error}); try again later") from error
            if not self._log_is_down:
                logger.warning(
                    "the request log cannot be written, requests are answered without it: %s", error
                )
            self._log_is_down = True
        else:
            if self._log_is_down:
                logger.warning("the request log is written again")
            self._log_is_down = False

    def _as_message(self, interface: str, work: Callable[[], SeldonMessage]) -> SeldonMessage:
        """The answer, or the refusal, as a message."""
        try:
            return self._counted(interface, work)
        except BadRequest as bad:
            return failure_message(400, bad.rule, bad.message)
        except ServingError as error:
            return failure_message(error.code, error.reason, str(error))

    def _counted(self, interface: str, work: Callable[[], T]) -> T:
        """Do the work; count it by its outcome and measure how long it took."""
        started = time.perf_counter()
        code = "500"
        try:
            result = work()
            code = "200"
            return result
        except BadRequest as bad:
            code = "400"
            self._telemetry.at(BAD_REQUESTS, bad.rule).inc()
            raise
        except ServingError as error:
            code = str(error.code)
            logger.error("%s", error)
            raise
        except Exception:
            logger.exception(
                "a request met an error that nobody foresaw"
            )  # the wrapper's log has no traceback
            raise
        finally:
            self._telemetry.at(REQUESTS, interface, code).inc()
            self._telemetry.at(SECONDS, interface).observe(time.perf_counter() - started)


def _metadata(name: str, served: Served) -> dict[str, Any]:
    names, output = list(served.schema.names), served.model.output
    return {
        "name": name,
        "platform": "pedalflow",
        "inputs": [{"messagetype": "tensor", "schema": {"names": names, "shape": [len(names)]}}],
        "outputs": [{"messagetype": "tensor", "schema": {"names": [output], "shape": [1]}}],
    }


def _predictions(served: Served, request: Request) -> npt.NDArray[np.float64]:
    """By row. Raises ModelBroken."""
    if request.row is not None:
        return served.model.predict_row(request.row)
    return served.model.predict(request.columns)


def _exchange(
    served: Served,
    request: Request,
    puid: str,
    predictions: npt.NDArray[np.float64],
    outliers: Outliers | None,
) -> dict[str, Any]:
    """The line of the request log for a request and its answer."""
    return {
        "kind": "exchange",
        "id": puid,
        "time": datetime.now(timezone.utc),
        "release": served.release.name,
        "columns": request.to_lists(),
        "predictions": predictions,
        "outliers": [] if outliers is None else outliers.flagged,
    }


def _from_upstream(request: Request) -> Outliers:
    """The flags that whoever came before has set. Raises BadRequest where they do not fit the rows."""
    flagged = request.tags[OUTLIER_TAG]
    reasons = request.tags.get(REASONS_TAG) or [[]] * request.rows
    fits = (
        _is_list_of(bool, flagged, request.rows)
        and _is_list_of(list, reasons, request.rows)
        and all(set(map(type, row)) <= {str} for row in reasons)
    )
    if not fits:
        raise BadRequest(
            Rule.TAGS,
            f"meta.tags: {OUTLIER_TAG} must be a list of {request.rows} booleans and {REASONS_TAG} a list of {request.rows} "
            "lists of texts, one for each row",
        )
    return Outliers(flagged, reasons)


def _is_list_of(kind: type, values: Any, count: int) -> bool:
    return type(values) is list and len(values) == count and set(map(type, values)) == {kind}
