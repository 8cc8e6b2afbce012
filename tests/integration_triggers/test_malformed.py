"""What strangers may send: malformed, too long, unsigned, replayed or wrongly typed; no failure of ours comes of it, and no run."""

from __future__ import annotations

import copy
import json
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration_triggers.door import Door, make_workspace, serving, signature
from tests.samples.trigger_deliveries import NAMES, Delivery, delivery

MOST_BYTES = 65536
SEED = 20261121
# Deliveries that ask for no run, so that whatever is done to their types asks for none either.
HARMLESS = (
    "alertmanager/resolved",
    "cloudevents/no_drift",
    "cloudevents/outliers",
    "cloudevents/gcs_object",
    "cloudevents/run_completion",
    "github/ping",
    "github/push_tag",
    "github/push_other_branch",
    "s3/removed",
    "s3/test_event",
)
# All that would ask for one if they were not refused.
ASKING = tuple(name for name in NAMES if not name.startswith("pubsub") and name not in HARMLESS)
WRONG_TYPES: tuple[Any, ...] = (
    None,
    "",
    "x" * 3000,
    [],
    {},
    [[]],
    -1,
    1e308,
    10**400,
    "\ud800",
    "\0",
    {"a": {"b": []}},
)
BROKEN = (
    b"",
    b"{",
    b"null",
    b'"text"',
    b"[]",
    b"\xff\xfe\x00",
    b"[" * 60000,
    b'{"a":' * 10000,
    b'{"reason": NaN, "id": Infinity}',
    b'{"reason": 1' + b"0" * 5000 + b"}",
    b'{"id": "a", "id": "b"}',
    b"payload=%7B",
    b"--boundary\r\n\r\n",
)


@dataclass(frozen=True)
class Attempt:
    """One request, and the answers that are right."""

    source: str
    body: bytes
    headers: Mapping[str, str]
    right: frozenset[int]
    what: str = field(compare=False)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    workspace = make_workspace(tmp_path_factory.mktemp("malformed"))
    with serving(workspace, body_bytes=str(MOST_BYTES)) as opened:
        yield opened


def as_bytes(content: Any) -> bytes:
    return content.encode() if isinstance(content, str) else json.dumps(content).encode()


def broken(door: Door, chance: random.Random) -> Attempt:
    """Authenticated, and no JSON that means anything."""
    recorded = delivery(chance.choice(ASKING))
    body = chance.choice(
        (*BROKEN, recorded.body[: chance.randrange(1, len(recorded.body) - 1)], chance.randbytes(50))
    )
    headers = {**recorded.headers, **door.headers(recorded.source.value, body)}
    return Attempt(recorded.source.value, body, headers, frozenset({400, 200, 202}), "broken")


def too_long(door: Door, chance: random.Random) -> Attempt:
    recorded = delivery(chance.choice(ASKING))
    body = recorded.body + b" " * MOST_BYTES
    headers = {**recorded.headers, **door.headers(recorded.source.value, body)}
    return Attempt(recorded.source.value, body, headers, frozenset({413}), "too long")


def unsigned(door: Door, chance: random.Random) -> Attempt:
    """A delivery that would ask for a run, from somebody who cannot prove who he is."""
    recorded = delivery(chance.choice(ASKING))
    source = recorded.source.value
    wrong = {
        "X-Hub-Signature-256": signature("a secret that is not the right one", recorded.body),
        "Authorization": chance.choice(
            ("Bearer", "Bearer wrong", "Basic eDp5", f"Bearer {'x' * 5000}", "\u00e9")
        ),
    }
    return Attempt(source, recorded.body, {**recorded.headers, **wrong}, frozenset({401, 429}), "unsigned")


def replayed(door: Door, chance: random.Random) -> Attempt:
    """Rightly signed, and from long ago."""
    source, content, headers = chance.choice(_OLD)
    body = as_bytes(content)
    return Attempt(source, body, {**headers, **door.headers(source, body)}, frozenset({400}), "replayed")


def _old() -> list[tuple[str, Any, Mapping[str, str]]]:
    drift, marker, push = (delivery(name) for name in ("cloudevents/drift", "s3/marker", "github/push_code"))
    pushed = push.with_content({"repository.pushed_at": 1_300_000_000})
    return [
        ("cloudevents", drift.content, {**drift.headers, "ce-time": "2012-04-29T00:00:00Z"}),
        ("s3", marker.content, marker.headers),
        ("github", pushed.content, pushed.headers),
        ("schedule", {"name": "nightly", "slot": "2012-02-01T03:00:00Z"}, {}),
    ]


_OLD = _old()


def wrongly_typed(door: Door, chance: random.Random) -> Attempt:
    """A delivery with something else in the place of one of its values, or of two."""
    recorded = delivery(chance.choice(HARMLESS))
    content = copy.deepcopy(recorded.content)
    for _ in range(chance.choice((1, 1, 2))):
        content = _spoiled(content, chance)
    body = json.dumps(content).encode()
    headers = {**recorded.headers, **door.headers(recorded.source.value, body)}
    return Attempt(recorded.source.value, body, headers, frozenset({200, 202, 400}), "wrongly typed")


