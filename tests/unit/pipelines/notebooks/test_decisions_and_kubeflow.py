"""How decisions of a loop are told, and the compiled pipeline."""

from __future__ import annotations

from pathlib import Path

from pedalflow.loop_record import LOOP, to_json
from pedalflow.workspace import Workspace
from pipelines.notebooks import decisions, kubeflow_views
from pipelines.notebooks.showing import png
from tests.samples.loop_record_sample import loop_record_sample
from tests.samples.run_record import tiny_record

COMPILED = Path(__file__).resolve().parents[3] / "samples" / "compiled" / "pedalflow.yaml"


def test_every_verdict_is_counted_once() -> None:
    record = loop_record_sample()
    assert decisions.verdicts(record)["verdicts"].sum() == len(record.scores)


def test_each_run_says_what_asked_for_it_and_how_many_joined() -> None:
    record = loop_record_sample()
    found = decisions.runs(record).set_index("run")
    first = record.runs[0]
    kinds = {event.id: event.kind for event in record.events}
    assert found["by"][first.id] == kinds[first.events[0]]
    assert found["joined by"][first.id] == len(first.events) - 1


def test_a_loop_that_was_played_is_told_in_a_sentence_and_drawn(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.state.mkdir()
    (workspace.state / LOOP).write_text(to_json(loop_record_sample()), encoding="utf-8")
    assert "2012-01-01 to 2012-12-31, replayed" in decisions.what_was_played(workspace)
    assert decisions.promoted_in(workspace) in {run.id for run in loop_record_sample().runs}
    assert png(decisions.decisions_picture(loop_record_sample())).startswith(b"\x89PNG")


def test_where_no_loop_was_played_it_says_how_to_play_one() -> None:
    assert "pedalflow --workspace run loop --quick" in decisions.what_was_played(None)
    assert decisions.promoted_in(None) is None


def test_the_tasks_of_the_inner_graph_stand_before_the_exit_handler() -> None:
    tasks = kubeflow_views.tasks(kubeflow_views.compiled(COMPILED))
    assert "tfx-dag" not in tasks
    assert list(tasks)[-1] == "RunCompletion" and tasks["RunCompletion"]
    assert all(set(waits) <= set(tasks) for waits in tasks.values())


def test_a_parameter_without_a_default_has_to_be_given() -> None:
    found = kubeflow_views.parameters(kubeflow_views.compiled(COMPILED)).set_index("parameter")
    assert found["default"]["spans"] == "has to be given"
    assert found["default"]["model_epochs"] == "3"


def test_a_rehearsed_release_is_known_again() -> None:
    record = tiny_record()
    assert record.run_id in kubeflow_views.known_as(str(record.release_id), [record])
    assert "No run" in kubeflow_views.known_as("r-other", [record])
