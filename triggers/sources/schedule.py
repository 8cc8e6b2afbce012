"""A schedule's time has come: a CronJob, or the service's own timer, says which schedule and for which moment."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from triggers.events import Event, Kind, Source
from triggers.sources.models import read_model
from triggers.sources.reading import moment_of, utc_text
from triggers.sources.source_settings import SourceSettings


class ScheduleBody(BaseModel):
    """The body of a schedule's event. The same name and slot sent twice count once."""

    model_config = ConfigDict(strict=True)

    name: str = Field(min_length=1, max_length=100, description="Name of the schedule.", examples=["nightly"])
    slot: str = Field(
        max_length=40,
        description="The moment in RFC 3339 for which it was due, not the one at which it was sent.",
        examples=["2012-02-01T03:00:00Z"],
    )


def parse_schedule(headers: Mapping[str, str], body: bytes, settings: SourceSettings) -> tuple[Event, ...]:
    """One event. Headers are not needed."""
    content = read_model(ScheduleBody, body)
    due = moment_of(content.slot, "slot")
    return (
        Event(
            source=Source.SCHEDULE,
            delivery=f"{content.name}/{utc_text(due)}",
            kind=Kind.SCHEDULE,
            subject=content.name,
            summary=f"The schedule {content.name} was due at {utc_text(due)}",
            occurred=due,
            facts={"slot": utc_text(due)},
        ),
    )
