"""When a waiting run may start: while one of its reasons holds, and when one of those is due by itself."""

from __future__ import annotations

import pytest

from triggers.events import RELEASE, Kind
from triggers.policy import BY_KIND, DAY, HOUR
from triggers.readiness import Ready, Reason, readiness

NOW = 1_350_000_000.0  # 2012-10-12 00:00:00
LONG_AGO = NOW - 9 * DAY


def reason(
    kind: Kind,
    *,
    verdict: bool | None = None,
    release: str = "",
    due: float = NOW,
    decided: float = LONG_AGO,
) -> Reason:
    return Reason(f"e-{kind.value}", kind, {RELEASE: release} if release else {}, verdict, due, decided)


def drifts(due: float = LONG_AGO, kind: Kind = Kind.DRIFT) -> Reason:
    return reason(kind, verdict=True, release="r-1", due=due)


def uploaded(ago: float, due: float) -> Reason:
    return reason(Kind.STORAGE, decided=NOW - ago, due=due)


DRIFTED = drifts()
CALMED = reason(Kind.DRIFT, verdict=False, release="r-1", due=LONG_AGO)
DEMAND = drifts(kind=Kind.CONCEPT_DRIFT)
ASKED = reason(Kind.PERSON)


@pytest.mark.parametrize(
    ("reasons", "champion", "new_data", "ready", "says"),
    [
        ((ASKED,), "r-1", False, Ready.LAUNCH, "somebody asked for it"),
        ((reason(Kind.STORAGE),), "r-1", False, Ready.LAUNCH, "uploaded"),
        ((reason(Kind.DATA),), "r-1", False, Ready.LAUNCH, "other versions of the data"),
        ((reason(Kind.CODE),), "r-1", False, Ready.LAUNCH, "new code"),
        ((reason(Kind.SCHEDULE),), "r-1", False, Ready.WAIT, "no run has tried"),
        ((reason(Kind.SCHEDULE),), "r-1", True, Ready.LAUNCH, "time to look"),
        ((reason(Kind.SCHEDULE),), "r-1", None, Ready.LAUNCH, "time to look"),
        ((DRIFTED,), "r-1", True, Ready.LAUNCH, "no longer look like"),
        ((DRIFTED,), "", True, Ready.LAUNCH, "no longer look like"),
        ((DRIFTED,), "r-1", None, Ready.LAUNCH, "no longer look like"),
        ((DRIFTED,), "r-1", False, Ready.WAIT, "no run has tried"),
        ((DRIFTED, DEMAND), "r-1", False, Ready.WAIT, "no run has tried"),
        ((DRIFTED, ASKED), "r-1", False, Ready.LAUNCH, "somebody asked for it"),
        ((DRIFTED,), "r-2", True, Ready.DROP, "r-1 no longer serves"),
        ((CALMED,), "r-1", True, Ready.DROP, "nothing drifts any more"),
        ((CALMED,), "r-1", False, Ready.DROP, "nothing drifts any more"),
        ((CALMED, DEMAND), "r-1", True, Ready.LAUNCH, "labels no longer follow"),
        ((CALMED, ASKED), "r-2", True, Ready.LAUNCH, "somebody asked for it"),
        ((), "r-1", True, Ready.DROP, "no reason any more"),
    ],
)
def test_a_waiting_run_starts_while_one_of_its_reasons_holds(
    reasons: tuple[Reason, ...], champion: str, new_data: bool | None, ready: Ready, says: str
) -> None:
    answer = readiness(reasons, now=NOW, champion=champion, new_data=new_data)
    assert answer.ready is ready
    assert says in answer.reason


SETTLES = uploaded(20, due=NOW + 40)
SETTLED = uploaded(60, due=NOW)
COOLS_DOWN = uploaded(20, due=NOW + HOUR)
SETTLED_AND_COOLS_DOWN = uploaded(60, due=NOW + HOUR)
TOMORROW = drifts(due=NOW + DAY)


