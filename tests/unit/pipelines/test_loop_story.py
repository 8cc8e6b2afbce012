"""The plan of the loop: what happens when, and how fast it goes meanwhile."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from bikeshare.archive import ARCHIVE, cut_span
from bikeshare.use_case import USE_CASE
from pipelines.loop.hours import read_hours, span_content, span_dates
from pipelines.loop.story import FULL, QUICK, REPAIRED_AFTER, Act, Doing, Story, due, moments, speed


def plan_of(story: Story) -> list[tuple[str, str]]:
    dates = span_dates(USE_CASE, range(story.first_span, story.last_span + 1))
    return [(f"{moment.at:%m-%d}", moment.name) for moment in moments(story, dates)]


def test_each_month_is_uploaded_when_it_is_over_but_the_last_and_the_broken_one_two_days_late() -> None:
    uploads = [at for at, name in plan_of(FULL) if name.startswith("upload")]
    firsts = [f"{month:02d}-01" for month in range(3, 13)]
    assert uploads == [f"02-{1 + REPAIRED_AFTER.days:02d}", *firsts]


def test_nothing_starts_any_more_when_too_few_days_are_left_to_try_a_release() -> None:
    assert plan_of(FULL)[-1] == ("12-18", "pause") and not any(name == "pause" for _, name in plan_of(QUICK))
    assert FULL.pauses is not None
    assert (date(2012, 12, 31) - FULL.pauses).days == FULL.training_days + FULL.rollout_days


@pytest.mark.parametrize("story", [FULL, QUICK])
def test_all_three_faults_are_staged_and_the_broken_batch_is_the_month_that_comes_again(story: Story) -> None:
    names = [name for _, name in plan_of(story)]
    assert {"bad batch 2", "bad parameters", "bad release"} <= set(names)
    assert names.index("bad batch 2") < names.index("upload 2")


def test_a_moment_comes_once_it_is_due_and_one_that_needs_calm_waits_for_it() -> None:
    plan = moments(QUICK, span_dates(USE_CASE, range(2, 4)))
    before, late = datetime(2012, 1, 31, 23), datetime(2012, 2, 25)
    assert due(plan, frozenset(), before, calm=True) is None
    first = due(plan, frozenset(), datetime(2012, 2, 1), calm=False)
    assert first is not None and first.act is Act.BAD_BATCH
    assert due(plan, frozenset(("bad batch 2",)), datetime(2012, 2, 3), calm=False) is None  # not yet refused
    uploaded = frozenset(("bad batch 2", "upload 2"))
    assert due(plan, uploaded, late, calm=False) is None
    release = due(plan, uploaded, late, calm=True)
    assert release is not None and release.act is Act.BAD_RELEASE
    assert due(plan, frozenset(moment.name for moment in plan), late, calm=True) is None


@pytest.mark.parametrize(
    ("wished", "doing", "days", "expected"),
    [
        (None, Doing.IDLE, 0.0, QUICK.idle_speed),
        (50.0, Doing.IDLE, 400.0, 50.0),
        (None, Doing.TRAINING, 0.0, QUICK.training_speed),
        (1.0, Doing.TRAINING, 0.0, 1.0),
        (None, Doing.TRAINING, QUICK.training_days, 0.0),  # the replay waits for it
        (None, Doing.ROLLOUT, 0.0, QUICK.rollout_speed),
        (None, Doing.ROLLOUT, QUICK.rollout_days, 4.0),  # it needs requests, so it is never waited for
    ],
)
def test_speed_depends_on_what_is_at_work_and_for_how_long(
    wished: float | None, doing: Doing, days: float, expected: float
) -> None:
    assert speed(QUICK, wished, doing, days) == expected


def test_hours_are_requests_with_features_only_and_their_label_apart() -> None:
    content = span_content(USE_CASE, 2)
    assert content == cut_span(ARCHIVE, 2)
    hours = read_hours(USE_CASE, content)
    assert len(hours) == 741
    first = hours[0]
    assert first.at == datetime(2012, 1, 1, 0) and first.label == 48.0
    assert list(first.record) == [column.name for column in USE_CASE.features]
    assert first.record["dteday"] == "2012-01-01" and type(first.record["hr"]) is int
    assert not {"cnt", "casual", "registered"} & set(first.record)


def test_every_hour_has_a_request_id_of_its_own_which_is_the_same_in_every_replay() -> None:
    hours = read_hours(USE_CASE, span_content(USE_CASE, 3))
    assert len({hour.request_id for hour in hours}) == len(hours)
    assert hours[0].request_id == read_hours(USE_CASE, span_content(USE_CASE, 3))[0].request_id
