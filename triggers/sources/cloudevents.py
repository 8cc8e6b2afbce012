"""CloudEvents from detectors, pipelines and buckets. What an event is about is a table by its type; other types are recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from triggers.events import Event, Fact, Kind, Source
from triggers.sources.cloud_event import CloudEvent, inner, read_cloud_events
from triggers.sources.reading import (
    list_or_nothing,
    moment_or_none,
    number_or_none,
    object_or_nothing,
    text_of,
    text_or_nothing,
    whole_or_none,
)
from triggers.sources.source_settings import SourceSettings
from triggers.sources.stored_objects import StoredObject, finalised
from triggers.sources.verdicts import (
    concept_drift_event,
    delivery_of,
    drift_event,
    facts_of_detector,
    subject_of,
)

_MOST_ARTIFACTS = 20


def parse_cloudevents(headers: Mapping[str, str], body: bytes, settings: SourceSettings) -> tuple[Event, ...]:
    """An event for each CloudEvent of the request."""
    return tuple(
        _READERS.get(event.text("type"), _other)(event, settings)
        for event in read_cloud_events(headers, body)
    )


def _other(event: CloudEvent, settings: SourceSettings) -> Event:
    """A type that nobody has written a reader for; its data is not looked at."""
    kind = event.text("type")
    return Event(
        source=Source.CLOUDEVENTS,
        delivery=delivery_of(event),
        kind=Kind.OTHER,
        subject=event.text("subject") or event.text("source"),
        summary=f"An event of the type {kind} from {event.text('source')}",
        occurred=event.time,
        request_id=event.text("requestid"),
        facts={"type": kind, "source": event.text("source")},
    )


def _outliers(event: CloudEvent, settings: SourceSettings) -> Event:
    return _flagged(event, settings, Kind.OUTLIERS, "is_outlier", "outliers")


def _adversarial(event: CloudEvent, settings: SourceSettings) -> Event:
    return _flagged(event, settings, Kind.ADVERSARIAL, "is_adversarial", "made to move the model")


def _flagged(event: CloudEvent, settings: SourceSettings, kind: Kind, flag: str, what: str) -> Event:
    """Rows of one request that a detector flagged."""
    said = inner(event.content())
    flags = list_or_nothing(said.get(flag))
    rows = sum(1 for value in flags if value in (0, 1) and value)
    return Event(
        source=Source.CLOUDEVENTS,
        delivery=delivery_of(event),
        kind=kind,
        subject=subject_of(event, settings, kind),
        summary=f"{rows} of {len(flags)} rows of a request were flagged as {what}",
        occurred=event.time,
        request_id=event.text("requestid") or text_or_nothing(said.get("request_id")),
        facts={
            **facts_of_detector(event, said),
            "rows": len(flags),
            "flagged": rows,
            "coalesced": number_or_none(said.get("coalesced")),
        },
    )


def _run_completion(event: CloudEvent, settings: SourceSettings) -> Event:
    """As the KFP operator tells that a run is over."""
    said = event.content()
    status = text_of(said.get("status"), "data.status")
    pipeline = text_of(said.get("pipelineName"), "data.pipelineName")
    listed = list_or_nothing(said.get("artifacts")) or list_or_nothing(said.get("servingModelArtifacts"))
    artifacts: list[Fact] = [_artifact(item) for item in listed[:_MOST_ARTIFACTS]]
    names = ("provider", "runName", "runId", "runConfigurationName")
    return Event(
        source=Source.CLOUDEVENTS,
        delivery=delivery_of(event),
        kind=Kind.RUN_COMPLETION,
        subject=pipeline,
        summary=f"A run of {pipeline} {status}",
        occurred=event.time,
        facts={
            "status": status,
            "pipeline": pipeline,
            "artifacts": artifacts,
            **{name: text_or_nothing(said.get(name)) for name in names},
        },
    )


def _artifact(item: object) -> dict[str, Fact]:
    said = object_or_nothing(item)
    return {name: text_or_nothing(said.get(name)) for name in ("name", "location")}


def _finalised(event: CloudEvent, settings: SourceSettings) -> Event:
    """An object of Google Cloud Storage, as Eventarc brings it."""
    said = event.content()
    stored = StoredObject(
        scheme="gs",
        bucket=text_of(said.get("bucket"), "data.bucket"),
        key=text_of(said.get("name"), "data.name"),
        version=_generation(said.get("generation")) or delivery_of(event),
        created=moment_or_none(said.get("timeCreated"), "data.timeCreated") or event.time,
        size=whole_or_none(said.get("size")),
    )
    return finalised(stored, Source.CLOUDEVENTS, settings)


def _generation(value: object) -> str:
    """A whole number, which protobuf's JSON writes as text."""
    return str(value) if type(value) in (int, str) else ""


_READERS: Mapping[str, Callable[[CloudEvent, SourceSettings], Event]] = {
    "io.seldon.serving.inference.drift": drift_event,
    "org.kubeflow.serving.inference.drift": drift_event,
    "io.pedalflow.serving.inference.conceptdrift": concept_drift_event,
    "io.seldon.serving.inference.outlier": _outliers,
    "org.kubeflow.serving.inference.outlier": _outliers,
    "io.seldon.serving.inference.adversarial": _adversarial,
    "io.pedalflow.serving.inference.adversarial": _adversarial,
    "org.kubeflow.serving.inference.adversarial": _adversarial,
    "org.kubeflow.pipelines.run-completion": _run_completion,
    "google.cloud.storage.object.v1.finalized": _finalised,
}
