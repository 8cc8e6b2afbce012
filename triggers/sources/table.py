"""The parsers by source. Whichever is called, what comes back is within bounds, or a refusal was raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from triggers.events import Event, Source
from triggers.sources.alertmanager import parse_alertmanager
from triggers.sources.bounds import within_bounds
from triggers.sources.cloudevents import parse_cloudevents
from triggers.sources.github import parse_github
from triggers.sources.person import parse_person
from triggers.sources.pubsub import parse_pubsub
from triggers.sources.s3 import parse_s3
from triggers.sources.schedule import parse_schedule
from triggers.sources.source_settings import SourceSettings

Parser = Callable[[Mapping[str, str], bytes, SourceSettings], tuple[Event, ...]]


def _bounded(parse: Parser) -> Parser:
    """The parser, with its events brought within bounds."""

    def parser(headers: Mapping[str, str], body: bytes, settings: SourceSettings) -> tuple[Event, ...]:
        return within_bounds(parse(headers, body, settings))

    return parser


# Header names come in lower case. Parsers raise `Refused` and nothing else.
SOURCES: Mapping[Source, Parser] = {
    Source.GITHUB: _bounded(parse_github),
    Source.CLOUDEVENTS: _bounded(parse_cloudevents),
    Source.ALERTMANAGER: _bounded(parse_alertmanager),
    Source.PUBSUB: _bounded(parse_pubsub),
    Source.S3: _bounded(parse_s3),
    Source.SCHEDULE: _bounded(parse_schedule),
    Source.PERSON: _bounded(parse_person),
}

# Sources whose `occurred` is close to when the message was sent, so that an old one is a replay. An alert that fires since
# last month is none: its beginning belongs to its name, by which it is known again.
SENT_WHEN_IT_OCCURRED = frozenset(Source) - {Source.ALERTMANAGER}
