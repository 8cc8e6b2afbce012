"""What happens when in the loop: the plan of a year as a table. Everything else in it follows from the data and the policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum

from pedalflow.loop_record import BAD_BATCH, BAD_PARAMETERS, BAD_RELEASE

DAY_S = 86400.0
SLOW = 4.0  # simulated hours a second


class Act(str, Enum):
    """Something that happens from outside."""

    UPLOAD = "upload"  # the file of a month that is over comes into the bucket
    BAD_BATCH = BAD_BATCH
    BAD_PARAMETERS = BAD_PARAMETERS
    BAD_RELEASE = BAD_RELEASE
    PAUSE = "pause"  # from now on no run starts


@dataclass(frozen=True)
class Moment:
    """An act and when it is due in the time of the data; `span` is the one it is about (0: none).

    A moment that needs `calm` waits until no run and no rollout is at work.
    """

    at: datetime
    act: Act
    span: int = 0
    calm: bool = False

    @property
    def name(self) -> str:
        """What tells it from the others of its story."""
        return f"{self.act.value} {self.span}" if self.span else self.act.value


@dataclass(frozen=True)
class Story:
    """The plan.

    Args:
        first_span: the first span that is replayed; all before it are trained on before anything serves.
        last_span: the last one.
        pauses: the day from which on no run starts, because a release of its could not be tried before the year is over (None: never).
        staged: the faults that are staged, by act: the day, and how many days the month's own file is late for it.
        rollout_percent: the canary's share of the requests,
        bad_percent: and that of the staged one, which is meant to do harm.
        rollout_patience_s: seconds by the wall clock that a rollout waits for labels.
        policy: numbers of the triggers' policy in seconds, by kind of event; all of them count in the time of the data.
        idle_speed: simulated hours a second at most while nothing is at work,
        training_speed: while a run trains,
        training_days: and the days of the story that a training takes at most, however slow the machine is; then the replay waits for it.
        rollout_speed: simulated hours a second at most while a canary answers,
        rollout_days: for so many days of the story, in which enough labels should be back; then it goes slowly, until the rollout is over.
    """

    first_span: int
    last_span: int
    pauses: date | None
    staged: Mapping[Act, date]
    rollout_percent: int
    bad_percent: int
    rollout_patience_s: float
    policy: Mapping[str, Mapping[str, float]]
    idle_speed: float
    training_speed: float
    training_days: int
    rollout_speed: float
    rollout_days: int


# A batch by itself starts a retraining every four months or so. Drift of the concept brings it forward, but asks once a week at most, and
# leaves a new champion three weeks to prove itself.
_POLICY: Mapping[str, Mapping[str, float]] = {
    # The clock is the data's and goes in steps of a day, so waiting for more would take days.
    "code": {"settle_s": 0.0},
    "storage": {"settle_s": 0.0, "cool_down_s": 120 * DAY_S},
    "drift": {"cool_down_s": 7 * DAY_S, "quiet_s": 21 * DAY_S},
    "concept-drift": {"cool_down_s": 7 * DAY_S, "quiet_s": 21 * DAY_S},
}
# In two months there is no week to lose.
_QUICK_POLICY = {**_POLICY, "concept-drift": {"cool_down_s": DAY_S, "quiet_s": 21 * DAY_S}}
FULL = Story(
    first_span=2,
    last_span=13,
    pauses=date(2012, 12, 18),  # a training and a rollout take up to thirteen days
    staged={
        Act.BAD_BATCH: date(2012, 2, 1),
        Act.BAD_RELEASE: date(2012, 3, 5),
        Act.BAD_PARAMETERS: date(2012, 3, 20),
    },
    rollout_percent=50,
    bad_percent=20,
    rollout_patience_s=120.0,
    policy=_POLICY,
    idle_speed=float("inf"),
    training_speed=12.0,
    training_days=3,
    rollout_speed=60.0,
    rollout_days=10,
)
QUICK = replace(
    FULL,
    last_span=3,
    pauses=None,
    staged={
        Act.BAD_BATCH: date(2012, 2, 1),
        Act.BAD_RELEASE: date(2012, 2, 14),
        Act.BAD_PARAMETERS: date(2012, 2, 21),
    },
    bad_percent=50,  # its labels are back within three days instead of six, which two months can spare
    policy=_QUICK_POLICY,
    idle_speed=60.0,  # a run that begins a second late begins two days late
    training_speed=6.0,
    rollout_speed=20.0,
)
REPAIRED_AFTER = timedelta(days=2)  # the right file of the month whose first one was broken


def moments(story: Story, span_dates: Mapping[int, tuple[date, date]]) -> tuple[Moment, ...]:
    """The moments of a story in order: each month's file on the day after its last, what is staged, and the pause at the end.

    The file of the last month is left out: nothing is replayed after it. `span_dates` has the first and last day of each span.
    """
    uploads = []
    broken = story.staged.get(Act.BAD_BATCH)
    for span in range(story.first_span, story.last_span):
        over = _midnight(span_dates[span][1] + timedelta(days=1))
        if broken == over.date():
            uploads.append(Moment(over, Act.BAD_BATCH, span))
            uploads.append(Moment(over + REPAIRED_AFTER, Act.UPLOAD, span, calm=True))
        else:
            uploads.append(Moment(over, Act.UPLOAD, span))
    staged = [
        Moment(_midnight(day), act, calm=True)
        for act, day in story.staged.items()
        if act is not Act.BAD_BATCH
    ]
    pause = [] if story.pauses is None else [Moment(_midnight(story.pauses), Act.PAUSE)]
    return tuple(sorted([*uploads, *staged, *pause], key=lambda moment: moment.at))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def due(plan: tuple[Moment, ...], done: frozenset[str], now: datetime, *, calm: bool) -> Moment | None:
    """The next moment that is due at `now` and has not been yet; where something is at work, none that needs calm."""
    waiting = (moment for moment in plan if moment.name not in done and moment.at <= now)
    return next((moment for moment in waiting if calm or not moment.calm), None)


class Doing(str, Enum):
    """What goes on beside the replay; the names of its phases."""

    IDLE = "replay"
    TRAINING = "replay while a model trains"
    ROLLOUT = "replay while a canary answers"


def speed(story: Story, wished: float | None, doing: Doing, days: float) -> float:
    """Simulated hours a second at most, when `doing` has gone on for `days` of the story; 0 means to wait until it is over.

    The story's own where nothing is at work and no speed was wished for. A rollout needs requests, so it is never waited for.
    """
    most = story.idle_speed if wished is None else wished
    if doing is Doing.TRAINING:
        return 0.0 if days >= story.training_days else min(most, story.training_speed)
    if doing is Doing.ROLLOUT:
        return min(most, story.rollout_speed if days < story.rollout_days else SLOW)
    return most
