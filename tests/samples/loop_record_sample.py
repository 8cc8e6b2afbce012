"""A record of the loop as a year leaves it, made by code: four releases promoted, one rolled back, three faults staged and caught.

Demand, predictions and scores follow simple curves; the shape of every field is that of a real record.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from pedalflow.loop_record import (
    BAD_BATCH,
    BAD_PARAMETERS,
    BAD_RELEASE,
    LiveError,
    LoopEvent,
    LoopHour,
    LoopRecord,
    LoopRelease,
    LoopRollout,
    LoopRun,
    LoopScore,
    Phase,
    StagedFault,
)
from pedalflow.loop_table import rmse
from pedalflow.run_record import SpanUsed
from pipelines.loop.record import ROLLING_DAYS, daily_errors

FIRST, LAST = datetime(2012, 1, 1), datetime(2012, 12, 31, 23)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
R1, R2, R4, R6, R7 = "r-30b966bea0ed", "r-b21db7ee7369", "r-91c5e4a07f12", "r-4d70aa19be63", "r-e8f2036b5c9a"
BAD, LATE, UNTRAINED = "r-33353c09b4cf", "r-7a1690d3f8e2", "r-dbf4092bfc33"
COMMIT = "036b1caab9c17655f62274875cc26b2b513e484b"
ASKS, JOINS, RECORDED = "asks for a run", "joins a run that waits", "recorded only"
CONCEPT, WEATHER = "concept-drift", "drift"
TAKE_IN, RETRAIN, REBUILD = (
    "take in data first, then retrain",
    "retrain the deployed pipeline on the new spans",
    "rebuild and retrain",
)
LABELS_SAY, QUIET = (
    "the labels no longer follow the predictions",
    "the detector looked and found no drift",
)
# What each release answers, as a share of what comes.
LEVEL = {R1: 0.68, R2: 0.93, R4: 0.96, R6: 0.98, R7: 1.0, BAD: 2.8, LATE: 0.8}
SPANS = {R1: 1, R2: 2, UNTRAINED: 3, R4: 4, LATE: 7, R6: 8, R7: 11}


@dataclass(frozen=True)
class Trial:
    """A release under a share of the traffic, and whether it was promoted at the end."""

    release: str
    first: datetime
    last: datetime
    promoted: bool


TRIALS = (
    Trial(R2, datetime(2012, 2, 6, 6), datetime(2012, 2, 16, 17), True),
    Trial(BAD, datetime(2012, 3, 5, 9), datetime(2012, 3, 7, 15), False),
    Trial(R4, datetime(2012, 4, 21, 4), datetime(2012, 4, 29, 11), True),
    Trial(LATE, datetime(2012, 7, 9, 1), datetime(2012, 7, 17, 5), False),
    Trial(R6, datetime(2012, 9, 6, 2), datetime(2012, 9, 14, 20), True),
    Trial(R7, datetime(2012, 11, 23, 3), datetime(2012, 12, 1, 8), True),
)


def champion_at(moment: datetime) -> str:
    """The release that serves."""
    return next((t.release for t in reversed(TRIALS) if t.promoted and t.last <= moment), R1)


def loop_record_sample() -> LoopRecord:
    """The same record at every call."""
    hours = tuple(_hours(Random(1)))
    errors = [hour.prediction - hour.actual for hour in hours]
    without = [hour.without - hour.actual for hour in hours]
    return LoopRecord(
        first_day="2012-01-01",
        last_day="2012-12-31",
        quick=False,
        first_release=R1,
        champion=R7,
        rmse=rmse(errors),
        rmse_without=rmse(without),
        mae=sum(map(abs, errors)) / len(hours),
        mae_without=sum(map(abs, without)) / len(hours),
        rolling_days=ROLLING_DAYS,
        requests=2 * len(hours),
        failed_requests=0,
        hours=hours,
        days=daily_errors(hours),
        scores=tuple(_scores(Random(2))),
        events=tuple(_events()),
        runs=tuple(_runs()),
        releases=tuple(_release(name, hours) for name in (R1, R2, UNTRAINED, R4, LATE, R6, R7, BAD)),
        rollouts=tuple(_rollouts()),
        staged=_staged(),
        phases=(
            Phase("the first training", 41.3),
            Phase("starting the processes", 5.2),
            Phase("replay", 88.4),
            Phase("replay while a model trains", 131.7),
            Phase("replay while a canary answers", 52.9),
            Phase("what the first model alone would have said", 1.9),
        ),
    )


def _hours(chance: Random) -> Iterator[LoopHour]:
    moment = FIRST
    while moment <= LAST:
        yield _hour(moment, chance)
        moment += HOUR


def _hour(moment: datetime, chance: Random) -> LoopHour:
    day = (moment - FIRST) / DAY
    demand = 190 - 95 * math.cos((day - 15) / 366 * 2 * math.pi)
    actual = round(demand * (1 + 0.9 * math.sin((moment.hour - 9) / 24 * 2 * math.pi)) + 12)
    release = _answering(moment)
    noise, level = chance.gauss(0, 0.14), LEVEL[R1] - 0.1 * day / 366
    share = level if release == R1 else LEVEL[release]
    return LoopHour(
        f"{moment:%Y-%m-%d}", moment.hour, float(actual), actual * (share + noise), release, actual * (level + noise)
    )  # fmt: skip


def _answering(moment: datetime) -> str:
    """A canary answers every other hour."""
    for trial in TRIALS:
        if trial.first <= moment < trial.last and moment.hour % 2:
            return trial.release
    return champion_at(moment)


def _scores(chance: Random) -> Iterator[LoopScore]:
    for day in range(366):
        moment = FIRST + day * DAY
        release = champion_at(moment)
        age = day if release == R1 else max(0, day - 150) * (release == R4)
        yield _score(CONCEPT, moment, release, min(1.5, age / 12 * (1.0 if release == R1 else 0.16)))
        if day % 7 == 6:
            yield _score(WEATHER, moment, release, 1.18 if day == 167 else chance.uniform(0.3, 0.85))


def _score(detector: str, moment: datetime, release: str, score: float) -> LoopScore:
    day, drifts = f"{moment:%Y-%m-%d}", score > 1
    run, outcome = ("", RECORDED) if not drifts or detector == WEATHER else _asked_by_drift(moment)
    needed = "1 of the last 3 windows drift, and 2 are needed"
    reason = QUIET if not drifts else needed if detector == WEATHER else LABELS_SAY
    return LoopScore(f"e-{detector}-{day}", detector, day, release, score, 1.0, drifts, outcome, reason, run)


def _asked_by_drift(moment: datetime) -> tuple[str, str]:
    """The run that a day of concept drift asks for or joins, in the order of the year."""
    for until, run, first in (
        (datetime(2012, 1, 31), "q-ae782879b726", datetime(2012, 1, 14)),
        (datetime(2012, 2, 2), "q-05459cfeff58", datetime(2012, 1, 31)),
        (datetime(2012, 2, 17), "q-6387916794c9", datetime(2012, 2, 2)),
        (datetime(2012, 9, 1), "q-b7d1f03c66a5", datetime(2012, 8, 14)),
        (datetime(2012, 9, 16), "q-19ac55e08d47", datetime(2012, 9, 1)),
    ):
        if moment < until:
            return run, ASKS if moment <= first else JOINS
    return "", RECORDED


def _events() -> Iterator[LoopEvent]:
    for score in _scores(Random(2)):
        if score.run:
            decided = f"{datetime.fromisoformat(score.day) + DAY:%Y-%m-%dT%H:%M}"
            said = f"Concept drift of pedalflow on {score.day}: score {score.score:.2f}, limit 1"
            yield LoopEvent(
                score.event, CONCEPT, "cloudevents", "pedalflow/concept-drift", said,
                decided, decided, score.outcome, score.reason, score.run, 1,
            )  # fmt: skip
    for month, at, run, outcome in UPLOADS:
        where = f"bikeshare-hours/2012-{month}/"
        said = f"A batch of data was uploaded to s3://{where} (the marker _SUCCESS is there)"
        reason = "a batch of data was uploaded; cools down for 75 days"
        yield LoopEvent(f"e-upload-{month}", "storage", "s3", where, said, at, at, outcome, reason, run, 1)
    yield LoopEvent(
        "e-378d2f9cc678efd5", "code", "github", "pedalflow/loop@main", "1 commit changed code in 1 file: params.yaml",
        "", "2012-03-20T00:00", ASKS, "new code makes another model; more of the same is waited for, 30 s",
        "q-820af584fdfe", 2,
    )  # fmt: skip
    yield LoopEvent(
        "e-147f2805cc5bfae7", "outliers", "cloudevents", "pedalflow/outliers", "1 of 1 rows of a request were flagged as outliers",
        "", "2012-06-24T00:00", RECORDED, "people and other rules look at it; by itself it is no reason to retrain", "", 1,
    )  # fmt: skip


UPLOADS = (
    ("01-broken", "2012-02-01T00:00", "q-ae782879b726", JOINS),
    ("01", "2012-02-03T00:00", "q-05459cfeff58", JOINS),
    ("02", "2012-03-01T00:00", "q-5c0e9f7d2b18", ASKS),
    ("03", "2012-04-01T00:00", "q-5c0e9f7d2b18", JOINS),
    ("04", "2012-05-01T00:00", "q-f3a8461e9d70", ASKS),
    ("05", "2012-06-01T00:00", "q-f3a8461e9d70", JOINS),
    ("06", "2012-07-01T00:00", "q-f3a8461e9d70", JOINS),
    ("07", "2012-08-01T00:00", "q-b7d1f03c66a5", ASKS),
    ("08", "2012-09-01T00:00", "q-b7d1f03c66a5", JOINS),
    ("09", "2012-10-01T00:00", "q-2e60d8b14c39", ASKS),
    ("10", "2012-11-01T00:00", "q-2e60d8b14c39", JOINS),
    ("11", "2012-12-01T00:00", "q-8b05c7ea6f21", ASKS),
)


def _runs() -> Iterator[LoopRun]:
    no_worse = (
        "the canary is no worse: WAPE {} on 75 requested rows, the champion's {} on 73 of the same time"
    )
    refused = "nothing was trained: hours.csv was refused (temp_in_fahrenheit), and the champion has seen all other data"
    yield _run(
        "q-ae782879b726", "01-14", "02-01T01", "02-02T03", TAKE_IN, "data refused", "", refused, BAD_BATCH
    )
    yield _run(
        "q-05459cfeff58",
        "01-31",
        "02-03T03",
        "02-16T17",
        TAKE_IN,
        "promoted",
        R2,
        no_worse.format("21.3%", "50.8%"),
    )
    yield _run("q-6387916794c9", "02-03", "", "02-16T17", RETRAIN, "", "", f"{R1} no longer serves")
    yield _run(
        "q-820af584fdfe",
        "03-20",
        "03-20T02",
        "03-24T02",
        REBUILD,
        "refused",
        UNTRAINED,
        REFUSED,
        BAD_PARAMETERS,
    )
    yield _run(
        "q-5c0e9f7d2b18",
        "03-01",
        "04-18T04",
        "04-29T11",
        TAKE_IN,
        "promoted",
        R4,
        no_worse.format("16.9%", "19.4%"),
    )
    worse = (
        "the canary is worse: WAPE 24.6% on 80 requested rows, the champion's 15.2% on 78 of the same time"
    )
    yield _run("q-f3a8461e9d70", "05-01", "07-03T00", "07-17T05", TAKE_IN, "rolled back", LATE, worse)
    yield _run(
        "q-b7d1f03c66a5",
        "08-01",
        "09-02T05",
        "09-14T20",
        TAKE_IN,
        "promoted",
        R6,
        no_worse.format("14.8%", "16.0%"),
    )
    yield _run("q-19ac55e08d47", "09-02", "", "09-14T20", RETRAIN, "", "", f"{R4} no longer serves")
    yield _run(
        "q-2e60d8b14c39",
        "10-01",
        "11-18T02",
        "12-01T08",
        TAKE_IN,
        "promoted",
        R7,
        no_worse.format("14.1%", "14.6%"),
    )
    yield _run("q-8b05c7ea6f21", "12-01", "", "", TAKE_IN, "", "", "it cools down until 2013-02-01")


REFUSED = (
    f"release {UNTRAINED} was refused: absolute error [overall] is 1.019, the limit is 0.4 (MAE ÷ mean demand, at most 0.4) "
    "and 24 more; the champion stays what it was"
)


def _run(
    id: str, asked: str, started: str, ended: str, action: str, outcome: str, release: str, note: str, staged: str = ""
) -> LoopRun:  # fmt: skip
    until = SPANS.get(release)
    return LoopRun(
        id=id,
        asked=f"2012-{asked}T00:00",
        started=started and f"2012-{started}:00",
        ended=ended and f"2012-{ended}:00",
        action=action,
        outcome=outcome,
        release=release,
        note=note,
        events=tuple(event.id for event in _events() if event.run == id),
        pipeline_run=_pipeline_run(release) if until else "",
        until_span=until,
        taken_in="hours.csv" if until and action == TAKE_IN else "",
        refused_files="hours.csv was refused: row 2, column temp, value '48.1': rule temp_in_fahrenheit" if staged == BAD_BATCH else "",
        candidate_rmse=(180.7 if staged else 44.1) if until else None,
        champion_rmse=61.8 if until else None,
        wall_s=26.4 if started else None,
        staged=staged,
    )  # fmt: skip


def _pipeline_run(release: str) -> str:
    return f"span-{SPANS[release]:02d}-{release[2:12]}"


def _release(name: str, hours: tuple[LoopHour, ...]) -> LoopRelease:
    own = [hour for hour in hours if hour.release == name]
    made = name in SPANS
    promoted = name == R1 or any(trial.release == name and trial.promoted for trial in TRIALS)
    return LoopRelease(
        name=name,
        pipeline_run=_pipeline_run(name) if made else "",
        outcome="promoted" if promoted else "refused" if name == UNTRAINED else "challenger" if made else "",
        spans=tuple(_spans(SPANS.get(name, 0))),
        commit=COMMIT if made else "",
        dirty=False,
        served_from=f"{own[0].dteday}T{own[0].hr:02d}:00" if own else "",
        hours=len(own),
        rmse=rmse([hour.prediction - hour.actual for hour in own]) if own else None,
        staged=BAD_RELEASE if name == BAD else "",
    )


def _spans(until: int) -> Iterator[SpanUsed]:
    for number in range(1, until + 1):
        digest = f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC834:032x}"[-32:]
        first = "2011-01-01" if number == 1 else f"2012-{number - 1:02d}-01"
        last = "2011-12-31" if number == 1 else f"{datetime(2012, number, 1) - DAY:%Y-%m-%d}"
        yield SpanUsed(number, 8645 if number == 1 else 744, first, last, digest)


def _rollouts() -> Iterator[LoopRollout]:
    began = {run.release: (run.started, run.ended, run.note) for run in _runs() if run.release}
    began[BAD] = ("2012-03-05T00:00", "", CLEARLY_WORSE)
    for trial in TRIALS:
        at, ended, said = began[trial.release]
        champion = champion_at(trial.first)
        yield LoopRollout(
            release=trial.release,
            began=at,
            ended=ended,
            percent=50,
            outcome="promoted" if trial.promoted else "rolled back",
            reason=said,
            champion=LiveError(champion, 73, *_live(LEVEL[champion])),
            canary=LiveError(trial.release, 75, *_live(LEVEL[trial.release])),
            staged=BAD_RELEASE if trial.release == BAD else "",
        )


def _live(level: float) -> tuple[float, float]:
    """RMSE and WAPE of a release on live requests, about."""
    return 30 + 180 * abs(level - 1), 0.14 + abs(level - 1)


CLEARLY_WORSE = "the canary is clearly worse: WAPE 208.1% on 46 requested rows, the champion's 16.5% on 28 of the same time"


def _staged() -> tuple[StagedFault, ...]:
    refused = next(run.note for run in _runs() if run.staged == BAD_BATCH)
    parts = (
        (BAD_BATCH, "02-01", "a batch with a temperature in °F and rows that are there twice", "the door for new data", refused, R1),
        (BAD_RELEASE, "03-05", "a whole release that answers three times what it should", "the canary", CLEARLY_WORSE, R2),
        (BAD_PARAMETERS, "03-20", "parameters with which the network learns nothing", "the acceptance gate", REFUSED, R2),
    )  # fmt: skip
    return tuple(
        StagedFault(name, f"2012-{at}T00:00", what, True, by, said, champion, champion)
        for name, at, what, by, said, champion in parts
    )
