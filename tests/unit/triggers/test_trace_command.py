"""`pedalflow trace`: what it prints, what it exits with, and that it changes nothing."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from pedalflow.command.outermost import outermost
from pedalflow.workspace import Workspace
from tests.samples.triggers_story import (
    FIRST,
    SECOND,
    Names,
    write_events,
    write_log,
    write_records,
    write_story,
)
from triggers import trace_command
from triggers.store.store import Store


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def run(workspace: Workspace, *arguments: str) -> int:
    return outermost(trace_command.main, ["--workspace", str(workspace.root), *arguments])


def test_the_text_begins_with_the_answer(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    names = write_story(workspace)
    assert run(workspace, names.run) == 0
    assert capsys.readouterr().out.startswith(f"Run {names.run} started because the labels no longer follow")


def test_scripts_get_json(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    write_story(workspace)
    assert run(workspace, FIRST, "--json") == 0
    assert json.loads(capsys.readouterr().out)["start"] == FIRST


@pytest.mark.parametrize(("id", "said"), [("q-000", "nothing is known of 'q-000'"), ("r-", "several ids: ")])
def test_an_id_that_names_nothing_or_too_much_is_a_usage_error_of_one_line(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], id: str, said: str
) -> None:
    write_story(workspace)
    assert run(workspace, id) == 2
    assert said in capsys.readouterr().err


def test_it_reads_while_the_service_writes_and_leaves_everything_as_it_was(workspace: Workspace) -> None:
    with closing(Store(f"sqlite:///{workspace.triggers_database}")) as service:
        names: Names = write_events(service)
        before = [service.event(names.lonely), service.run(names.run)]
        assert run(workspace, names.run) == 0
        assert [service.event(names.lonely), service.run(names.run)] == before


def test_a_workspace_without_events_is_traced_all_the_same_and_gets_no_database(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    write_records(workspace)
    write_log(workspace)
    assert run(workspace, "order-2") == 0
    assert f"Release {SECOND} answered request order-2." in capsys.readouterr().out
    assert not workspace.triggers.exists()


@pytest.mark.parametrize("by", ["option", "environment", "file"])
def test_another_database_can_be_named(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.sqlite'}"
    with closing(Store(url)) as store:
        names = write_events(store)
    (tmp_path / "url").write_text(f"{url}\n", encoding="utf-8")
    if by == "environment":
        monkeypatch.setenv("PEDALFLOW_TRIGGERS_DATABASE", url)
    elif by == "file":
        monkeypatch.setenv("PEDALFLOW_TRIGGERS_DATABASE_FILE", str(tmp_path / "url"))
    assert run(workspace, names.run, *(["--database", url] if by == "option" else [])) == 0


def test_a_database_that_is_not_there_is_said_and_not_made(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(workspace, "q-1", "--database", f"sqlite:///{tmp_path / 'nowhere.sqlite'}") == 1
    assert "nowhere.sqlite" in capsys.readouterr().err
    assert not (tmp_path / "nowhere.sqlite").exists()
