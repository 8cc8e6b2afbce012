"""What the detectors say of drift and of concept drift, in the layout of the vendor's alibi-detect server and in ours (docs/events.md)."""

from __future__ import annotations

from triggers.errors import Refused
from triggers.events import IS_DRIFT, RELEASE, Event, Fact, Kind, Source
from triggers.policy import DAY
from triggers.sources.cloud_event import CloudEvent, inner
from triggers.sources.reading import (
    FIELD,
    Object,
    end_of,
    kind_of,
    list_or_nothing,
    number_or_none,
    object_or_nothing,
    text_or_nothing,
)
from triggers.sources.source_settings import SourceSettings

_MOST_REASONS = 10
_WINDOW, _ROLLING = ("rows", "first", "last"), ("rows", "rmse", "wape")


def delivery_of(event: CloudEvent) -> str:
    """CloudEvents are the same where source and id are; a source has no blanks."""
    return f"{event.text('source')} {event.text('id')}"


def subject_of(event: CloudEvent, settings: SourceSettings, kind: Kind) -> str:
    """Which model, and what about it."""
    model = event.text("inferenceservicename") or event.text("modelid") or settings.model
    return f"{model}/{kind.value}"


def drift_event(event: CloudEvent, settings: SourceSettings) -> Event:
    """A window of requests was judged."""
    said = inner(event.content())
    window = object_or_nothing(said.get("window"))
    first, last = text_or_nothing(window.get("first")), text_or_nothing(window.get("last"))
    when = f" in the rows of {first} to {last}" if first and last else ""
    facts: dict[str, Fact] = {"window": _part(window, _WINDOW)}
    return _verdict(event, settings, said, Kind.DRIFT, when, end_of(last), facts)


def concept_drift_event(event: CloudEvent, settings: SourceSettings) -> Event:
    """A day of labels was judged."""
    said = inner(event.content())
    day, rolling = text_or_nothing(said.get("day")), object_or_nothing(said.get("rolling"))
    facts: dict[str, Fact] = {name: number_or_none(said.get(name)) for name in ("rmse", "wape")}
    facts.update({"day": day, "rolling": _part(rolling, _ROLLING)})
    when = f" on {day}" if day else ""
    return _verdict(event, settings, said, Kind.CONCEPT_DRIFT, when, end_of(day), facts)


def _verdict(
    event: CloudEvent,
    settings: SourceSettings,
    said: Object,
    kind: Kind,
    when: str,
    data_time: float | None,
    facts: dict[str, Fact],
) -> Event:
    drifts = _is_drift(said.get("is_drift"))
    score, threshold = _score(said), number_or_none(said.get("threshold"))
    subject = subject_of(event, settings, kind)
    measured = "" if score is None else f": score {score:.2f}"
    limit = "" if threshold is None or not measured else f", limit {threshold:g}"
    return Event(
        source=Source.CLOUDEVENTS,
        delivery=delivery_of(event),
        kind=kind,
        subject=subject,
        summary=f"{_finding(kind, drifts)} of {subject.partition('/')[0]}{when}{measured}{limit}",
        occurred=event.time,
        data_time=_not_ahead(data_time, event.time),
        request_id=event.text("requestid"),
        facts={
            IS_DRIFT: drifts,
            "score": score,
            "threshold": threshold,
            **facts_of_detector(event, said),
            **facts,
        },
    )


def _finding(kind: Kind, drifts: bool) -> str:
    name = kind.value.replace("-", " ")
    return name.capitalize() if drifts else f"No {name}"


def facts_of_detector(event: CloudEvent, said: Object) -> dict[str, Fact]:
    """What every detector's event may say: release, reasons, and where it comes from."""
    reasons: list[Fact] = [
        reason for reason in list_or_nothing(said.get("reasons")) if isinstance(reason, str)
    ]
    return {
        RELEASE: text_or_nothing(said.get("release")),
        "reasons": reasons[:_MOST_REASONS],
        "namespace": event.text("namespace"),
        "type": event.text("type"),
    }


def _is_drift(value: object) -> bool:
    """0, 1, false, true, or a list of one of these."""
    verdict = value[0] if isinstance(value, list) and len(value) == 1 else value
    if verdict in (0, 1):
        return bool(verdict)
    raise Refused(
        FIELD,
        f"data.is_drift must be 0 or 1, or a list of one of these, but is {kind_of(value)}; let the detector judge whole windows",
    )


def _score(said: Object) -> float | int | None:
    """Ours, or the vendor's distance where it is one number."""
    score = number_or_none(said.get("score"))
    return score if score is not None else number_or_none(said.get("distance"))


def _part(said: Object, names: tuple[str, ...]) -> dict[str, Fact]:
    """The named fields that are text or numbers."""
    return {
        name: value if isinstance(value, str) else number_or_none(value)
        for name, value in said.items()
        if name in names
    }


def _not_ahead(data_time: float | None, sent: float | None) -> float | None:
    """Data from after the day on which its event was sent is a row with a wrong date: it tells no time."""
    if data_time is None or sent is None or data_time <= sent + DAY:
        return data_time
    return None
