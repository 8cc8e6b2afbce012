"""The web application with a real store and no server: what it takes, what it refuses and how, and what may be read."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from pedalflow.workspace import Workspace
from tests.samples.trigger_deliveries import delivery
from tests.samples.triggers_story import Names, write_story
from triggers import reception, schedule
from triggers.answers import Taken, TakenEvent, taken_header
from triggers.app import Parts, make_app
from triggers.doors import SETTING_OF, Door, make_doors, make_readers
from triggers.errors import StoreFailed, Unauthenticated
from triggers.events import Event, Source
from triggers.metrics import Metrics
from triggers.openapi import REFUSALS
from triggers.payload_schemas import PAYLOADS
from triggers.private_files import make_tokens
from triggers.reading_routes import Reading
from triggers.records import Accepted
from triggers.settings import Slot, TriggersSettings
from triggers.store.store import Store

BEARER = tuple(source for source in SETTING_OF if source is not Source.GITHUB)
NOW = 1_795_251_600.0  # 2026-11-21
WISH = {"reason": "a test", "who": "ada", "id": "w1"}


@dataclass
class Client:
    """Asks the application as a client at `address` would."""

    folder: Path
    store: Store
    settings: TriggersSettings = field(default_factory=TriggersSettings)
    address: str = "127.0.0.1"
    working: bool = True
    accept: Callable[[tuple[Event, ...]], list[Accepted]] | None = None
    more_doors: Mapping[Source, Door] = field(default_factory=dict)
    woken: int = 0

    def __post_init__(self) -> None:
        make_tokens(self.folder / "secrets", SETTING_OF.values())
        doors = {**make_doors(self.settings, self.folder / "secrets"), **self.more_doors}
        self.metrics = Metrics()
        reading = Reading(self.store, Workspace(self.folder), lambda: "", lambda: NOW, lambda: NOW)
        if self.accept is not None:
            self.store.accept = self.accept  # type: ignore[method-assign, assignment]
        parts = Parts(
            self.settings,
            self.store,
            doors,
            make_readers(self.settings, doors),
            self.metrics,
            reading,
            self._wake,
            lambda: self.working,
            lambda: NOW,
        )
        self.app = make_app(parts)

    def _wake(self) -> None:
        self.woken += 1

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(
                self.app, client=(self.address, 50000), raise_app_exceptions=False
            )
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9100") as client:
                return await client.request(method, path, **request)

        return asyncio.run(asked())

    def get(self, path: str, **request: Any) -> httpx.Response:
        return self.ask("GET", path, **request)

    def secret(self, source: Source) -> str:
        return (self.folder / "secrets" / SETTING_OF[source]).read_text().strip()

    def post(
        self, source: Source, body: bytes | Any, headers: dict[str, str] | None = None, **request: Any
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if source is Source.GITHUB:
            digest = hmac.new(self.secret(source).encode(), content, hashlib.sha256).hexdigest()
            proof = {"x-hub-signature-256": f"sha256={digest}"}
        else:
            proof = {"authorization": f"Bearer {self.secret(source)}"}
        return self.ask(
            "POST",
            f"/events/{source.value}",
            content=content,
            headers={**proof, **(headers or {})},
            **request,
        )

    def refused(self, source: str, rule: str) -> float:
        labels = {"source": source, "rule": rule}
        return self.metrics.registry.get_sample_value("pedalflow_triggers_refused_total", labels) or 0.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    workspace = Workspace(tmp_path)
    workspace.triggers.mkdir(parents=True, exist_ok=True)
    with closing(Store(f"sqlite:///{workspace.triggers_database}")) as opened:
        yield opened


@pytest.fixture
def client(tmp_path: Path, store: Store) -> Client:
    return Client(tmp_path, store)


def fault(response: httpx.Response) -> tuple[int, str]:
    """The status of a refusal, and its rule; the form of the body is checked."""
    content = response.json()
    assert content.keys() == {"error"} and content["error"].keys() == {"rule", "message"}
    assert content["error"]["message"]
    return response.status_code, content["error"]["rule"]


# Deliveries.


def test_a_delivery_is_committed_before_it_is_acknowledged_and_wakes_the_engine(
    client: Client, store: Store
) -> None:
    answer = client.post(Source.PERSON, WISH)
    (taken,) = answer.json()["events"]
    assert answer.status_code == 202 and taken["duplicate"] is False
    kept = store.event(taken["id"])
    assert kept is not None and kept.event.summary == "ada: a test"
    assert client.woken == 1


def test_a_second_delivery_is_acknowledged_as_a_duplicate_and_kept_once(client: Client, store: Store) -> None:
    first, second = client.post(Source.PERSON, WISH), client.post(Source.PERSON, WISH)
    assert second.status_code == 200
    assert second.json()["events"] == [{"id": first.json()["events"][0]["id"], "duplicate": True}]
    assert [kept.deliveries for kept in store.events(5)] == [2]


def test_a_delivery_with_something_new_in_it_is_202(client: Client) -> None:
    recorded = delivery("cloudevents/drift_structured")
    event = recorded.content
    batch = {**recorded.headers, "content-type": "application/cloudevents-batch+json"}
    client.post(Source.CLOUDEVENTS, [event], batch)
    answer = client.post(Source.CLOUDEVENTS, [event, {**event, "id": "another"}], batch)
    assert answer.status_code == 202
    known, new = answer.headers["pedalflow-events"].split(", ")
    assert known.endswith(";duplicate") and ";" not in new


def test_a_cloud_event_is_acknowledged_without_a_body_because_knative_would_send_it_again(
    client: Client, store: Store
) -> None:
    recorded = delivery("cloudevents/drift_structured")
    first, second = (client.post(Source.CLOUDEVENTS, recorded.body, dict(recorded.headers)) for _ in range(2))
    assert [(answer.status_code, answer.content) for answer in (first, second)] == [(202, b""), (200, b"")]
    assert "content-type" not in first.headers
    (kept,) = store.events(5)
    assert first.headers["pedalflow-events"] == kept.id
    assert second.headers["pedalflow-events"] == f"{kept.id};duplicate"


def test_the_header_names_no_more_events_than_a_proxy_lets_through() -> None:
    many = Taken(events=[TakenEvent(id=f"e-{number:016x}", duplicate=True) for number in range(1000)])
    assert len(taken_header(many)) < 4000
    assert taken_header(many).startswith("e-0000000000000000;duplicate, e-0000000000000001;duplicate")


@pytest.mark.parametrize("name", ["github/ping", "cloudevents/drift", "alertmanager/group", "person/wish"])
def test_recorded_deliveries_are_taken(client: Client, name: str) -> None:
    recorded = delivery(name)
    answer = client.post(recorded.source, recorded.body, dict(recorded.headers))
    assert answer.status_code == 202, answer.text
    assert len(answer.headers["pedalflow-events"].split(", ")) == len(recorded.parsed())


def test_an_alert_that_fires_since_last_month_is_no_replay(client: Client) -> None:
    recorded = delivery("alertmanager/drift").with_content({"alerts.0.startsAt": "2026-10-01T00:00:00Z"})
    assert client.post(Source.ALERTMANAGER, recorded.body).status_code == 202


def test_a_push_from_last_month_is_a_replay(client: Client, store: Store) -> None:
    answer = client.post(Source.SCHEDULE, {"name": "nightly", "slot": "2026-10-01T00:00:00Z"})
    assert fault(answer) == (400, "STALE")
    assert store.events(1) == [] and client.refused("schedule", "STALE") == 1


@pytest.mark.parametrize("source", BEARER, ids=lambda source: source.value)
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic eDp5"}])
def test_who_does_not_prove_who_he_is_is_refused_unread(
    client: Client, store: Store, source: Source, headers: dict[str, str]
) -> None:
    answer = client.ask("POST", f"/events/{source.value}", content=b"{", headers=headers)
    assert fault(answer) == (401, "BEARER")
    assert "Bearer" in answer.headers["www-authenticate"]
    assert store.events(1) == [] and client.refused(source.value, "BEARER") == 1


def test_a_signature_over_another_body_is_refused(client: Client, store: Store) -> None:
    recorded = delivery("github/push_code")
    digest = hmac.new(client.secret(Source.GITHUB).encode(), recorded.body + b" ", hashlib.sha256).hexdigest()
    headers = {**recorded.headers, "x-hub-signature-256": f"sha256={digest}"}
    assert fault(client.ask("POST", "/events/github", content=recorded.body, headers=headers)) == (
        401,
        "SIGNATURE",
    )
    assert store.events(1) == []


def test_a_body_without_anything_like_a_signature_is_not_read(client: Client) -> None:
    read = []

    async def endless() -> AsyncIterator[bytes]:
        while len(read) < 1000:
            read.append(1)
            yield b"x" * 1000

    for headers in ({}, {"x-hub-signature-256": "sha256=no"}):
        answer = client.ask("POST", "/events/github", content=endless(), headers=headers)
        assert fault(answer) == (401, "SIGNATURE") and read == []


def test_a_signed_push_cannot_be_played_again_under_other_headers(client: Client, store: Store) -> None:
    recorded = delivery("github/push_code").with_content({"repository.pushed_at": NOW})
    first = client.post(Source.GITHUB, recorded.body, dict(recorded.headers))
    again = client.post(
        Source.GITHUB, recorded.body, {**recorded.headers, "x-github-delivery": "another one"}
    )
    assert (first.status_code, again.status_code) == (202, 200)
    assert [kept.deliveries for kept in store.events(5)] == [2]


def test_when_too_much_is_being_read_a_stranger_has_to_wait_and_a_known_sender_has_not(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "MOST_BYTES", 100)
    client = Client(tmp_path, store)
    recorded = delivery("github/push_code")
    answer = client.post(Source.GITHUB, recorded.body, dict(recorded.headers))
    assert fault(answer) == (503, "BUSY") and int(answer.headers["retry-after"]) >= 1
    assert client.refused("github", "BUSY") == 1
    for number in range(3):
        assert client.post(Source.PERSON, {**WISH, "id": f"w{number}"}).status_code == 202


def test_proofs_that_wait_for_a_key_hold_up_nobody_else(tmp_path: Path, store: Store) -> None:
    come, here = threading.Event(), threading.Semaphore(0)

    def wait(headers: Mapping[str, str], body: bytes) -> None:
        here.release()
        come.wait(30)
        raise Unauthenticated("KEYS", "no such key")

    client = Client(tmp_path, store, more_doors={Source.PUBSUB: Door(wait, fetches=True)})

    async def storm() -> list[int]:
        transport = httpx.ASGITransport(client.app, client=("127.0.0.1", 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9100") as sender:
            waiting = [asyncio.create_task(sender.post("/events/pubsub", json={})) for _ in range(60)]
            await asyncio.to_thread(here.acquire)
            headers = {"authorization": f"Bearer {client.secret(Source.PERSON)}"}
            try:
                person = await asyncio.wait_for(sender.post("/events/person", json=WISH, headers=headers), 20)
            finally:
                come.set()
            return [person.status_code, *{answer.status_code for answer in await asyncio.gather(*waiting)}]

    assert asyncio.run(storm())[0] == 202


def test_a_source_that_nobody_opened_says_what_opens_it(client: Client) -> None:
    answer = client.ask("POST", "/events/pubsub", content=b"{}", headers={"authorization": "Bearer x"})
    assert fault(answer) == (403, "CLOSED")
    assert "PEDALFLOW_TRIGGERS_PUBSUB_AUDIENCE" in answer.json()["error"]["message"]


def test_a_body_that_cannot_be_read_is_named_by_its_rule(client: Client) -> None:
    assert fault(client.post(Source.PERSON, b"{"))[0] == 400
    assert fault(client.post(Source.PERSON, {"reason": 1, "id": "a"}))[0] == 400


@pytest.fixture
def small(tmp_path: Path, store: Store) -> Client:
    return Client(
        tmp_path,
        store,
        TriggersSettings(body_bytes=1024, failures_burst=3, deliveries_burst=2, deliveries_per_s=0.001),
    )


@pytest.mark.parametrize("source", [Source.PERSON, Source.GITHUB], ids=lambda source: source.value)
def test_a_body_that_is_too_long_is_refused_by_its_length(small: Client, source: Source) -> None:
    assert fault(small.post(source, b"x" * 1025)) == (413, "TOO_LARGE")


def test_a_body_without_a_length_is_refused_when_it_has_become_too_long(small: Client) -> None:
    sent = []

    async def endless() -> AsyncIterator[bytes]:
        while len(sent) < 1000:
            sent.append(1)
            yield b"x" * 300

    headers = {"authorization": f"Bearer {small.secret(Source.PERSON)}"}
    answer = small.ask("POST", "/events/person", content=endless(), headers=headers)
    assert fault(answer) == (413, "TOO_LARGE")


def test_after_many_failures_an_address_has_to_wait_but_a_right_token_passes(
    small: Client, store: Store
) -> None:
    wrong = {"authorization": "Bearer wrong"}
    answers = [small.ask("POST", "/events/s3", headers=wrong) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert fault(answers[-1]) == (429, "TOO_MANY_FAILURES") and int(answers[-1].headers["retry-after"]) >= 1
    assert small.post(Source.PERSON, WISH).status_code == 202


def test_failures_of_one_address_do_not_count_for_another(tmp_path: Path, store: Store) -> None:
    clients = Client(tmp_path, store, TriggersSettings(failures_burst=1, failures_per_s=0.001))
    for address, status in (("192.0.2.1", 401), ("192.0.2.1", 429), ("192.0.2.2", 401)):
        clients.address = address
        assert clients.ask("POST", "/events/s3").status_code == status


def test_each_source_has_a_pace_of_its_own(small: Client) -> None:
    wishes = [small.post(Source.PERSON, {**WISH, "id": f"w{number}"}) for number in range(3)]
    assert [answer.status_code for answer in wishes] == [202, 202, 429]
    assert fault(wishes[-1]) == (429, "TOO_MANY") and int(wishes[-1].headers["retry-after"]) >= 1
    slot = {"name": "nightly", "slot": "2026-11-21T07:00:00Z"}
    assert small.post(Source.SCHEDULE, slot).status_code == 202


def test_when_the_database_does_not_answer_the_sender_is_to_send_it_again(
    tmp_path: Path, store: Store
) -> None:
    def down(events: tuple[Event, ...]) -> list[Accepted]:
        raise StoreFailed("the disk is full: /secret/place")

    client = Client(tmp_path, store, accept=down)
    answer = client.post(Source.PERSON, WISH)
    assert fault(answer) == (503, "DATABASE")
    assert answer.headers["retry-after"] == "5" and "/secret/place" not in answer.text
    assert client.woken == 0


def test_what_nobody_foresaw_is_a_500_of_which_nothing_is_told_or_logged_but_the_place(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(events: tuple[Event, ...]) -> list[Accepted]:
        raise KeyError(events[0].summary)

    client = Client(tmp_path, store, accept=broken)
    with caplog.at_level(logging.DEBUG):
        answer = client.post(Source.PERSON, {**WISH, "reason": "a very private reason"})
    assert fault(answer) == (500, "UNEXPECTED")
    assert "unexpected KeyError at POST /events/person" in caplog.text and "test_app.py" in caplog.text
    told = caplog.text + answer.text
    assert "private reason" not in told and client.secret(Source.PERSON) not in told


# Reading.


def test_from_elsewhere_nothing_is_read_without_a_password(client: Client) -> None:
    client.address = "192.0.2.1"
    for path in ("/api/status", "/api/events", "/api/runs", "/api/trace/r-1", "/", "/style.css"):
        assert client.get(path).status_code == 403, path
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert client.get(path).status_code == 200, path


def test_a_password_is_asked_for_where_one_is_set(tmp_path: Path, store: Store) -> None:
    client = Client(tmp_path, store, TriggersSettings(reader_token="a-password-of-20-ch"))
    answer = client.get("/")
    assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Basic")
    assert client.get("/", auth=("me", "a-password-of-20-ch")).status_code == 200
    assert (
        client.get(
            "/api/status", headers={"authorization": f"Bearer {client.secret(Source.PERSON)}"}
        ).status_code
        == 200
    )


def test_wrong_passwords_are_counted_and_slowed_down_but_a_right_one_passes(
    tmp_path: Path, store: Store
) -> None:
    settings = TriggersSettings(reader_token="a-password-of-20-ch", failures_burst=2, failures_per_s=0.001)
    client = Client(tmp_path, store, settings)
    for _ in range(5):
        assert client.get("/").status_code == 401  # a browser asks without a password first
    answers = [client.get("/api/status", auth=("me", "a guess")) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
    assert (client.refused("readers", "READER"), client.refused("readers", "TOO_MANY_FAILURES")) == (7, 2)
    assert client.get("/api/status", auth=("me", "a-password-of-20-ch")).status_code == 200


@pytest.fixture
def story(tmp_path: Path) -> Names:
    return write_story(Workspace(tmp_path))


@pytest.fixture
def told(story: Names, client: Client) -> Client:
    """A client of a service with a history."""
    return client


def test_the_state_of_things_is_told(told: Client, story: Names) -> None:
    status = told.get("/api/status").json()
    assert status["champion"]["release"] == "r-000000000002"
    assert (status["champion"]["rmse"], status["champion"]["wape"], status["champion"]["rows"]) == (
        52.25,
        0.144,
        163,
    )
    assert [run["id"] for run in status["waiting"]] == [story.waiting]
    assert status["undecided_events"] == 1 and status["at_work"] == []
    assert status["paused"] is None


def test_a_person_pauses_and_resumes_and_the_state_of_things_says_so(told: Client) -> None:
    wish = {**WISH, "wish": "pause", "reason": "the cluster is upgraded"}
    paused = told.post(Source.PERSON, wish)
    (taken,) = paused.json()["events"]
    assert (paused.status_code, told.get(f"/api/events/{taken['id']}").json()["kind"]) == (202, "pause")
    assert told.get("/api/status").json()["paused"] == {
        "event": taken["id"],
        "who": "ada",
        "reason": "the cluster is upgraded",
        "since": None,
    }
    assert [event["id"] for event in told.get("/api/events?kind=pause").json()["events"]] == [taken["id"]]
    assert told.post(Source.PERSON, {**wish, "wish": "resume", "id": "w2"}).status_code == 202
    assert told.get("/api/status").json()["paused"] is None
    assert told.woken == 2


def test_events_and_runs_are_told_page_by_page(told: Client) -> None:
    seen, path = [], "/api/events?limit=2"
    while path:
        content = told.get(path).json()
        seen += [event["number"] for event in content["events"]]
        path = content["next"] and f"/api/events?limit=2&before={content['next']}"
    assert seen == sorted(seen, reverse=True) and len(seen) == 6
    assert told.get("/api/runs?limit=1").json()["next"] is not None
    assert told.get("/api/runs").json()["next"] is None


def test_events_can_be_asked_for_by_kind(told: Client) -> None:
    kinds = [event["kind"] for event in told.get("/api/events?kind=concept-drift").json()["events"]]
    assert kinds == ["concept-drift", "concept-drift"]


def test_one_event_and_one_run_are_told(told: Client, story: Names) -> None:
    event = told.get(f"/api/events/{story.accusing}").json()
    assert (event["outcome"], event["run"]) == ("asks for a run", story.run)
    run = told.get(f"/api/runs/{story.run}").json()
    assert (run["phase"], run["outcome"], run["release"]) == ("succeeded", "promoted", "r-000000000002")


def test_a_trace_goes_from_a_request_to_what_made_its_release(told: Client, story: Names) -> None:
    nodes = {node["id"] for node in told.get("/api/trace/order-2").json()["nodes"]}
    assert {"order-2", "r-000000000002", story.run, story.accusing} <= nodes


@pytest.mark.parametrize(
    "path",
    [
        "/api/events/e-0000000000000000",
        "/api/runs/q-000000000000",
        "/api/trace/nothing-at-all",
        "/events/e-00",
        "/nowhere",
    ],
)
def test_what_is_not_there_is_said_to_programs_as_json_and_to_people_as_a_page(
    told: Client, path: str
) -> None:
    assert fault(told.get(path)) == (404, "NOT_FOUND")
    page = told.get(path, headers={"accept": "text/html"})
    assert page.status_code == 404 and "There is nothing to show here" in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/api/events?limit=0",
        "/api/events?limit=999",
        "/api/events?kind=snow",
        "/api/events?before=99999999999999999999",
        "/api/events/x",
        "/api/runs/q-%00",
        "/api/trace/%00",
        "/?kind=snow",
        "/?before=x",
    ],
)
def test_a_wrong_parameter_is_named(told: Client, path: str) -> None:
    assert fault(told.get(path)) == (422, "PARAMETER")


def test_pages_of_a_service_with_a_history_are_shown(told: Client, story: Names) -> None:
    paths = (
        "/",
        "/?kind=drift",
        f"/events/{story.accusing}",
        f"/runs/{story.run}",
        "/trace/r-000000000001",
        "/trace/order-1",
    )
    for path in paths:
        answer = told.get(path)
        assert answer.status_code == 200 and answer.headers["content-type"] == "text/html; charset=utf-8", (
            path
        )
    assert story.run in told.get("/").text


@pytest.mark.parametrize("path", ["/", "/nowhere", "/healthz", "/api/status", "/events/person"])
def test_every_answer_is_safe_in_a_browser(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store" and headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "script-src" not in policy


def test_a_method_that_makes_no_sense_is_refused(client: Client) -> None:
    answer = client.ask("DELETE", "/events/person")
    assert fault(answer) == (405, "METHOD") and answer.headers["allow"] == "POST"


# Health.


def test_it_is_ready_while_database_and_engine_are(tmp_path: Path, store: Store) -> None:
    client = Client(tmp_path, store)
    assert client.get("/readyz").json() == {"ready": True}
    client.working = False
    assert fault(client.get("/readyz")) == (503, "ENGINE")
    assert client.get("/healthz").status_code == 200


def test_it_is_not_ready_without_its_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> None:
        raise StoreFailed("no answer")

    monkeypatch.setattr(client.store, "depth", down)
    assert fault(client.get("/readyz")) == (503, "DATABASE")


# The description.


def test_the_description_has_every_source_with_its_refusals_and_its_proof(client: Client) -> None:
    document = client.get("/openapi.json").json()
    for source in Source:
        described = document["paths"][f"/events/{source.value}"]["post"]
        assert {str(status) for status in REFUSALS} <= described["responses"].keys()
        assert described["requestBody"]["content"] and described["summary"]
        (scheme,) = described["security"]
        assert scheme.keys() <= document["components"]["securitySchemes"].keys()


@pytest.mark.parametrize(
    "source", [source for source in Source if source is not Source.PUBSUB], ids=lambda source: source.value
)
def test_its_examples_are_taken(client: Client, source: Source) -> None:
    payload = PAYLOADS[source]
    for media, content in payload.content.items():
        headers = {header.name: str(header.schema.get("const", "a1")) for header in payload.headers}
        answer = client.post(source, content["example"], {"content-type": media, **headers})
        assert answer.status_code in (200, 202), answer.text


def test_a_slot_of_the_services_own_schedule_is_one_event_however_often_it_is_made(store: Store) -> None:
    from triggers.schedule import seconds_to_next, slot_event

    slot = Slot(name="hourly", every_s=3600)
    events = [slot_event(slot, NOW + seconds) for seconds in (0, 5, 3599, 3600)]
    accepted = [store.accept([event])[0] for event in events]
    assert [taken.duplicate for taken in accepted] == [False, True, True, False]
    assert [seconds_to_next(slot, NOW + seconds) for seconds in (0, 1, 3599)] == [3600, 3599, 1]


def test_a_schedule_goes_on_whatever_goes_wrong_with_one_of_its_events(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(schedule, "AGAIN_S", 0.0)
    failures = [StoreFailed("the disk is full"), RuntimeError("what nobody foresaw")]
    made = asyncio.Event()

    def accept(events: tuple[Event, ...]) -> list[Accepted]:
        if failures:
            raise failures.pop(0)
        return [Accepted("e-1", duplicate=False) for _ in events]

    async def keep() -> None:
        async with schedule.keeping([Slot(name="hourly", every_s=3600)], accept, made.set, lambda: NOW):
            await asyncio.wait_for(made.wait(), 20)

    asyncio.run(keep())
    assert "the disk is full" in caplog.text and "RuntimeError: what nobody foresaw" in caplog.text
