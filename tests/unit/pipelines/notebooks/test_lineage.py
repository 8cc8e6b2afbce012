"""From hours and spans to runs and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pedalflow.errors import DataMissing
from pedalflow.workspace import Workspace
from pipelines.notebooks import lineage, lineage_pictures, metadata
from pipelines.notebooks.metadata import Node, PipelineRun, Written
from tests.samples.run_record import tiny_record


def node(name: str, read: tuple[int, ...], written: int) -> Node:
    return Node(name, False, read, (Written(written, "Thing", "out", Path(f"/{written}")),))


RUN = PipelineRun(
    (node("Examples", (), 1), node("Schema", (), 2), node("Trainer", (1, 2), 3), node("Gate", (1, 3), 4)),
    {1: "aa"},
    "r-1",
)


def test_a_node_stands_one_place_behind_the_farthest_that_it_reads_from() -> None:
    assert metadata.layers(RUN) == {"Examples": 0, "Schema": 0, "Trainer": 1, "Gate": 2}
    assert ("Trainer", "Gate", "out") in metadata.edges(RUN)


def test_the_output_of_a_node_is_found_by_its_name() -> None:
    assert RUN.folder("Trainer", "out") == Path("/3")
    with pytest.raises(DataMissing, match="'Pusher'"):
        RUN.folder("Pusher", "out")


def test_nodes_of_one_place_stand_above_each_other() -> None:
    points = lineage_pictures.positions({"a": 0, "b": 0, "c": 1})
    assert points["a"][0] == points["b"][0] < points["c"][0]
    assert points["a"][1] > points["c"][1] > points["b"][1]


def test_a_workspace_in_which_nothing_ran_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="02-train-and-debug"):
        lineage.records(Workspace(tmp_path))
    assert lineage.ended(Workspace(tmp_path)) == ()
    with pytest.raises(DataMissing, match="pedalflow train"):
        metadata.pipeline_runs(Workspace(tmp_path))


def test_like_hours_are_equal_where_asked_and_nearest_elsewhere() -> None:
    rows = pd.DataFrame({"hr": [1, 1, 2, 1], "temp": [0.1, 0.5, 0.5, 0.6]})
    near = lineage.alike(rows, pd.Series({"hr": 1, "temp": 0.52}), ["hr"], ["temp"], count=2)
    assert near.index.tolist() == [1, 3]
    assert near["distance"].is_monotonic_increasing


def test_only_what_differs_between_runs_is_shown() -> None:
    runs = pd.DataFrame({"release": ["r-1", "r-2"], "same": [1, 1], "other": [1, 2]})
    assert lineage.differing(runs)["logged"].tolist() == ["other"]


def test_a_pointer_that_has_changed_is_told_apart() -> None:
    record = tiny_record()
    known = {span.number: span.md5 for span in record.spans}
    changed = {**known, record.spans[0].number: "another"}
    assert set(lineage.origin(record, known)["the pointer says"]) == {"the same"}
    assert lineage.origin(record, changed)["the pointer says"].iloc[0] == "another"


def test_rows_that_are_not_those_that_trained_are_refused() -> None:
    record = replace(tiny_record(), train_rows=5)
    rows = pd.DataFrame({"span": [1], "day": [pd.Timestamp("2011-01-01")]})
    with pytest.raises(DataMissing, match="trained on 5 rows"):
        lineage.learned_rows(rows, record)
