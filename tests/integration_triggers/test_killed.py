"""Killed at any point, the service loses nothing that it acknowledged and starts nothing twice."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.samples.postgresql import PostgreSQL
from tests.samples.triggers_engine import event, push, upload
from tests.samples.triggers_killed import Die, Service, check
from triggers.events import Kind

KILLS = 15
SHORTEST_S, LONGEST_S = 0.05, 0.6
EVENTS = (event(Kind.PERSON, "wish"), upload("s3://b/1"), push("abc"), event(Kind.ALERT, "alert"))
POINTS = (
    *(("received", times) for times in (1, 3)),
    *(("decided", times) for times in (1, 4)),
    *(
        (f"{when} {call}", times)
        for when in ("before", "after")
        for call in ("find", "submit", "look")
        for times in (1, 2)
    ),
    ("started", 1),
    ("started", 2),
    ("finished", 1),
    ("finished", 2),
    *(("clock", times) for times in range(1, 36)),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    if request.param == "sqlite":
        yield Service(f"sqlite:///{tmp_path / 'triggers.sqlite'}", tmp_path)
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    with server.empty_database() as url:
        yield Service(url, tmp_path)


@pytest.mark.parametrize(("point", "times"), POINTS)
def test_killed_at_a_point_it_goes_on_where_it_was(tmp_path: Path, point: str, times: int) -> None:
    service = Service(f"sqlite:///{tmp_path / 'triggers.sqlite'}", tmp_path)
    assert service.play(EVENTS, Die(point, times)) == -signal.SIGKILL
    assert service.play(EVENTS) == 0
    check(service)
    assert len(service.submitted) == 2


@pytest.mark.parametrize("point", ["received", "decided", "before submit", "after submit", "finished"])
def test_so_it_does_on_postgresql(tmp_path: Path, postgresql: PostgreSQL, point: str) -> None:
    with postgresql.empty_database() as url:
        service = Service(url, tmp_path)
        assert service.play(EVENTS, Die(point)) == -signal.SIGKILL
        assert service.play(EVENTS) == 0
        check(service)
        assert len(service.submitted) == 2


def test_killed_again_at_the_same_point_it_still_gets_there(tmp_path: Path) -> None:
    service = Service(f"sqlite:///{tmp_path / 'triggers.sqlite'}", tmp_path)
    for _ in range(3):
        assert service.play(EVENTS, Die("before submit")) == -signal.SIGKILL
    assert service.play(()) == 0
    check(service)


def test_killed_at_random_under_load_it_loses_nothing_and_starts_nothing_twice(service: Service) -> None:
    chance = random.Random(7)
    for number in range(KILLS):
        process = service.start_under_load(number)
        process.join(chance.uniform(SHORTEST_S, LONGEST_S))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert service.play(()) == 0
    assert len(service.acknowledged) > KILLS
    assert service.submitted
    check(service)
