"""Plays the loop: the first model, the processes, the year, and the record of it all; an interrupted loop goes on where it was."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from pedalflow.command import runtimes
from pedalflow.errors import ServingFailed
from pedalflow.loop_record import LOOP, LoopRecord, to_json
from pedalflow.progress import Progress
from pedalflow.use_case import UseCase
from pedalflow.whole_files import write_whole
from pedalflow.workspace import Workspace
from pipelines.loop.client import Client
from pipelines.loop.happenings import Happenings
from pipelines.loop.hours import Hour, read_hours, span_content, span_dates
from pipelines.loop.journal import Journal
from pipelines.loop.processes import SERVING, Places, started
from pipelines.loop.record import loop_record, predictions_of
from pipelines.loop.replay import Replay, ReplayParts
from pipelines.loop.said import keep_said
from pipelines.loop.service import Service
from pipelines.loop.staging import Staging, champion, restore_parameters
from pipelines.loop.story import FULL, QUICK, Story, moments

FOLDER = "loop"
BUCKET = "hours"
STARTING, FINISHING = "starting the processes", "what the first model alone would have said"


def journal_of(workspace: Workspace, *, quick: bool) -> Journal:
    """What was done before in this workspace."""
    return Journal(workspace.state / FOLDER, quick=quick)


def places_of(workspace: Workspace, case: UseCase, port: int) -> Places:
    """Where this loop keeps things and listens."""
    folder = workspace.state / FOLDER
    return Places(workspace, folder, folder / "bucket" / f"{case.name}-{BUCKET}", port)


def story_of(journal: Journal) -> Story:
    """The plan."""
    return QUICK if journal.at.quick else FULL


def play_year(
    places: Places, case: UseCase, journal: Journal, wished: float | None, progress: Progress
) -> LoopRecord:
    """Replay what is left of the year with everything running, and write the record; the first champion serves already."""
    restore_parameters(places)
    story = story_of(journal)
    if not journal.at.first_release:
        journal.note(first_release=champion(places.workspace))
    contents = [span_content(case, span) for span in _spans(story)]
    hours = [hour for content in contents for hour in read_hours(case, content)]
    if not journal.at.over:
        _replay(places, case, story, hours, journal, wished, progress)
    with journal.phase(FINISHING), progress.step(FINISHING):
        without = _without(places, journal.at.first_release, contents)
    record = loop_record(places.workspace, places.folder, journal.at, journal.hours(), without)
    write_whole(places.workspace.state / LOOP, to_json(record))
    return record


def _spans(story: Story) -> range:
    return range(story.first_span, story.last_span + 1)


def _replay(
    places: Places,
    case: UseCase,
    story: Story,
    hours: Sequence[Hour],
    journal: Journal,
    wished: float | None,
    progress: Progress,
) -> None:
    """Start everything, replay, keep what the service said, and stop everything."""
    with ExitStack() as held:
        with journal.phase(STARTING), progress.step(STARTING):
            running = held.enter_context(started(places, story))
        progress.say(
            f"The page of the triggers is {running.triggers}/ and the model answers at {running.model}"
        )
        service = Service(running.triggers)
        client, labels = (held.enter_context(closing(Client(running.model))) for _ in range(2))
        happenings = Happenings(service, journal, progress.say)
        happenings.catch_up(hours[max(0, journal.at.answered - 1)].at)
        staging = Staging(places, case, story, running.doors, happenings, journal)
        held.enter_context(closing(staging))
        plan = moments(story, span_dates(case, _spans(story)))
        parts = ReplayParts(journal, client, labels, happenings, staging, running.events, places.traffic)
        Replay(story, hours, plan, parts, wished, progress.say).run()
        keep_said(places.folder, service.events(), service.runs())
        journal.note(over=True)


def _without(places: Places, release: str, contents: Sequence[bytes]) -> list[float]:
    """What one release says of all hours. Raises ServingFailed."""
    year, predicted = places.folder / "year.csv", places.folder / "without.csv"
    if predicted.exists():
        return predictions_of(predicted)
    _write_year(year, contents)
    command = [
        *(str(runtimes.python_of(SERVING)), "-m", "serving.predict_command"),
        *("--workspace", str(places.workspace.root), "--input", str(year), "--output", str(predicted)),
        *("--release", str(places.workspace.releases / release)),
    ]
    done = subprocess.run(
        command,
        env=runtimes.surroundings(os.environ, verbose=False),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ServingFailed(f"the first release cannot predict the year: {done.stderr.strip()}")
    return predictions_of(predicted)


def _write_year(file: Path, contents: Sequence[bytes]) -> None:
    """The spans below one header."""
    header = contents[0].partition(b"\n")[0]
    file.write_bytes(
        b"\n".join([header, *(content.partition(b"\n")[2].strip() for content in contents), b""])
    )
