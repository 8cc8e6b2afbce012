"""The same question asked again: by a re-run, by a fresh workspace, and by the loop in one process."""

from __future__ import annotations

import filecmp
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pedalflow.release import open_release
from pedalflow.run_record import RunRecord, from_json
from pedalflow.workspace import Workspace
from tests.integration.conftest import Trained
from tests.samples.project_copy import Done, Project, aliases, records, said, small_workspace, versions


@dataclass(frozen=True)
class Loop:
    """A finished `pedalflow loop`."""

    workspace: Workspace
    done: Done
    runs: tuple[RunRecord, ...]
    report: Path


@pytest.fixture(scope="module")
def again(project: Project, first: Trained) -> Trained:
    """The first run's command, given a second time."""
    done = project.train(first.workspace, 1, "--json")
    assert done.code == 0, done.stderr
    return Trained(first.workspace, done, said(done))


@pytest.fixture(scope="module")
def alone(project: Project, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Spans 1 and 2, trained first of all in a workspace and process of their own."""
    workspace = small_workspace(tmp_path_factory.mktemp("alone") / "workspace", data)
    done = project.train(workspace, 2, "--json")
    assert done.code == 0, done.stderr
    return Trained(workspace, done, said(done))


@pytest.fixture(scope="module")
def loop(project: Project, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """Spans 1 and 2, trained one after the other in one process, in a fresh workspace."""
    workspace = small_workspace(tmp_path_factory.mktemp("loop") / "workspace", data)
    done = project.run(
        "pipelines.loop_command",
        "--workspace",
        str(workspace.root),
        "--until-span",
        "2",
        "--json",
        "--no-serve",
    )
    assert done.code == 0, done.stderr
    printed = json.loads(done.stdout)
    runs = tuple(from_json(json.dumps(run)) for run in printed["runs"])
    return Loop(workspace, done, runs, Path(printed["report"]))


def test_run_again_with_nothing_new_is_unchanged_and_all_from_cache(first: Trained, again: Trained) -> None:
    assert again.record.outcome == "unchanged"
    assert {timing.node for timing in again.record.timings} == {
        timing.node for timing in first.record.timings
    }
    assert [timing.node for timing in again.record.timings if not timing.cached] == []


def test_run_again_changes_neither_registry_nor_record(first: Trained, again: Trained) -> None:
    assert replace(again.record, outcome="promoted", timings=first.record.timings) == first.record
    of_release = [
        v for v in versions(first.workspace) if v.tags["pedalflow.release"] == first.record.release_id
    ]
    assert len(of_release) == 1
    kept = next(run for run in records(first.workspace) if run.run_id == first.record.run_id)
    assert kept == first.record


def test_run_again_takes_less_than_a_cpu_second_after_import(again: Trained) -> None:
    assert sum(timing.cpu_s for timing in again.record.timings) < 1.0


def test_fresh_workspace_and_process_give_the_same_release_to_the_byte(first: Trained, loop: Loop) -> None:
    _assert_same_release(first, loop, 0)


def test_training_after_another_and_against_a_champion_gives_the_same_release(
    alone: Trained, loop: Loop
) -> None:
    assert alone.record.champion_release is None
    assert loop.runs[1].champion_release is not None
    _assert_same_release(alone, loop, 1)


def test_newer_span_is_compared_with_champion_on_the_same_newest_rows(loop: Loop) -> None:
    record = loop.runs[1]
    assert record.champion is not None
    assert record.champion.rows == record.candidate.rows == record.naive.rows
    assert (record.evaluation_first, record.evaluation_last) == ("2012-01-18", "2012-01-31")
    compared = [
        gate for gate in record.gates if gate.rule == "no worse than champion" and gate.value is not None
    ]
    assert compared[0].value == pytest.approx(record.candidate.rmse / record.champion.rmse)


def test_new_champion_replaces_the_old_one_and_both_versions_stay(loop: Loop) -> None:
    assert aliases(loop.workspace) == {"champion": loop.runs[1].model_version}
    names = {version.tags["pedalflow.release"] for version in versions(loop.workspace)}
    assert names == {run.release_id for run in loop.runs}


def test_loop_leaves_two_records_of_which_the_second_met_the_first(loop: Loop) -> None:
    old, new = loop.runs
    assert [old.until_span, new.until_span] == [1, 2]
    assert [old.outcome, new.outcome] == ["promoted", "promoted"]
    assert new.champion_release == old.release_id
    assert new.champion is not None
    assert new.champion.rows == new.candidate.rows
    assert [run.run_id for run in records(loop.workspace)] == [old.run_id, new.run_id]


def test_loop_writes_one_report_that_shows_both_releases(loop: Loop) -> None:
    page = loop.report.read_text(encoding="utf-8")
    for run in loop.runs:
        assert str(run.release_id) in page
    assert "<script src" not in page
    assert 'href="http' not in page


def test_loop_names_spans_and_nodes_as_it_goes(loop: Loop) -> None:
    assert "Training on spans 1 to 1" in loop.done.stderr
    assert "Training on spans 1 to 2" in loop.done.stderr
    assert loop.done.stderr.count("Trainer …\n") == 2
    assert "Traceback" not in loop.done.stderr


def _assert_same_release(alone: Trained, loop: Loop, index: int) -> None:
    one, other = (
        open_release(alone.release),
        open_release(loop.workspace.releases / str(loop.runs[index].release_id)),
    )
    names = [str(path.relative_to(one.folder)) for path in one.folder.rglob("*") if path.is_file()]
    assert any("variables.data-" in name for name in names)
    same, different, unreadable = filecmp.cmpfiles(one.folder, other.folder, names, shallow=False)
    assert (different, unreadable) == ([], [])
    assert sorted(same) == sorted(names)
    assert one.checksum == other.checksum
