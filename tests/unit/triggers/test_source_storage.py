"""Uploads to Google Cloud Storage and S3: only the marker, which comes last, is a reason to do something."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.samples.trigger_deliveries import delivery
from triggers.errors import Refused
from triggers.events import OBJECTS, Kind, Source
from triggers.sources.source_settings import SourceSettings

UPLOADED = 1328056269.104


@pytest.mark.parametrize(
    ("name", "source", "place", "version"),
    [
        ("pubsub/marker", Source.PUBSUB, "gs://bike-hours/2012-01/", "1328056269104211"),
        ("pubsub/marker_overwritten", Source.PUBSUB, "gs://bike-hours/2012-01/", "1328059869104777"),
        ("s3/marker", Source.S3, "s3://bike-hours/2012-01/", "0055AED6DCD90281E5"),
        ("s3/marker_in_versions", Source.S3, "s3://bike-hours/2012-01/", "096fKKXTRTtl3on89fVO.nfljtsv6qko"),
        ("s3/minio_marker", Source.S3, "s3://bike-hours/2012-01/", "17B0A3C15E3F7A30"),
        ("s3/minio_single_record", Source.S3, "s3://bike-hours/2012-01/", "17B0A3C15E3F7A30"),
    ],
)
def test_the_marker_is_an_upload_of_what_lies_beside_it(name: str, source: Source, place: str, version: str):
    event = delivery(name).event()

    assert (event.source, event.kind, event.subject) == (source, Kind.STORAGE, "bike-hours/2012-01/")
    assert event.facts[OBJECTS] == [place]
    assert event.facts["marker"] == f"{place}_SUCCESS"
    assert event.delivery == f"bike-hours/2012-01/_SUCCESS/{version}"
    assert event.data_time == event.occurred == pytest.approx(UPLOADED, abs=0.001)
    assert event.summary == f"A batch of data was uploaded to {place} (the marker _SUCCESS is there)"


def test_a_notification_that_is_published_twice_is_one_delivery():
    first, again = delivery("pubsub/marker").event(), delivery("pubsub/marker_again").event()

    assert first == again


def test_a_marker_that_is_uploaded_again_is_another_delivery():
    first, later = delivery("pubsub/marker").event(), delivery("pubsub/marker_overwritten").event()

    assert first.delivery != later.delivery


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("pubsub/object", "gs://bike-hours/2012-01/hours.csv was uploaded; it is not the marker _SUCCESS"),
        ("pubsub/deleted", "Pub/Sub brings OBJECT_DELETE of gs://bike-hours/2012-01/_SUCCESS"),
        ("pubsub/no_notification", "Pub/Sub brings a message"),
        ("s3/removed", "S3 reports ObjectRemoved:Delete of s3://bike-hours/2012-01/_SUCCESS"),
        ("s3/test_event", "S3 says hello: the bucket bike-hours will send its events"),
    ],
)
def test_everything_else_is_recorded_only(name: str, summary: str):
    event = delivery(name).event()

    assert (event.kind, event.summary) == (Kind.OTHER, summary)
    assert OBJECTS not in event.facts


def test_keys_are_decoded_and_an_upload_in_parts_counts():
    data, marker = delivery("s3/upload_in_parts").parsed()

    assert data.facts["object"] == "s3://bike-hours/2012-01/hours of January (all).csv"
    assert data.facts["bytes"] == 53981
    assert (marker.kind, marker.facts[OBJECTS]) == (Kind.STORAGE, ["s3://bike-hours/2012-01/München/"])


@pytest.mark.parametrize("way", ["Put", "Post", "Copy", "CompleteMultipartUpload"])
@pytest.mark.parametrize("prefix", ["", "s3:"])
def test_every_way_to_make_an_object_counts(way: str, prefix: str):
    sent = delivery("s3/marker").with_content({"Records.0.eventName": f"{prefix}ObjectCreated:{way}"})

    assert sent.event().kind is Kind.STORAGE


@pytest.mark.parametrize(
    "name", ["ObjectCreated:Later", "ObjectTagging:Put", "ReducedRedundancyLostObject", "ObjectAccessed:Get"]
)
def test_other_things_that_happen_to_the_marker_are_recorded(name: str):
    assert delivery("s3/marker").with_content({"Records.0.eventName": name}).event().kind is Kind.OTHER


def test_the_removal_of_an_object_is_another_delivery_than_its_upload():
    upload = delivery("s3/marker")
    removal = upload.with_content({"Records.0.eventName": "ObjectRemoved:Delete"})

    assert upload.event().delivery != removal.event().delivery


@pytest.mark.parametrize(
    ("item", "version"),
    [
        ({"versionId": "v1", "sequencer": "0A", "eTag": "e"}, "v1"),
        ({"versionId": "null", "sequencer": "0A", "eTag": "e"}, "0A"),
        ({"versionId": "", "eTag": "e"}, "e"),
    ],
)
def test_an_upload_is_known_by_the_best_of_its_names(item: dict[str, str], version: str):
    sent = delivery("s3/marker").with_content({"Records.0.s3.object": {"key": "_SUCCESS", **item}})

    assert sent.event().delivery == f"bike-hours/_SUCCESS/{version}"


def test_the_marker_of_a_whole_bucket_means_the_bucket():
    sent = delivery("s3/marker").with_content({"Records.0.s3.object.key": "_SUCCESS"})

    assert sent.event().facts[OBJECTS] == ["s3://bike-hours/"]


def test_the_name_of_the_marker_is_a_setting():
    settings = SourceSettings(marker="hours.csv")

    assert delivery("pubsub/object").event(settings).kind is Kind.STORAGE
    assert delivery("pubsub/marker").event(settings).kind is Kind.OTHER


@pytest.mark.parametrize("folder", ["a%00b", "a%0Ab", "x" * 3000])
def test_a_folder_that_cannot_be_kept_as_it_is_named_is_not_taken_in(folder: str):
    sent = delivery("s3/marker").with_content({"Records.0.s3.object.key": f"{folder}/_SUCCESS"})

    event = sent.event()

    assert event.kind is Kind.OTHER
    assert len(event.delivery) <= 300


def test_the_size_is_read_where_the_notification_has_it():
    assert delivery("pubsub/object").event().facts["bytes"] == 53981
    assert "bytes" not in delivery("pubsub/marker_overwritten").event().facts


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("pubsub/marker", {"message": ...}, "message must be a JSON object"),
        (
            "pubsub/marker",
            {"message.attributes.bucketId": ...},
            "message.attributes.bucketId must be a string",
        ),
        ("pubsub/marker", {"message.attributes.objectId": 3}, "message.attributes.objectId must be a string"),
        ("pubsub/marker", {"message.attributes.eventTime": "now"}, "eventTime must be a moment"),
        ("pubsub/marker", {"message.data": "?"}, "message.data must be base64"),
        ("pubsub/marker", {"message.data": base64.b64encode(b"{").decode()}, "message.data is no JSON"),
        (
            "pubsub/deleted",
            {"message.messageId": ..., "message.message_id": ...},
            "message.messageId must be",
        ),
        ("s3/marker", {"Records": ...}, "Records must be an array, but is missing"),
        ("s3/marker", {"Records": [1]}, r"Records\[0\] must be a JSON object, but is a number"),
        ("s3/marker", {"Records.0.s3.bucket": []}, r"Records\[0\].s3.bucket must be a JSON object"),
        ("s3/marker", {"Records.0.s3.object.key": "%ff"}, "the key %ff is not UTF-8"),
        ("s3/marker", {"Records.0.eventName": ...}, r"Records\[0\].eventName must be a string"),
        ("s3/marker", {"Records.0.s3.object": {"key": "a"}}, "neither versionId nor sequencer nor eTag"),
        ("s3/test_event", {"Bucket": ...}, "Bucket must be a string"),
    ],
)
def test_a_notification_of_another_form_is_refused_by_the_field(
    name: str, change: dict[str, Any], message: str
):
    with pytest.raises(Refused, match=message):
        delivery(name).with_content(change).parsed()
