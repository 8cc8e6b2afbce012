"""Sends labelled hours to a running server as a client would: predictions over REST, some again over gRPC, then the labels."""

from __future__ import annotations

import csv
import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import urllib3
from prometheus_client.parser import text_string_to_metric_families
from seldon_core.proto import prediction_pb2, prediction_pb2_grpc

from detectors.layout import Layout
from pedalflow.errors import DataMissing, DataRefused, SettingsError
from pedalflow.replay_record import InterfaceUse
from serving.event_metrics import RECEIVED
from serving.scoring.request import DATE, INTEGER, RequestSchema

Record = Mapping[str, Any]
JSON = {"Content-Type": "application/json"}
TIMEOUT_S = 30.0
_READ: Mapping[str, Callable[[str], Any]] = {DATE: str, INTEGER: lambda text: int(float(text))}


@dataclass(frozen=True)
class Hour:
    """A row as it is requested, and the label that comes back for it later."""

    record: Record
    label: float


@dataclass(frozen=True)
class Answer:
    """What the server said of one row."""

    puid: str
    prediction: float
    reasons: tuple[str, ...]


@dataclass
class Stopwatch:
    """How long each request of one interface took, and how many failed."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0

    def use(self, name: str, address: str) -> InterfaceUse:
        """The record of what was measured."""
        spent = sorted(self.seconds) or [0.0]
        p99 = spent[min(len(spent) - 1, int(0.99 * len(spent)))]
        return InterfaceUse(
            name, address, len(self.seconds), self.failed, 1e3 * statistics.median(spent), 1e3 * p99
        )


def read_hours(file: Path, schema: RequestSchema, layout: Layout) -> list[Hour]:
    """The rows of a CSV that has the release's features and its label, in order; other columns are left out.

    Raises:
        DataMissing: there is no such file.
        DataRefused: it has no rows, a column is missing, or a value is no number.
    """
    if not file.is_file():
        raise DataMissing(f"{file} is no file; `pedalflow data list` shows the spans that are here")
    with file.open(encoding="utf-8", errors="replace", newline="") as lines:
        rows = csv.DictReader(lines)
        missing = [name for name in (*schema.names, layout.label) if name not in (rows.fieldnames or ())]
        if missing:
            raise DataRefused(
                f"{file} has no column {', '.join(missing)}; it needs the features and the label"
            )
        try:
            hours = [_hour(row, schema, layout) for row in rows]
        except (TypeError, ValueError) as error:
            raise DataRefused(
                f"{file}, line {rows.line_num}: {error}; mend the row or leave it out"
            ) from error
    if not hours:
        raise DataRefused(f"{file} has a header and no rows; there is nothing to send")
    return hours


def _hour(row: Mapping[str, str], schema: RequestSchema, layout: Layout) -> Hour:
    record = {name.name: _READ.get(name.kind, float)(row[name.name]) for name in schema.fields}
    return Hour(record, float(row[layout.label]))


@dataclass(frozen=True)
class Sending:
    """What is sent, in order. The hours of the window `staged_window` (from 0; None: no window) carry the `fault`."""

    hours: Sequence[Hour]
    window_rows: int
    staged_window: int | None = None
    fault: str = ""

    @property
    def flags(self) -> tuple[bool, ...]:
        """Whether each hour is staged."""
        return tuple(row // self.window_rows == self.staged_window for row in range(len(self.hours)))

    @property
    def said(self) -> str:
        """The fault, for a line of progress."""
        return f"; in {self.window_rows} of them {self.fault}, on purpose" if self.fault else ""


def sending(hours: Sequence[Hour], window_rows: int, column: str | None) -> Sending:
    """The hours as they are or, where `column` names a sensor, with the last whole window from one that is stuck.

    A single window is never staged: there would be none to compare it with. Raises SettingsError for a column that rows have not.
    """
    if column is not None and column not in hours[0].record:
        raise SettingsError(f"--stuck {column}: rows have {', '.join(hours[0].record)}")
    whole = len(hours) // window_rows
    if column is None or whole < 2:
        return Sending(hours, window_rows)
    first, last = (whole - 1) * window_rows, whole * window_rows
    faulty = [*hours[:first], *stuck(hours[first:last], column), *hours[last:]]
    return Sending(faulty, window_rows, whole - 1, f"{column} is stuck")


def stuck(hours: Sequence[Hour], column: str) -> list[Hour]:
    """The same hours from a sensor that tells one value only: the middle one of what it should have told."""
    value = statistics.median_low(hour.record[column] for hour in hours)
    return [Hour({**hour.record, column: value}, hour.label) for hour in hours]


class RestClient:
    """One connection to the executor's REST address that is kept open."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._pool = urllib3.PoolManager(maxsize=1, timeout=TIMEOUT_S)
        self.predictions = Stopwatch()
        self.labels = Stopwatch()

    def predict(self, record: Record) -> Answer | None:
        """The answer to one row; None where it failed, which is counted."""
        body = {"data": {"names": list(record), "ndarray": [list(record.values())]}}
        reply = self._timed(self.predictions, "/api/v1.0/predictions", body)
        if reply is None:
            return None
        tags = reply["meta"]["tags"]
        reasons = tags.get("outlier_reasons") or [[]]
        return Answer(reply["meta"]["puid"], float(reply["data"]["ndarray"][0][0]), tuple(reasons[0] or ()))

    def feedback(self, puid: str, label: float) -> None:
        """The label of an earlier prediction."""
        body = {"response": {"meta": {"puid": puid}}, "truth": {"data": {"ndarray": [[label]]}}}
        self._timed(self.labels, "/api/v1.0/feedback", body)

    def explain(self, record: Record) -> Mapping[str, Any] | None:
        """The contributions to the prediction of one row; None where there is no explainer, or it refused."""
        body = {"data": {"names": list(record), "ndarray": [list(record.values())]}}
        return self._post("/api/v1.0/explanations", body)

    def get(self, address: str) -> Any:
        """Another address's JSON."""
        return json.loads(self._pool.request("GET", address).data)

    def events_taken(self, address: str, kind: str) -> int:
        """How many events of a kind the event service at `address` has taken in."""
        text = self._pool.request("GET", f"{address}/metrics").data.decode("utf-8")
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        wanted = {"type": kind, "outcome": "taken"}
        return int(sum(s.value for s in samples if s.name == RECEIVED.name and s.labels == wanted))

    def _timed(self, watch: Stopwatch, path: str, body: Mapping[str, Any]) -> Any:
        begun = time.perf_counter()
        reply = self._post(path, body)
        watch.seconds.append(time.perf_counter() - begun)
        watch.failed += reply is None
        return reply

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        reply = self._pool.request("POST", self._address + path, body=json.dumps(body), headers=JSON)
        return json.loads(reply.data) if reply.status == 200 else None


def predict_over_grpc(address: str, records: Iterable[Record], watch: Stopwatch) -> Iterator[float]:
    """The predictor's own gRPC port, a row at a time; a failure is counted and gives not-a-number."""
    with closing(grpc.insecure_channel(address)) as channel:
        stub = prediction_pb2_grpc.ModelStub(channel)
        for record in records:
            message = prediction_pb2.SeldonMessage()
            message.data.names.extend(record)
            message.data.ndarray.add_list().extend(list(record.values()))
            begun = time.perf_counter()
            reply = stub.Predict(message, timeout=TIMEOUT_S)
            watch.seconds.append(time.perf_counter() - begun)
            failed = not reply.data.ndarray.values
            watch.failed += failed
            yield float("nan") if failed else reply.data.ndarray.values[0].list_value.values[0].number_value