def _spoiled(value: Any, chance: random.Random) -> Any:
    """Walks down by chance and puts something else there."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        name = chance.choice(sorted(value))
        return {**value, name: _spoiled(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.85:
        place = chance.randrange(len(value))
        return [*value[:place], _spoiled(value[place], chance), *value[place + 1 :]]
    return chance.choice(WRONG_TYPES)


def oddly_headed(door: Door, chance: random.Random) -> Attempt:
    """Headers that nobody sends."""
    recorded: Delivery = delivery(chance.choice(HARMLESS))
    odd = chance.choice(
        (
            {"content-type": "application/cloudevents+xml"},
            {"content-type": "application/x-www-form-urlencoded"},
            {"content-type": "\u00e9" * 20},
            {"ce-specversion": "9"},
            {"ce-id": "%ff%fe"},
            {"ce-id": "x" * 4000},
            {"ce-time": "yesterday"},
            {"x-github-event": ""},
            {"x-github-delivery": "%00"},
            {"content-encoding": "gzip"},
        )
    )
    headers = {**recorded.headers, **door.headers(recorded.source.value, recorded.body), **odd}
    return Attempt(recorded.source.value, recorded.body, headers, frozenset({200, 202, 400}), "oddly headed")


KINDS: tuple[Callable[[Door, random.Random], Attempt], ...] = (
    broken,
    too_long,
    unsigned,
    replayed,
    wrongly_typed,
    wrongly_typed,
    oddly_headed,
)


def test_a_thousand_bad_requests_are_no_failure_of_ours_and_start_nothing(door: Door) -> None:
    chance = random.Random(SEED)
    seen: Counter[str] = Counter()
    for number in range(1000):
        attempt = KINDS[number % len(KINDS)](door, chance)
        headers = {name: value.encode("latin-1") for name, value in attempt.headers.items()}
        answer = door.client.post(f"/events/{attempt.source}", content=attempt.body, headers=headers)
        assert answer.status_code in attempt.right, (
            attempt.what,
            attempt.source,
            attempt.body[:200],
            answer.text,
        )
        seen[f"{attempt.what} {answer.status_code // 100}xx"] += 1
    assert {
        "broken 4xx",
        "too long 4xx",
        "unsigned 4xx",
        "replayed 4xx",
        "wrongly typed 4xx",
        "wrongly typed 2xx",
    } <= seen.keys()
    door.quiet()
    assert door.runs() == []
    assert door.get("/readyz") == {"ready": True}
    assert "unexpected" not in door.log.read_text()


def test_the_same_delivery_sent_again_and_again_is_one_event_and_one_run(door: Door) -> None:
    wish = {"reason": "sent again", "id": "again"}
    answers = [door.post("person", wish) for _ in range(50)]
    assert [answer.status_code for answer in answers] == [202] + [200] * 49
    assert len({answer.json()["events"][0]["id"] for answer in answers}) == 1
    door.quiet()
    assert len(door.runs()) == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /events/person HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /events/person HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\n" + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["tls", "no request", "negative length", "two lengths", "long header", "no text"],
)
def test_what_is_no_http_is_no_failure_of_ours(door: Door, sent: bytes) -> None:
    host, port = door.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(1000)
        except ConnectionError:
            answer = b""  # it hung up, which is an answer too
    assert answer == b"" or answer.split()[1].startswith(b"4"), answer
    assert door.get("/readyz") == {"ready": True}


# Against our own description.

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
BOUNDED = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def each_operation(door: Door, check: Callable[[Any], None]) -> int:
    """Check requests that schemathesis makes of the description, a few for each operation; returns how many there are."""
    operations = [
        found.ok()
        for found in schemathesis.openapi.from_url(f"{door.address}/openapi.json").get_all_operations()
    ]
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            with suppress(Unsatisfiable):  # what takes nothing cannot be given anything wrong
                BOUNDED(given(operation.as_strategy(generation_mode=mode))(check))()
    return len(operations)


def test_without_credentials_every_answer_is_as_described(door: Door) -> None:
    def check(case: Any) -> None:
        answer = case.call()
        case.validate_response(answer, checks=CHECKS)
        if case.path.startswith("/events/"):
            assert answer.status_code in (401, 403, 413, 429)

    assert each_operation(door, check) >= 16
    assert "unexpected" not in door.log.read_text()


def test_with_credentials_every_answer_is_as_described(door: Door) -> None:
    seen: Counter[int] = Counter()

    def check(case: Any) -> None:
        source = case.path.removeprefix("/events/")
        proof: dict[str, str] = {}
        if source == "github":
            body = requests.Request("POST", door.address, **_body_of(case)).prepare().body or b""
            proof = door.headers("github", body.encode() if isinstance(body, str) else body)
        elif case.path.startswith("/events/") and source != "pubsub":
            proof = door.headers(source, b"")
        answer = case.call(headers=proof)
        seen[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    each_operation(door, check)
    assert seen[202] > 20 and seen[400] > 20 and seen[200] > 20, seen
    assert "unexpected" not in door.log.read_text()


def _body_of(case: Any) -> dict[str, Any]:
    """The body as it will be sent, by the names that requests has for it."""
    made = case.as_transport_kwargs()
    return {name: made[name] for name in ("data", "json", "files") if made.get(name) is not None}
