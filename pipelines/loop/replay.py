"""Replays the year hour by hour: asks for each hour, sends labels back a day later, and lets happen what is due meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

from pedalflow.errors import ServingFailed
from pipelines.loop.client import Answer, Client
from pipelines.loop.happenings import Happenings
from pipelines.loop.hours import LABEL_DELAY, Hour
from pipelines.loop.journal import Journal, line
from pipelines.loop.service import canary_percent, labelled_rows
from pipelines.loop.staging import Staging
from pipelines.loop.story import Doing, Moment, Story, due, speed

TRIES, TRY_AGAIN_S = 10, 0.5
MOST_BEHIND = 72  # labels that the detectors may be behind, before the replay waits for them
WAITS_S, LOOK_EVERY_S = 60.0, 0.05
DAY = 24
ENDS_WITHIN_S = 240.0


@dataclass(frozen=True)
class ReplayParts:
    """What a replay works with.

    `client` asks and `labels` sends labels, each over a connection of its own; `events` is the address of the detectors' figures, `traffic`
    the file with the canary's share.
    """

    journal: Journal
    client: Client
    labels: Client
    happenings: Happenings
    staging: Staging
    events: str
    traffic: Path


class Replay:
    """One replay, from the journal's position to the end of the story.

    Args:
        hours: all hours of the story, in order.
        plan: its moments.
        wished: simulated hours a second at most; None: as fast as it goes.
        say: shows a line.
    """

    def __init__(
        self,
        story: Story,
        hours: Sequence[Hour],
        plan: tuple[Moment, ...],
        parts: ReplayParts,
        wished: float | None,
        say: Callable[[str], None],
    ) -> None:
        self._story = story
        self._hours = hours
        self._plan = plan
        self._journal = parts.journal
        self._client, self._labels = parts.client, parts.labels
        self._happenings = parts.happenings
        self._staging = parts.staging
        self._events = parts.events
        self._wished = wished
        self._say = say
        self._traffic = parts.traffic
        self._doing, self._doing_since = Doing.IDLE, datetime.min
        self._spent: dict[str, float] = {}
        self._counted = (0, 0)
        self._answered_so_far = parts.journal.at.answered
        self._labelled_before = labelled_rows(parts.events) - parts.journal.at.labelled

    def run(self) -> None:
        """Replay what is left. Raises ServingFailed where the model does not answer."""
        with self._journal.writing() as file:
            try:
                with ThreadPoolExecutor(1) as beside:
                    self._hours_left(file, beside)
            finally:
                self._keep()
        self._end()

    def _hours_left(self, file: TextIO, beside: ThreadPoolExecutor) -> None:
        for index in range(self._journal.at.answered, len(self._hours)):
            self._hour(index, file, beside)
            self._answered_so_far = index + 1
            if self._hours[index].at.hour == DAY - 1:
                self._keep()
                self._wait_for_detectors()

    def _hour(self, index: int, file: TextIO, beside: ThreadPoolExecutor) -> None:
        """Ask for an hour, and meanwhile send the label of the one a day before."""
        begun, hour = time.monotonic(), self._hours[index]
        self._outside(hour.at)
        labels = beside.submit(self._labels_until, hour.at - LABEL_DELAY)
        answer = self._answered(hour)
        labels.result()
        file.write(line(hour, answer.prediction, answer.release))
        doing = self._doing
        self._pace(begun, hour.at)
        self._spent[doing.value] = self._spent.get(doing.value, 0.0) + time.monotonic() - begun

    def _pace(self, begun: float, now: datetime) -> None:
        """Go no faster than the story wants; stand still where a training takes too many of its days."""
        while (rate := self._rate(now)) == 0.0:
            time.sleep(LOOK_EVERY_S)
            self._look(now)
        time.sleep(max(0.0, begun + 1 / rate - time.monotonic()))

    def _rate(self, now: datetime) -> float:
        return speed(self._story, self._wished, self._doing, (now - self._doing_since) / timedelta(days=1))

    def _look(self, now: datetime) -> None:
        """See what the service made of what was, and what goes on now."""
        self._happenings.look(now)
        self._tell_what_is_over(now)
        doing = self._what_goes_on()
        if doing is not self._doing:
            self._doing, self._doing_since = doing, now

    def _tell_what_is_over(self, now: datetime) -> None:
        for said in self._staging.look():
            self._say(f"{now:%Y-%m-%d}  {said}")

    def _what_goes_on(self) -> Doing:
        """A rollout counts as one while its canary answers; before and after that it needs no requests."""
        if not (self._happenings.at_work or self._staging.rolls_out):
            return Doing.IDLE
        return Doing.ROLLOUT if canary_percent(self._traffic) > 0 else Doing.TRAINING

    def _outside(self, now: datetime) -> None:
        """Let what is due happen, and see what the service made of what was."""
        self._look(now)
        calm = not (self._happenings.at_work or self._staging.busy)
        moment = due(self._plan, self._staging.began, now, calm=calm)
        if moment is not None:
            said = self._staging.act(moment, now)
            if said:
                self._say(f"{now:%Y-%m-%d}  {moment.act.value:14} {said}")

    def _answered(self, hour: Hour) -> Answer:
        for _ in range(TRIES):
            answer = self._client.predict(hour.request_id, hour.record)
            if answer is not None:
                return answer
            time.sleep(TRY_AGAIN_S)
        raise ServingFailed(
            f"the model did not answer the hour {hour.at:%Y-%m-%d %H}:00 {TRIES} times; the logs are in state/serving/logs"
        )

    def _labels_until(self, last: datetime) -> None:
        """Send the labels of the answered hours up to `last`."""
        index = self._journal.at.labelled
        while index < len(self._hours) and self._hours[index].at <= last:
            self._labels.feedback(self._hours[index].request_id, self._hours[index].label)
            index += 1
        self._journal.labelled(index)

    def _keep(self) -> None:
        """Write down how far it has come, and what was counted since the last time."""
        at = self._journal.at
        requests = self._client.requests + self._labels.requests
        failed = self._client.failed + self._labels.failed
        before_requests, before_failed = self._counted
        self._counted = (requests, failed)
        phases = {**at.phases}
        for name, spent in self._spent.items():
            phases[name] = round(phases.get(name, 0.0) + spent, 3)
        self._spent = {}
        self._journal.note(
            answered=self._answered_so_far,
            requests=at.requests + requests - before_requests,
            failed=at.failed + failed - before_failed,
            phases=phases,
        )

    def _wait_for_detectors(self) -> None:
        """The detectors take events from a queue: let them come so near that their verdicts belong to this time of the story."""
        wanted = self._labelled_before + self._journal.at.labelled - MOST_BEHIND
        deadline = time.monotonic() + WAITS_S
        while (rows := labelled_rows(self._events)) < wanted:
            if time.monotonic() > deadline:  # some were lost, and will not come
                self._labelled_before -= wanted - rows
                return
            time.sleep(LOOK_EVERY_S)

    def _end(self) -> None:
        """Send the last labels, and wait for the runs at work."""
        now = self._hours[-1].at + LABEL_DELAY + timedelta(hours=1)
        self._labels_until(now)
        self._keep()
        self._wait_for_detectors()
        deadline = time.monotonic() + ENDS_WITHIN_S
        self._happenings.look(now, at_once=True)
        while self._happenings.at_work or self._staging.busy:
            if time.monotonic() > deadline:
                self._say(f"a run is still at work after {ENDS_WITHIN_S:.0f} s; the story ends without it")
                return
            time.sleep(TRY_AGAIN_S)
            self._happenings.look(now, at_once=True)
            self._tell_what_is_over(now)
