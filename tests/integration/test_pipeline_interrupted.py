"""Ctrl-C and kill -9 in the middle of Trainer and registrar: nothing half-registered serves, and a re-run takes up the work."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient

from pedalflow.release import open_release
from pedalflow.workspace import Workspace
from tests.samples.project_copy import (
    MODEL_NAME,
    Done,
    Project,
    aliases,
    environment,
    said,
    small_workspace,
    versions,
)

RELEASE_TAG = "pedalflow.release"
KILLED, INTERRUPTED = -signal.SIGKILL, 130
EARLIER = {"SpanExampleGen", "StatisticsGen", "ExampleValidator", "Transform"}


@dataclass(frozen=True)
class Stop:
    """A run that was stopped, and what MLflow held right after it."""

    done: Done
    versions: tuple[dict[str, str], ...]
    aliases: dict[str, str]


@dataclass(frozen=True)
class Story:
    """Runs of one workspace, each stopped at a later place, and the one that ended."""

    workspace: Workspace
    stops: dict[str, Stop]
    last: Done


@pytest.fixture(scope="module")
def story(project: Project, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    workspace = small_workspace(tmp_path_factory.mktemp("stopped") / "workspace", data)
    stops = {"Ctrl-C in Trainer": _seen(workspace, _interrupted_from_outside(project, workspace, "Trainer"))}
    for place, name in (
        ("trainer", "SIGKILL"),
        ("upload", "SIGINT"),
        ("upload", "SIGKILL"),
        ("registrar", "SIGINT"),
        ("registrar", "SIGKILL"),
        ("alias", "SIGKILL"),
    ):
        done = _stopped_from_inside(project, workspace, place, name)
        stops[f"{name} in {place}"] = _seen(workspace, done)
    return Story(workspace, stops, project.train(workspace, 1, "--json"))


def test_ctrl_c_ends_with_130_and_one_sentence(story: Story, project: Project) -> None:
    for name in ("Ctrl-C in Trainer", "SIGINT in upload", "SIGINT in registrar"):
        done = story.stops[name].done
        assert done.code == INTERRUPTED, (name, done.stderr)
        assert "pedalflow: stopped by Ctrl-C" in done.stderr
        assert "the same command takes up where this one ended" in done.stderr
        assert str(project.root) not in done.stderr, name  # no traceback through our code


def test_kill_ends_the_process_where_it_stands(story: Story) -> None:
    for name, stop in story.stops.items():
        if name.startswith("SIGKILL"):
            assert stop.done.code == KILLED, (name, stop.done.stderr)


def test_run_that_is_stopped_before_its_version_is_made_leaves_none(story: Story) -> None:
    for name, stop in story.stops.items():
        if not name.endswith("alias"):
            assert (stop.versions, stop.aliases) == ((), {}), name


def test_version_without_an_alias_is_whole_and_does_not_serve(story: Story) -> None:
    stop = story.stops["SIGKILL in alias"]
    (tags,) = stop.versions
    assert tags[RELEASE_TAG] == said(story.last).release_id
    assert stop.aliases == {}


def test_next_run_ends_promoted_with_one_version(story: Story) -> None:
    assert story.last.code == 0, story.last.stderr
    record = said(story.last)
    assert record.outcome == "promoted"
    (version,) = versions(story.workspace)
    assert version.tags[RELEASE_TAG] == record.release_id
    assert aliases(story.workspace) == {"champion": str(version.version)}
    assert MlflowClient(story.workspace.mlflow_uri).get_run(version.run_id).info.lifecycle_stage == "active"
    open_release(story.workspace.releases / str(record.release_id))


def test_stopped_runs_resume_from_cache(story: Story) -> None:
    cached = {timing.node for timing in said(story.last).timings if timing.cached}
    assert cached >= EARLIER | {"Trainer", "Evaluator", "AcceptanceGate", "ReleaseBuilder"}


def test_no_run_of_mlflow_stays_at_work_for_ever(story: Story) -> None:
    client = MlflowClient(story.workspace.mlflow_uri)
    experiment = client.get_experiment_by_name(MODEL_NAME)
    assert client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'") == []


def _seen(workspace: Workspace, done: Done) -> Stop:
    found = versions(workspace)
    return Stop(done, tuple(dict(version.tags) for version in found), aliases(workspace) if found else {})


def _stopped_from_inside(project: Project, workspace: Workspace, place: str, name: str) -> Done:
    arguments = ("--workspace", str(workspace.root), "--until-span", "1")
    return project.run("tests.samples.stopped_train", place, name, *arguments)


def _interrupted_from_outside(project: Project, workspace: Workspace, node: str) -> Done:
    """Ctrl-C at a terminal: SIGINT to the whole process group, as soon as progress names `node`."""
    log = workspace.root.parent / "stderr"
    command = project.command(
        "pipelines.train_command", "--workspace", str(workspace.root), "--until-span", "1"
    )
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=project.root,
            env=environment(),
            stderr=stream,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 600
        while f"{node} …" not in log.read_text(encoding="utf-8"):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        time.sleep(0.5)  # into the node's work
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait(300)
    return Done(code, "", log.read_text(encoding="utf-8"))