@pytest.mark.parametrize(
    ("reasons", "new_data", "ready", "says"),
    [
        pytest.param((SETTLES,), True, Ready.WAIT, "before 2012-10-12 00:00:40 UTC", id="an upload settles"),
        pytest.param((SETTLED,), True, Ready.LAUNCH, "", id="it has settled"),
        pytest.param((SETTLED_AND_COOLS_DOWN,), True, Ready.WAIT, "before 2012-10-12 01:00:00", id="it cools down"),
        pytest.param((DRIFTED, SETTLES), False, Ready.WAIT, "00:00:40", id="drift waits until its data has settled"),
        pytest.param((DRIFTED, COOLS_DOWN), False, Ready.WAIT, "01:00:00", id="it has not settled, whatever cools down"),
        pytest.param((DRIFTED, SETTLED), False, Ready.LAUNCH, "", id="drift has data that has settled"),
        pytest.param((DRIFTED, SETTLED_AND_COOLS_DOWN), False, Ready.LAUNCH, "", id="drift waits for no cool-down of data"),
        pytest.param((reason(Kind.SCHEDULE), SETTLED_AND_COOLS_DOWN), False, Ready.LAUNCH, "", id="nor does a schedule"),
        pytest.param((DRIFTED, SETTLES), True, Ready.LAUNCH, "", id="drift has other data already"),
        pytest.param((DRIFTED, SETTLES), None, Ready.LAUNCH, "", id="drift, where nobody knows the data"),
        pytest.param((CALMED, SETTLED_AND_COOLS_DOWN), False, Ready.WAIT, "01:00:00", id="what lapsed lets nothing start"),
        pytest.param((TOMORROW, SETTLED_AND_COOLS_DOWN), False, Ready.WAIT, "01:00:00", id="both cool down"),
        pytest.param((TOMORROW,), True, Ready.WAIT, "before 2012-10-13", id="drift cools down"),
        pytest.param((CALMED, drifts(NOW + DAY, Kind.CONCEPT_DRIFT)), True, Ready.WAIT, "2012-10-13", id="the urgent lapsed"),
        pytest.param((TOMORROW, ASKED), True, Ready.LAUNCH, "", id="a person waits for nobody's cool-down"),
        pytest.param((TOMORROW, reason(Kind.DATA, due=NOW + 30)), True, Ready.WAIT, "00:00:30", id="the first is said"),
    ],
)  # fmt: skip
def test_a_waiting_run_starts_when_a_reason_that_holds_is_due_by_itself(
    reasons: tuple[Reason, ...], new_data: bool | None, ready: Ready, says: str
) -> None:
    answer = readiness(reasons, now=NOW, champion="r-1", new_data=new_data)
    assert answer.ready is ready
    assert says in answer.reason


@pytest.mark.parametrize(
    ("reasons", "new_data", "ready", "says"),
    [
        ((DRIFTED,), True, Ready.WAIT, "before 2012-10-13 23:00:00"),
        ((DEMAND,), None, Ready.WAIT, "before 2012-10-13 23:00:00"),
        ((DRIFTED,), False, Ready.WAIT, "no run has tried"),
        ((DRIFTED, SETTLES), False, Ready.WAIT, "00:00:40"),
        ((DRIFTED, SETTLED_AND_COOLS_DOWN), False, Ready.WAIT, "01:00:00"),
        ((DRIFTED, SETTLED), False, Ready.LAUNCH, ""),
        ((DRIFTED, ASKED), True, Ready.LAUNCH, ""),
        ((reason(Kind.SCHEDULE),), True, Ready.LAUNCH, ""),
    ],
)
def test_a_promotion_since_makes_a_verdict_wait_and_nothing_else(
    reasons: tuple[Reason, ...], new_data: bool | None, ready: Ready, says: str
) -> None:
    answer = readiness(reasons, now=NOW, champion="r-1", new_data=new_data, last_promotion=NOW - HOUR)
    assert answer.ready is ready
    assert says in answer.reason


def test_a_run_that_waits_names_the_moment_and_what_it_is_for() -> None:
    answer = readiness((SETTLES,), now=NOW, champion="", new_data=None)
    why = BY_KIND[Kind.STORAGE].why
    assert answer.reason == f"{why}, for which nothing starts before 2012-10-12 00:00:40 UTC"


def test_a_run_is_told_why_once_however_many_events_say_it() -> None:
    answer = readiness((ASKED, ASKED, DRIFTED), now=NOW, champion="r-1", new_data=True)
    assert answer.reason.count("somebody asked for it") == 1
