"""What each source sends, for OpenAPI: the part of its layout that is read, and a short example. Further fields are tolerated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from triggers.events import Source
from triggers.sources.person import PersonBody
from triggers.sources.schedule import ScheduleBody

Schema = Mapping[str, Any]

_TEXT: Schema = {"type": "string", "minLength": 1}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_OBJECT: Schema = {"type": "object"}


@dataclass(frozen=True)
class Header:
    """A header that the source sends beside the usual ones."""

    name: str
    doc: str
    required: bool = True
    schema: Schema = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True)
class Payload:
    """What a source sends.

    Args:
        summary: one line.
        doc: how it proves who it is, and what is made of it.
        security: the name of the scheme.
        content: schema and example by content type.
        headers: what it sends beside the body.
    """

    summary: str
    doc: str
    security: str
    content: Mapping[str, Mapping[str, Any]]
    headers: tuple[Header, ...] = ()


def _object(properties: Mapping[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    return {"type": "object", "properties": dict(properties), "required": list(required)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items, "maxItems": 1000}


_FILES = _list(_TEXT)
_COMMIT = _object({"id": _TEXT, "added": _FILES, "modified": _FILES, "removed": _FILES})
_HASH = "9f2c1a7be04d5c3f8a6e1b2d3c4f5a6b7c8d9e0f"
_GITHUB = _object(
    {
        "ref": {"type": "string", "minLength": 1, "examples": ["refs/heads/main"]},
        "after": {"type": "string", "pattern": "^[0-9a-f]{40}$"},
        "commits": _list(_COMMIT),
        "repository": _object({"full_name": _TEXT}),
    },
    ("ref", "after", "commits", "repository"),
)
_GITHUB_EXAMPLE = {
    "ref": "refs/heads/main",
    "after": _HASH,
    "repository": {"full_name": "example/pedalflow"},
    "commits": [{"id": _HASH, "added": ["data/spans/span-02.csv.dvc"], "modified": [], "removed": []}],
    "size": 1,
}

_DRIFT = {
    "data": {
        "is_drift": 1,
        "score": 4.0,
        "threshold": 1.0,
        "window": {"rows": 168, "first": "2012-04-22", "last": "2012-04-29"},
        "release": "r-40eba854257d",
    },
    "meta": {"name": "KSDrift", "detector_type": "drift"},
}
_ATTRIBUTES: Mapping[str, Schema] = {
    "specversion": {"const": "1.0"},
    "id": {"type": "string", "minLength": 1, "maxLength": 200},
    "source": {"type": "string", "pattern": "^[!-~]{1,200}$"},
    "type": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}
_STRUCTURED = _object({**_ATTRIBUTES, "time": _MOMENT, "data": _OBJECT}, tuple(_ATTRIBUTES))
_DRIFT_EVENT = {
    "specversion": "1.0",
    "id": "0736413f",
    "source": "io.seldon.serving.pedalflow-drift",
    "type": "io.seldon.serving.inference.drift",
    "data": _DRIFT,
}

_LABELS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_ALERT = _object(
    {
        "status": {"type": "string", "enum": ["firing", "resolved"]},
        "labels": _LABELS,
        "annotations": _LABELS,
        "startsAt": _MOMENT,
        "fingerprint": _TEXT,
    },
    ("status", "labels", "startsAt"),
)
_ALERT_EXAMPLE = {
    "version": "4",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "PedalflowDrift", "pedalflow_reason": "drift"},
            "annotations": {"summary": "The requests drift."},
            "startsAt": "2026-11-21T08:13:45Z",
            "fingerprint": "1a30ba71cca2921f",
        }
    ],
}

_PUBSUB = _object(
    {
        "message": _object(
            {
                "attributes": {"type": "object", "additionalProperties": {"type": "string"}},
                "data": {"type": "string", "contentEncoding": "base64"},
                "messageId": _TEXT,
                "publishTime": _MOMENT,
            },
            ("messageId",),
        ),
        "subscription": {"type": "string"},
    },
    ("message",),
)
_PUBSUB_EXAMPLE = {
    "message": {
        "attributes": {
            "eventType": "OBJECT_FINALIZE",
            "bucketId": "bike-hours",
            "objectId": "2012-01/_SUCCESS",
            "objectGeneration": "1328056269104211",
        },
        "messageId": "1096434104173400",
    },
    "subscription": "projects/bike-example/subscriptions/pedalflow-triggers",
}

_RECORD = _object(
    {
        "eventName": {"type": "string", "examples": ["ObjectCreated:Put"], "minLength": 1},
        "eventTime": _MOMENT,
        "s3": _object(
            {
                "bucket": _object({"name": _TEXT}, ("name",)),
                "object": _object({"key": _TEXT, "eTag": _TEXT, "sequencer": _TEXT}, ("key", "sequencer")),
            },
            ("bucket", "object"),
        ),
    },
    ("eventName", "s3"),
)
_S3_EXAMPLE = {
    "Records": [
        {
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": "bike-hours"},
                "object": {"key": "2012-01/_SUCCESS", "sequencer": "0055AED6DCD90281E5"},
            },
        }
    ]
}


def _json(schema: Schema, example: object) -> Mapping[str, Mapping[str, Any]]:
    return {"application/json": {"schema": schema, "example": example}}


def _model(model: type[PersonBody | ScheduleBody], example: object) -> Mapping[str, Mapping[str, Any]]:
    return _json(model.model_json_schema(), example)


_TOKEN = "A bearer token of its own."
PAYLOADS: Mapping[Source, Payload] = {
    Source.GITHUB: Payload(
        "GitHub's webhook",
        "Signed with the webhook's secret. A push to the branch is a change of code, of data, or both; everything else is recorded. "
        "The same body twice counts once.",
        "github",
        _json(_GITHUB, _GITHUB_EXAMPLE),
        (
            Header("X-GitHub-Event", "What happened, such as push or ping.", schema={"const": "push"}),
            Header(
                "X-GitHub-Delivery",
                "What GitHub calls the delivery; kept as a fact, and not what it is known again by.",
                schema={"type": "string", "format": "uuid"},
            ),
        ),
    ),
    Source.CLOUDEVENTS: Payload(
        "CloudEvents 1.0 of detectors, pipelines and buckets",
        f"{_TOKEN} Structured, batched, or binary with the attributes as headers Ce-…; types that nobody knows are recorded. "
        "What is taken is answered without a body, as Knative wants it.",
        "bearer",
        {
            "application/cloudevents+json": {"schema": _STRUCTURED, "example": _DRIFT_EVENT},
            "application/cloudevents-batch+json": {"schema": _list(_STRUCTURED), "example": [_DRIFT_EVENT]},
        },
    ),
    Source.ALERTMANAGER: Payload(
        "Alertmanager's webhook, version 4",
        f"{_TOKEN} One event for each alert; the label pedalflow_reason says what it counts as.",
        "bearer",
        _json(_object({"alerts": _list(_ALERT)}, ("alerts",)), _ALERT_EXAMPLE),
    ),
    Source.PUBSUB: Payload(
        "Notifications of Google Cloud Storage, pushed by Pub/Sub",
        "An OpenID Connect token of the subscription's service account. The marker object says that a batch is complete.",
        "pubsub",
        _json(_PUBSUB, _PUBSUB_EXAMPLE),
    ),
    Source.S3: Payload(
        "Events of S3 or MinIO",
        f"{_TOKEN} The marker object says that a batch is complete.",
        "bearer",
        _json(_object({"Records": _list(_RECORD)}, ("Records",)), _S3_EXAMPLE),
    ),
    Source.SCHEDULE: Payload(
        "A schedule's time has come",
        f"{_TOKEN} A schedule and a slot are one event.",
        "bearer",
        _model(ScheduleBody, {"name": "nightly", "slot": "2026-11-21T03:00:00Z"}),
    ),
    Source.PERSON: Payload(
        "Somebody asks for a retraining, a pause, or its end",
        f"{_TOKEN} While it is paused events are taken and decided, and runs wait. The same id sent twice counts once.",
        "bearer",
        _model(PersonBody, {"reason": "The new sensor was calibrated.", "who": "ada", "id": "6b1f4f0e"}),
    ),
}
