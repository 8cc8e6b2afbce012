"""The explainer: what each feature contributed to a prediction. A class that Seldon's wrapper starts as a MODEL of its own.

    python -m serving.microservice serving.explainer.Explainer --parameters '[…]'

It answers on `/predict` as every MODEL does, and on `/api/v1.0/explain`, the path of Seldon's explainers. The contributions are exact
Shapley values against the release's background rows (`detectors.contributions`): they add up to the prediction minus the base.

The time is limited before the work begins: each release explains a row of its background when it is loaded, and from what that took
follows how many rows fit into `time_limit_s`. More rows are refused at once with a 400 that says how many fit, because it is the
request that must change. Where a single row takes longer than the limit, or where others are being explained for so long, no
request can help it: that is a 503. Rows are explained one request at a time, which keeps the estimate true.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import flask
import numpy as np
import orjson
from google.protobuf.json_format import ParseDict
from seldon_core.proto.prediction_pb2 import SeldonMessage

from detectors.contributions import Contributions, contributions
from detectors.layout import Columns, row_count, take
from serving.errors import ServingError, StartFailed
from serving.grpc_payloads import failure_message, parse_message
from serving.payloads import RELEASE_TAG, Request, parse_request
from serving.request_id import request_id
from serving.scoring.errors import BadRequest, ModelBroken, Rule
from serving.served import Served, load_served
from serving.settings import read_settings, setting
from serving.telemetry import BAD_REQUESTS, RELEASE, RELEASES_REFUSED, REQUESTS, SECONDS, Metric, Telemetry
from serving.wrapped import as_wrapper_wants, followed, routes
from serving.wrapper_routes import JSON

REST, GRPC = "rest", "grpc"
MAX_ROWS = 8
EXPLAINED_ROWS = Metric("pedalflow_explained_rows_total", "counter", (), "Rows that were explained.")
METRICS = (EXPLAINED_ROWS, REQUESTS, SECONDS, BAD_REQUESTS, RELEASE, RELEASES_REFUSED)

T = TypeVar("T")


@dataclass(frozen=True)
class ExplainerSettings:
    """The settings of the explainer, as Seldon `parameters`."""

    release: Path = setting("What is explained: a release's folder, or the file that points to the champion.")
    max_rows: int = setting("Rows that one request may carry.", MAX_ROWS, low=1)
    time_limit_s: float = setting("Seconds that the answer to one request may take.", 1.0, low=0.01)
    features: tuple[str, ...] = setting(
        "Features to explain, separated by commas; empty: all, 12 at most. The others keep the row's values.",
        (),
    )
    poll_s: float = setting("Seconds between two looks at what should serve.", 2.0, low=0.05)
    max_bytes: int = setting("Bytes that the body of a REST request may have.", 1024 * 1024, low=1024)


class TooSlow(ServingError):
    """An explanation does not fit into the time limit, and no request could change it."""

    code = 503
    reason = "TOO_SLOW"


@dataclass(frozen=True)
class Ready:
    """A release that was measured: `row_s` seconds for the explanation of one row."""

    served: Served
    row_s: float


class Explainer:
    """Explains predictions of the release that serves now."""

    def __init__(self, **parameters: Any) -> None:
        """Check the settings and the release, so that nothing starts that cannot explain.

        Raises:
            SettingsError: a parameter is unknown, missing or out of range.
            ReleaseBroken: the release cannot serve.
            StartFailed: `features` names what is no feature.
        """
        self.settings = read_settings(ExplainerSettings, parameters)
        self._features(load_served(self.settings.release))
        self._turn = threading.Lock()
        self.model_error_handler = routes(self.settings.max_bytes)
        self.model_error_handler.post("/api/v1.0/explain")(self._over_http)

    def load(self) -> None:
        """Called by the wrapper in each process that serves, after it forked: threads and metrics begin here.

        Raises:
            ServingError: what went wrong; the wrapper would pass over an AttributeError and explain nothing.
        """
        try:
            self._telemetry = Telemetry(METRICS)
            self._live = followed(self.settings.release, self.settings.poll_s, self._telemetry, self._measure)
        except (AttributeError, NotImplementedError, OSError, ValueError) as error:
            raise StartFailed(f"the explainer cannot start: {error!r}") from error

    def predict_raw(self, message: Any) -> bytes | dict[str, Any] | SeldonMessage:
        """The contributions to each prediction, as jsonData.

        Raises BadRequest or ServingError over REST; over gRPC a refusal is a message too.
        """
        if isinstance(message, SeldonMessage):
            return self._over_grpc(message)
        return as_wrapper_wants(message, self._counted(REST, lambda: self._explained(message)))

    def _over_http(self) -> flask.Response:
        reply = self._counted(REST, lambda: self._explained(flask.request.get_data()))
        return flask.Response(orjson.dumps(reply), mimetype=JSON)

    def _over_grpc(self, message: SeldonMessage) -> SeldonMessage:
        served = self._ready.served
        try:
            reply = self._counted(
                GRPC, lambda: self._answer(parse_message(message, served.schema), self._ready)
            )
        except BadRequest as bad:
            return failure_message(400, bad.rule, bad.message)
        except ServingError as error:
            return failure_message(error.code, error.reason, str(error))
        return ParseDict(reply, SeldonMessage())

    def _explained(self, content: Any) -> dict[str, Any]:
        ready = self._ready
        return self._answer(parse_request(content, ready.served.schema), ready)

    def _answer(self, request: Request, ready: Ready) -> dict[str, Any]:
        begun = time.perf_counter()
        self._check_fits(request.rows, ready.row_s)
        puid = request_id(request)
        with self._my_turn():
            rows = [self._row(ready.served, request.columns, row, begun) for row in range(request.rows)]
        self._telemetry[EXPLAINED_ROWS].inc(len(rows))
        release = ready.served.release.name
        content = {
            "release": release,
            "puid": puid,
            "seconds": round(time.perf_counter() - begun, 4),
            "rows": rows,
        }
        return {"jsonData": content, "meta": {"puid": puid, "tags": {RELEASE_TAG: release}}}

    def _check_fits(self, rows: int, row_s: float) -> None:
        limit_s = self.settings.time_limit_s
        if row_s > limit_s:
            raise TooSlow(
                f"one row takes {row_s:.2g} s here, more than the limit of {limit_s:g} s; raise time_limit_s, or name fewer features"
            )
        fitting = min(self.settings.max_rows, int(limit_s / row_s))
        if rows > fitting:
            raise BadRequest(
                Rule.TOO_MANY_ROWS,
                f"{rows} rows are too many to be explained within {limit_s:g} s at {row_s:.2g} s a row; send at most {fitting}",
            )

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=self.settings.time_limit_s):
            raise TooSlow("other predictions are being explained; try again in a second")
        try:
            yield
        finally:
            self._turn.release()

    def _row(self, served: Served, columns: Columns, row: int, begun: float) -> dict[str, Any]:
        """One row's explanation. Raises TooSlow where rows before it have used up twice the time."""
        if time.perf_counter() - begun > 2 * self.settings.time_limit_s:
            raise TooSlow(
                f"this machine is busy: only {row} rows were explained in time; try again, with fewer"
            )
        one = take(columns, np.array([row]))
        found = contributions(served.model.predict, one, served.detectors.background, self._features(served))
        return described(found, served.schema.to_records(one)[0])

    def _features(self, served: Served) -> Sequence[str]:
        names = self.settings.features or served.detectors.layout.features
        unknown = [name for name in names if name not in served.schema.names]
        if unknown:
            raise StartFailed(
                f"features names {', '.join(unknown)}, but rows have {', '.join(served.schema.names)}"
            )
        return names

    def _measure(self, served: Served) -> None:
        """Explain a background row three times; the quickest is the estimate. Then the release takes its place.

        While everything starts, one of them may well have waited for its turn; it would stand for all that are asked for later.
        """
        background = served.detectors.background
        row, features = take(background, np.array([row_count(background) // 2])), self._features(served)
        spent = []
        for _ in range(3):
            begun = time.perf_counter()
            contributions(served.model.predict, row, background, features)
            spent.append(time.perf_counter() - begun)
        self._ready = Ready(served, min(spent))

    def _counted(self, interface: str, work: Callable[[], T]) -> T:
        """Do the work; count it by its outcome and measure how long it took."""
        begun, code = time.perf_counter(), "500"
        try:
            result = work()
            code = "200"
            return result
        except BadRequest as bad:
            code = "400"
            self._telemetry.at(BAD_REQUESTS, bad.rule).inc()
            raise
        except ModelBroken as error:
            raise ServingError(
                f"the model cannot predict rows between this one and the background: {error}"
            ) from error
        except ServingError as error:
            code = str(error.code)
            raise
        finally:
            self._telemetry.at(REQUESTS, interface, code).inc()
            self._telemetry.at(SECONDS, interface).observe(time.perf_counter() - begun)


def described(found: Contributions, record: dict[str, Any]) -> dict[str, Any]:
    """One row's explanation as JSON content, what moved the prediction most first."""
    by_size = sorted(found.by_feature.items(), key=lambda entry: -abs(entry[1]))
    return {
        "base": found.base,
        "prediction": found.prediction,
        "contributions": [
            {"feature": name, "value": record[name], "contribution": value} for name, value in by_size
        ],
    }
