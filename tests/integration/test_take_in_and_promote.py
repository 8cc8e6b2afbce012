"""What a retraining does that somebody else rolls out: files arrive first, a challenger waits, and it is promoted later."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bikeshare.archive import ARCHIVE, cut_span
from pedalflow.champion import read_pointer
from pedalflow.workspace import Workspace
from tests.samples.project_copy import Done, Project, aliases, records, small_workspace

DATA_REFUSED = 3


@dataclass(frozen=True)
class Story:
    """A training with files, the same again, the promotion of what it made, and the same training once more."""

    workspace: Workspace
    trained: dict[str, Any]
    again: dict[str, Any]
    aliases_before: dict[str, str]
    promoted: Done
    after: dict[str, Any]


@pytest.fixture(scope="module")
def story(project: Project, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    workspace = small_workspace(tmp_path_factory.mktemp("take-in") / "workspace", data)
    known, new, bad = (workspace.root / f"{name}.csv" for name in ("known", "new", "bad"))
    known.write_bytes(cut_span(ARCHIVE, 2))
    new.write_bytes(cut_span(ARCHIVE, 3))
    bad.write_bytes(b"dteday,hr\n")
    files = [text for file in (bad, known, new) for text in ("--take-in", str(file))]

    def train(*flags: str) -> dict[str, Any]:
        place = ("--workspace", str(workspace.root), "--json", "--no-promote")
        done = project.run("pipelines.train_command", *place, *flags)
        assert done.code == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    trained, again = train(*files), train(*files)
    before = aliases(workspace)
    promoted = project.run(
        "pipelines.promote_command", "--workspace", str(workspace.root), "--json", trained["release_id"]
    )
    return Story(workspace, trained, again, before, promoted, train())


def test_files_are_taken_in_or_named_and_the_run_is_on_all_that_is_there(story: Story) -> None:
    assert story.trained["taken_in"] == [{"file": "new.csv", "span": 3}]
    assert story.trained["already_there"] == [{"file": "known.csv"}]
    (refused,) = story.trained["refused_files"]
    assert (refused["file"], refused["rule"]) == ("bad.csv", "column_missing")
    assert story.trained["until_span"] == 3


def test_a_challenger_stays_one_however_often_it_is_asked_until_it_is_promoted(story: Story) -> None:
    assert (story.trained["outcome"], story.again["outcome"]) == ("challenger", "challenger")
    assert story.again["release_id"] == story.trained["release_id"]
    assert story.again["already_there"] == [{"file": "known.csv"}, {"file": "new.csv"}]
    assert story.aliases_before == {"challenger": "1"}
    assert story.after["outcome"] == "unchanged"


def test_the_promotion_makes_it_champion_everywhere(story: Story) -> None:
    assert story.promoted.code == 0, story.promoted.stderr
    said = json.loads(story.promoted.stdout)
    assert said == {"release": story.trained["release_id"], "version": "1", "before": None}
    assert aliases(story.workspace) == {"champion": "1"}
    assert read_pointer(story.workspace.champion).release == said["release"]
    assert [record.outcome for record in records(story.workspace)] == ["promoted"]


def test_where_nothing_is_new_and_files_are_refused_nothing_is_trained(
    story: Story, project: Project
) -> None:
    bad = story.workspace.root / "bad.csv"
    done = project.run(
        "pipelines.train_command",
        *("--workspace", str(story.workspace.root), "--json", "--no-promote", "--take-in", str(bad)),
    )
    assert done.code == DATA_REFUSED
    assert "nothing was trained: bad.csv was refused (column_missing)" in done.stderr
    assert json.loads(done.stdout)["outcome"] == "data refused"
    assert "starting TFX" not in done.stderr
