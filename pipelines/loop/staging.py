"""Stages the faults of the story, and what else comes from outside: uploads, a push, a release rolled out by hand, the pause at the end."""

from __future__ import annotations

import json
import subprocess
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pedalflow.champion import read_pointer
from pedalflow.columns import Kind
from pedalflow.command import runtimes
from pedalflow.use_case import UseCase
from pedalflow.workspace import Workspace
from pipelines import provenance
from pipelines.loop.door import Doors, notify_push, notify_upload, pause, push, put_in_bucket
from pipelines.loop.happenings import Happenings
from pipelines.loop.hours import span_content, span_dates
from pipelines.loop.journal import Journal, Staged
from pipelines.loop.processes import SERVING, Places, alongside
from pipelines.loop.story import Act, Moment, Story
from pipelines.staged import bad_batch, bad_parameters, bad_release

KEPT_PARAMETERS = "params.before.yaml"
ROLLOUT = "rollout-by-hand"
NO_COMMIT = "0" * 40


@dataclass(frozen=True)
class _Pending:
    """A staged fault that is not over. It is known by an event, or it is the rollout at work."""

    moment: Moment
    at: str
    known_by: str
    champion_before: str
    rollout: subprocess.Popen[bytes] | None = None


class Staging:
    """Carries out the moments of a story. A fault is done when whoever had to catch it has; until then it is staged anew on resuming."""

    def __init__(
        self,
        places: Places,
        case: UseCase,
        story: Story,
        doors: Doors,
        happenings: Happenings,
        journal: Journal,
    ) -> None:
        self._places = places
        self._case = case
        self._story = story
        self._doors = doors
        self._happenings = happenings
        self._journal = journal
        self._pending: list[_Pending] = []
        self._held = ExitStack()

    @property
    def busy(self) -> bool:
        """Whether a fault is staged and not over."""
        return bool(self._pending)

    @property
    def rolls_out(self) -> bool:
        """Whether somebody's rollout by hand is at work."""
        return any(pending.rollout is not None for pending in self._pending)

    @property
    def began(self) -> frozenset[str]:
        """The moments that have been, or have begun."""
        return frozenset((*self._journal.at.done, *(pending.moment.name for pending in self._pending)))

    def act(self, moment: Moment, now: datetime) -> str:
        """Let the moment happen; what to say of it (empty: the service will say it)."""
        return {
            Act.UPLOAD: self._upload,
            Act.BAD_BATCH: self._bad_batch,
            Act.BAD_PARAMETERS: self._bad_parameters,
            Act.BAD_RELEASE: self._bad_release,
            Act.PAUSE: self._pause,
        }[moment.act](moment, now)

    def look(self) -> list[str]:
        """End the faults whose time is over; what to say of those that nobody else tells of."""
        return [self._end(pending) for pending in list(self._pending) if self._is_over(pending)]

    def close(self) -> None:
        """Stop what is at work, and put back what was changed."""
        self._held.close()
        restore_parameters(self._places)

    def _end(self, pending: _Pending) -> str:
        self._pending.remove(pending)
        serves = champion(self._places.workspace)
        if pending.moment.act is Act.BAD_PARAMETERS:
            restore_parameters(self._places)
        if pending.rollout is not None:
            self._held.close()
        self._done(pending.moment, Staged(pending.at, pending.known_by, pending.champion_before, serves))
        came_to = (
            "" if pending.rollout is None else f" {pending.known_by} is {rollout_by_hand(self._places)};"
        )
        return f"{'staged':14} the {pending.moment.act.value} is over:{came_to} {serves} serves"

    def _done(self, moment: Moment, staged: Staged | None = None) -> None:
        at = self._journal.at
        faults = at.staged if staged is None else {**at.staged, moment.act.value: staged}
        self._journal.note(done=(*at.done, moment.name), staged=faults)

    def _is_over(self, pending: _Pending) -> bool:
        if pending.rollout is not None:
            return pending.rollout.poll() is not None
        return self._happenings.is_over(pending.known_by)

    def _stage(self, moment: Moment, now: datetime, known_by: str) -> None:
        serves = champion(self._places.workspace)
        self._pending.append(_Pending(moment, f"{now:%Y-%m-%dT%H:%M}", known_by, serves))

    def _upload(self, moment: Moment, now: datetime) -> str:
        content = span_content(self._case, moment.span)
        self._notified(self._folder(moment), content, now)
        self._done(moment)
        return ""

    def _pause(self, moment: Moment, now: datetime) -> str:
        pause(self._doors.person, "a release could not be tried before the year is over")
        self._done(moment)
        return ""

    def _bad_batch(self, moment: Moment, now: datetime) -> str:
        sensor = next(column.name for column in self._case.features if column.kind is Kind.NUMBER)
        content = bad_batch(span_content(self._case, moment.span), sensor)
        self._stage(moment, now, self._notified(f"{self._folder(moment)}-broken", content, now))
        return f"staged on purpose: a batch with {sensor} in °F and rows that are there twice"

    def _notified(self, folder: str, content: bytes, now: datetime) -> str:
        put_in_bucket(self._places.bucket, folder, content)
        return notify_upload(self._doors.s3, self._places.bucket.name, folder, now)

    def _folder(self, moment: Moment) -> str:
        first, _ = span_dates(self._case, range(moment.span, moment.span + 1))[moment.span]
        return f"{first:%Y-%m}"

    def _bad_parameters(self, moment: Moment, now: datetime) -> str:
        params = self._places.workspace.params
        text = params.read_text(encoding="utf-8")
        (self._places.folder / KEPT_PARAMETERS).write_text(text, encoding="utf-8")
        params.write_text(bad_parameters(text), encoding="utf-8")
        commit, _ = provenance.commit(())
        content = push(
            commit if commit != provenance.UNKNOWN else NO_COMMIT,
            "Try a much smaller learning rate",
            [params.name],
        )
        self._stage(moment, now, notify_push(self._doors.github, content, str(uuid.uuid4())))
        return "staged on purpose: a push of parameters with which the network learns nothing"

    def _bad_release(self, moment: Moment, now: datetime) -> str:
        workspace = self._places.workspace
        serves = read_pointer(workspace.champion)
        folder = bad_release(serves.folder, self._places.folder / "staged")
        command = [
            *(str(runtimes.python_of(SERVING)), "-m", "serving.rollout_command"),
            *("--workspace", str(workspace.root), "--json", str(folder)),
            *("--percent", str(self._story.bad_percent)),
            *("--patience-s", str(self._story.rollout_patience_s)),
        ]
        rollout = self._held.enter_context(alongside(self._places, ROLLOUT, command))
        at = f"{now:%Y-%m-%dT%H:%M}"
        self._pending.append(_Pending(moment, at, folder.name, serves.release, rollout))
        return (
            f"staged on purpose: somebody rolls out {folder.name}, which answers three times what it should"
        )


def champion(workspace: Workspace) -> str:
    """The release that serves."""
    return read_pointer(workspace.champion).release


def restore_parameters(places: Places) -> None:
    """Put the workspace's parameters back, where they were changed on purpose."""
    kept: Path = places.folder / KEPT_PARAMETERS
    if kept.exists():
        kept.replace(places.workspace.params)


def rollout_by_hand(places: Places) -> str:
    """What the rollout by hand came to, in its own words; empty where it said nothing."""
    try:
        record = json.loads((places.logs / f"{ROLLOUT}.out").read_text(encoding="utf-8"))
        return f"{record['outcome']}: {record['reason']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
