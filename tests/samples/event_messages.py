"""CloudEvents as Seldon's request logger sends them, for tests of what receives them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

REQUEST = "io.seldon.serving.inference.request"
RESPONSE = "io.seldon.serving.inference.response"
FEEDBACK = "io.seldon.serving.feedback"


@dataclass(frozen=True)
class Message:
    """Headers and body of one POST."""

    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def message(kind: str, request_id: str, content: Any, event_id: str | None = None) -> Message:
    """An event in binary mode, with the extensions of Seldon's logger."""
    headers = {
        "Content-Type": "application/json",
        "Ce-Specversion": "1.0",
        "Ce-Id": event_id or f"{kind.rpartition('.')[2]}-{request_id}",
        "Ce-Type": kind,
        "Ce-Source": "http://localhost:8000/",
        "Ce-Time": "2026-01-31T12:00:00.123456789Z",
        "Ce-Requestid": request_id,
        "Ce-Modelid": "predictor",
        "Ce-Inferenceservicename": "pedalflow",
        "Ce-Namespace": "seldon",
        "Ce-Endpoint": "main",
        "Ce-Protocol": "seldon",
    }
    return Message(headers, content if isinstance(content, bytes) else json.dumps(content).encode())


def request(request_id: str, rows: Sequence[Mapping[str, Any]], event_id: str | None = None) -> Message:
    """A request for predictions, logged."""
    data = {"names": list(rows[0]), "ndarray": [list(row.values()) for row in rows]}
    return message(REQUEST, request_id, {"data": data}, event_id)


def response(
    request_id: str, release: str, predictions: Sequence[float], outliers: Sequence[bool] = ()
) -> Message:
    """The answer, logged."""
    tags: dict[str, Any] = {"release": release, "outlier": list(outliers) or [False] * len(predictions)}
    if any(outliers):
        tags["outlier_reasons"] = [["range: hum"] if flag else [] for flag in outliers]
    data = {"names": ["count"], "ndarray": [[value] for value in predictions]}
    return message(RESPONSE, request_id, {"data": data, "meta": {"puid": request_id, "tags": tags}})


def feedback(request_id: str, labels: Sequence[float], event_id: str | None = None) -> Message:
    """The labels, logged."""
    content = {
        "response": {"meta": {"puid": request_id}},
        "truth": {"data": {"ndarray": [[label] for label in labels]}},
    }
    return message(FEEDBACK, request_id, content, event_id)
