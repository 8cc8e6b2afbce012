"""The outbox: in order, at least once, nothing lost while the broker is away, and bounded."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving import outbox
from serving.events import DRIFT, Emitted
from serving.outbox import KEPT, REFUSED, SENT, Sender, delay_s, depth, last_events, put
from serving.state import FILE, Connection, State
from tests.samples.recording_server import Received, recording_server


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    made = State(tmp_path / FILE)
    yield made
    made.close()


def event(number: int) -> Emitted:
    return Emitted(
        f"event-{number}", DRIFT, "tests", float(number), {"requestid": "abc"}, {"data": {"number": number}}
    )


def fill(state: State, count: int, *, has_broker: bool = True) -> None:
    def put_all(connection: Connection) -> None:
        for number in range(count):
            put(connection, event(number), has_broker=has_broker)

    state.change(put_all)


class Counter:
    """What the sender counted, and a way to wait for it."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, _: str, outcome: str) -> None:
        with self._changed:
            self.outcomes.append(outcome)
            self._changed.notify_all()

    def wait_for(self, done: Callable[[list[str]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: done(self.outcomes), 20), self.outcomes


def test_events_are_posted_in_order_as_binary_cloud_events(state: State) -> None:
    fill(state, 3)
    counter = Counter()
    with recording_server() as broker:
        sender = Sender(state, broker.address, counter)
        sender.start()
        counter.wait_for(lambda outcomes: len(outcomes) == 3)
        sender.stop()
    assert [json.loads(item.body)["data"]["number"] for item in broker.received] == [0, 1, 2]
    headers = {name.lower(): value for name, value in broker.received[0].headers.items()}
    assert headers["ce-specversion"] == "1.0"
    assert (headers["ce-id"], headers["ce-type"], headers["ce-requestid"]) == ("event-0", DRIFT, "abc")
    assert state.read(depth).waiting == 0


def test_a_broker_that_is_away_gets_every_event_when_it_is_back(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_DELAY_S", 0.001)
    answers = iter([503, 429, 200, 500, 200])

    def reply(_: Received) -> tuple[int, bytes]:
        return next(answers), b""

    fill(state, 2)
    counter = Counter()
    with recording_server(reply) as broker:
        sender = Sender(state, broker.address, counter, jitter=lambda: 0.0)
        sender.start()
        counter.wait_for(lambda outcomes: outcomes.count("sent") == 2)
        sender.stop()
    assert counter.outcomes == ["failed", "failed", "sent", "failed", "sent"]
    ids = [{name.lower(): value for name, value in item.headers.items()}["ce-id"] for item in broker.received]
    assert ids == ["event-0"] * 3 + ["event-1"] * 2


def test_nobody_listening_loses_nothing(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FIRST_DELAY_S", 0.001)
    fill(state, 1)
    counter = Counter()
    sender = Sender(state, "http://127.0.0.1:1/", counter, jitter=lambda: 0.0)
    sender.start()
    counter.wait_for(lambda outcomes: outcomes.count("failed") >= 2)
    sender.stop()
    assert state.read(depth).waiting == 1


def test_what_the_broker_refuses_is_kept_aside_with_the_reason_and_the_next_goes_on(state: State) -> None:
    fill(state, 2)

    def reply(received: Received) -> tuple[int, bytes]:
        return (422, b"not like this") if b":0" in received.body else (202, b"")

    counter = Counter()
    with recording_server(reply) as broker:
        sender = Sender(state, broker.address, counter)
        sender.start()
        counter.wait_for(lambda outcomes: len(outcomes) == 2)
        sender.stop()
    assert counter.outcomes == ["refused", "sent"]
    newest, oldest = state.read(last_events)
    assert (newest["status"], oldest["status"]) == (SENT, REFUSED)
    assert "422" in oldest["reason"] and "not like this" in oldest["reason"]
    assert state.read(depth).refused == 1


def test_without_a_broker_the_newest_events_are_kept_and_go_to_the_one_that_comes(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_REMEMBERED", 3)
    fill(state, 5, has_broker=False)
    assert [item["data"]["data"]["number"] for item in state.read(last_events)] == [4, 3, 2]
    assert {item["status"] for item in state.read(last_events)} == {KEPT}
    counter = Counter()
    with recording_server() as broker:
        sender = Sender(state, broker.address, counter)
        sender.start()
        counter.wait_for(lambda outcomes: len(outcomes) == 3)
        sender.stop()
    assert len(broker.received) == 3


def test_an_outbox_that_is_too_full_drops_the_oldest_and_counts_them(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_WAITING", 4)
    fill(state, 6)
    found = state.read(depth)
    assert (found.waiting, found.dropped, found.oldest) == (4, 2, 2.0)


@pytest.mark.parametrize(
    ("failures", "jitter", "seconds"),
    [(1, 0.0, 0.25), (1, 1.0, 0.5), (3, 1.0, 2.0), (40, 1.0, 60.0), (40, 0.0, 30.0)],
)
def test_the_delay_doubles_up_to_a_minute(failures: int, jitter: float, seconds: float) -> None:
    assert delay_s(failures, jitter) == seconds


def posted(state: State, token_file: Path | None, status: int = 202) -> tuple[list[str], list[str | None]]:
    """Outcomes and the header Authorization of the first attempt at one event."""
    fill(state, 1)
    counter = Counter()
    with recording_server(lambda _: (status, b"said so")) as broker:
        sender = Sender(state, broker.address, counter, token_file=token_file)
        sender.start()
        counter.wait_for(lambda outcomes: len(outcomes) >= 1)
        sender.stop()
    return counter.outcomes, [received.headers.get("Authorization") for received in broker.received]


def test_without_a_file_there_is_no_token(state: State) -> None:
    assert posted(state, None) == (["sent"], [None])


def test_the_token_of_the_file_goes_with_every_event_and_is_kept_nowhere(
    state: State, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("s3cret-1\n", encoding="utf-8")
    assert posted(state, file) == (["sent"], ["Bearer s3cret-1"])
    assert not [path for path in tmp_path.glob(f"{FILE}*") if b"s3cret" in path.read_bytes()]


def test_a_token_that_is_wrong_makes_events_wait_until_somebody_mends_the_file(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outbox, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(outbox, "LONGEST_DELAY_S", 0.01)
    file = tmp_path / "token"
    file.write_text("s3cret-old", encoding="utf-8")
    fill(state, 2)
    counter = Counter()

    def reply(received: Received) -> tuple[int, bytes]:
        return (202 if received.headers.get("Authorization") == "Bearer s3cret-new" else 401), b""

    with recording_server(reply) as broker:
        sender = Sender(state, broker.address, counter, token_file=file)
        sender.start()
        counter.wait_for(lambda outcomes: outcomes.count("failed") >= 2)
        file.write_text("s3cret-new", encoding="utf-8")
        counter.wait_for(lambda outcomes: outcomes.count("sent") == 2)
        sender.stop()
    assert "refused" not in counter.outcomes and state.read(depth).refused == 0
    assert f"mend the token in {file}" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_broker_that_wants_a_token_where_none_is_set_says_what_to_set(
    state: State, caplog: pytest.LogCaptureFixture
) -> None:
    assert posted(state, None, status=403)[0] == ["failed"]
    assert "--broker-token-file" in caplog.text
    assert state.read(depth).waiting == 1


@pytest.mark.parametrize("content", [None, b"", b"\n", b"two words", b"s3cret\r\nX-Header: 1", b"s3cret\xff"])
def test_a_file_without_a_token_makes_events_wait_and_is_named_without_its_content(
    state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    outcomes, headers = posted(state, file)
    assert (outcomes, headers) == (["failed"], [])
    assert str(file) in caplog.text and "s3cret" not in caplog.text
