"""What enters by the door: an event from any source in one frozen form, and the kinds of reason that there are."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Union

Fact = Union[str, int, float, bool, None, "list[Fact]", "dict[str, Fact]"]
Facts = Mapping[str, Fact]

# Names inside `facts` that the policy reads; sources write them under these names only.
IS_DRIFT = "is_drift"  # bool: what the detector said of its newest window or day
WEIGHED = "weighed"  # bool: the sender has weighed several verdicts already, as a rule of Prometheus with `for:` does
RELEASE = "release"  # str: the release that was judged
OBJECTS = "objects"  # list of str: what was uploaded, as gs://bucket/key, s3://bucket/key
COMMIT = "commit"  # str: the full hash of the newest commit of a push
PATHS = "paths"  # list of str: the files of a push that made it this kind
WHO = "who"  # str: the person who asks for something
REASON = "reason"  # str: why, in their words


class Source(str, enum.Enum):
    """Who speaks. Each has its own address, its own secret and its own parser."""

    GITHUB = "github"
    CLOUDEVENTS = "cloudevents"
    ALERTMANAGER = "alertmanager"
    PUBSUB = "pubsub"  # Google Cloud Storage, pushed by Pub/Sub
    S3 = "s3"
    SCHEDULE = "schedule"
    PERSON = "person"


class Kind(str, enum.Enum):
    """What a reason is about; the policy has one rule for each."""

    CODE = "code"
    DATA = "data"
    STORAGE = "storage"
    DRIFT = "drift"
    CONCEPT_DRIFT = "concept-drift"
    OUTLIERS = "outliers"
    ADVERSARIAL = "adversarial"
    ALERT = "alert"
    SCHEDULE = "schedule"
    PERSON = "person"
    PAUSE = "pause"
    RESUME = "resume"
    RUN_COMPLETION = "run-completion"
    OTHER = "other"


@dataclass(frozen=True)
class Event:
    """One thing that somebody reported, as its source's parser understood it.

    Args:
        source: who reported it.
        delivery: what the source calls this one thing; the same twice is a duplicate.
        kind: what it is about.
        subject: which thing it is about: a repository and branch, an object, a model and detector, an alert.
        summary: one plain sentence for people.
        occurred: when it happened as the source says, in seconds since 1970; None where it does not say.
        data_time: the newest moment of data that it speaks of (the end of a window, of a day, of a file), in seconds since 1970.
        request_id: the prediction request that it came with, if any.
        facts: what the policy and the page read, in plain JSON values.
    """

    source: Source
    delivery: str
    kind: Kind
    subject: str
    summary: str
    occurred: float | None = None
    data_time: float | None = None
    request_id: str = ""
    facts: Facts = field(default_factory=dict)
