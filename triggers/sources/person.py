"""Somebody asks for a retraining, or that none starts for a while, by `pedalflow triggers …` or by a request of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from triggers.errors import Refused
from triggers.events import REASON, WHO, Event, Kind, Source
from triggers.sources.models import read_model
from triggers.sources.reading import TIME, in_time, moment_of
from triggers.sources.source_settings import SourceSettings

Wish = Literal["retrain", "pause", "resume"]
KINDS: Mapping[Wish, Kind] = {"retrain": Kind.PERSON, "pause": Kind.PAUSE, "resume": Kind.RESUME}


class PersonBody(BaseModel):
    """The body of a person's event. The same id sent twice counts once."""

    model_config = ConfigDict(strict=True)

    reason: str = Field(
        min_length=1,
        max_length=500,
        description="Why, in a sentence.",
        examples=["The new sensor was calibrated."],
    )
    id: str = Field(
        min_length=1,
        max_length=100,
        description="Any text that is new for each wish, such as a UUID; the same one sent again starts nothing.",
        examples=["6b1f4f0e-2d0b-4f6e-9a51-0d2c1f7f7a10"],
    )
    who: str = Field(
        default="somebody", min_length=1, max_length=100, description="Who asks.", examples=["ada"]
    )
    wish: Wish = Field(
        default="retrain",
        description="What is asked for: a run, that none starts from now on, or that what waits may start again.",
        examples=["retrain"],
    )
    data_time: str | float | None = Field(
        default=None,
        description="The newest moment of data that the wish is about: RFC 3339, or seconds since 1970.",
        examples=["2012-02-01T00:00:00Z"],
    )

    @field_validator("reason", "id", "who")
    @classmethod
    def _says_something(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("it is blank; write something")
        return text


def parse_person(headers: Mapping[str, str], body: bytes, settings: SourceSettings) -> tuple[Event, ...]:
    """One event. Headers are not needed."""
    content = read_model(PersonBody, body)
    return (
        Event(
            source=Source.PERSON,
            delivery=content.id,
            kind=KINDS[content.wish],
            subject=content.who,
            summary=f"{content.who}: {content.reason}",
            data_time=_data_time(content.data_time),
            facts={REASON: content.reason, WHO: content.who},
        ),
    )


def _data_time(value: str | float | None) -> float | None:
    if value is None or isinstance(value, str):
        return None if value is None else moment_of(value, "data_time")
    seconds = in_time(value)
    if seconds is None:
        raise Refused(TIME, "data_time must be in seconds since 1970 and before the year 10000")
    return seconds
