"""The request logger: order, a short queue, patience, and an event service that comes and goes."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from serving.event_logger import Event, EventLogger, EventQueue, Kind, Origin, Outcome
from tests.samples.recording_server import Received, recording_server

ORIGIN = Origin("http://127.0.0.1:9000/", "pedalflow", "local", "main", "predictor")


def event(number: int) -> Event:
    return Event(Kind.REQUEST, f"id-{number}", "application/json", b"{}")


class Outcomes:
    """Counts what became of events, and lets a test wait for it."""

    def __init__(self) -> None:
        self.counts: Counter[Outcome] = Counter()
        self._changed = threading.Condition()

    def __call__(self, outcome: Outcome) -> None:
        with self._changed:
            self.counts[outcome] += 1
            self._changed.notify_all()

    def wait_for(self, outcome: Outcome, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.counts[outcome] >= count, 20), self.counts


@contextmanager
def logger(
    url: str,
    count: Callable[[Outcome], None],
    *,
    places: int = 100,
    patience_s: float = 2.0,
    retry_s: float = 10.0,
) -> Iterator[EventLogger]:
    made = EventLogger(
        url, ORIGIN, count, places=places, patience_s=patience_s, retry_s=retry_s, timeout_s=5.0
    )
    made.start()
    try:
        yield made
    finally:
        made.stop(5.0)


def test_events_leave_in_the_order_in_which_they_came() -> None:
    queue = EventQueue(2, 60.0, lambda: None)
    for number in range(5):
        queue.put(event(number))
    queue.close()
    taken = [queue.take() for _ in range(6)]
    assert taken == [*map(event, range(5)), None]


def test_an_event_that_finds_no_place_in_time_is_dropped_and_counted() -> None:
    dropped: list[int] = []
    queue = EventQueue(2, 0.0, lambda: dropped.append(1))
    for number in range(5):
        queue.put(event(number))
    queue.close()
    taken = [found.request_id for _ in range(3) if (found := queue.take())]
    assert (taken, len(dropped)) == (["id-0", "id-1"], 3)


def test_an_event_service_that_never_answers_costs_a_bounded_queue_and_no_waiting() -> None:
    outcomes, release = Outcomes(), threading.Event()

    def stuck(_: Received) -> tuple[int, bytes]:
        release.wait(20)
        return 200, b""

    with recording_server(stuck) as server:
        with logger(server.address, outcomes, places=3, patience_s=0.0) as log:
            log.log(event(0))
            server.wait_for(1)
            for number in range(1, 101):
                log.log(event(number))
            log.log(event(101))
            assert outcomes.counts[Outcome.QUEUE_FULL] >= 96
            release.set()
        assert len(server.wait_for(4)) <= 6


def test_an_event_service_that_is_starting_again_gets_the_event_once_it_answers() -> None:
    outcomes, answers = Outcomes(), iter([503, 500, 200])
    with recording_server(lambda _: (next(answers), b"")) as server, logger(server.address, outcomes) as log:
        log.log(event(0))
        outcomes.wait_for(Outcome.SENT, 1)
    assert len({got.headers["Ce-Id"] for got in server.received}) == 1
    assert len(server.received) == 3


def test_an_event_that_the_service_refuses_is_not_sent_twice() -> None:
    outcomes = Outcomes()
    with recording_server(lambda _: (400, b"no")) as server, logger(server.address, outcomes) as log:
        log.log(event(0))
        outcomes.wait_for(Outcome.REFUSED, 1)
    assert len(server.received) == 1


def test_an_event_service_that_is_gone_is_given_up_after_a_while() -> None:
    outcomes = Outcomes()
    with logger("http://127.0.0.1:9/", outcomes, retry_s=0.0) as log:
        log.log(event(0))
        outcomes.wait_for(Outcome.UNREACHABLE, 1)


def test_what_is_queued_is_sent_before_it_stops() -> None:
    outcomes = Outcomes()
    with recording_server() as server:
        with logger(server.address, outcomes) as log:
            for number in range(50):
                log.log(event(number))
        assert [got.headers["Ce-Requestid"] for got in server.received] == [f"id-{n}" for n in range(50)]


@pytest.mark.parametrize(
    ("status", "outcome", "level"),
    [
        (400, Outcome.REFUSED, logging.INFO),
        (500, Outcome.FAILED, logging.WARNING),
        (429, Outcome.FAILED, logging.WARNING),
    ],
)
def test_an_event_that_is_lost_is_a_warning_and_one_that_is_refused_is_not(
    caplog: pytest.LogCaptureFixture, status: int, outcome: Outcome, level: int
) -> None:
    outcomes = Outcomes()
    caplog.set_level(logging.INFO, "serving.event_logger")
    with (
        recording_server(lambda _: (status, b"no")) as server,
        logger(server.address, outcomes, retry_s=0.0) as log,
    ):
        log.log(event(0))
        outcomes.wait_for(outcome, 1)
    assert [record.levelno for record in caplog.records if "id-0" in record.getMessage()] == [level]
