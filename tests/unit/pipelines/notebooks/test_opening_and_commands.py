"""Opening a workspace for a notebook, and calling the command from one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bikeshare.use_case import USE_CASE
from pipelines.notebooks import commands, opening


def test_rows_come_in_the_order_of_time_with_their_dates_as_days() -> None:
    rows = pd.DataFrame({"dteday": ["1970-01-03", "1970-01-02"], "hr": [0, 5]})
    ordered = opening.in_time(rows, USE_CASE)
    assert ordered["dteday"].tolist() == [1, 2]
    assert ordered["when"].tolist() == [pd.Timestamp("1970-01-02 05:00"), pd.Timestamp("1970-01-03")]


def test_a_workspace_is_made_with_its_data_its_registry_and_its_storage(tmp_path: Path) -> None:
    made = opening.open_workspace(
        tmp_path / "new", 0, mlflow_uri="http://mlflow:5000", storage="s3://bucket/dvc"
    )
    assert "tracking_uri: http://mlflow:5000" in made.params.read_text(encoding="utf-8")
    assert "url = s3://bucket/dvc" in (made.root / ".dvc" / "config.local").read_text(encoding="utf-8")


def test_a_workspace_that_is_there_keeps_its_parameters(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("use_case: bikeshare\n", encoding="utf-8")
    opening.open_workspace(tmp_path, 0, mlflow_uri="http://mlflow:5000")
    assert (tmp_path / "params.yaml").read_text(encoding="utf-8") == "use_case: bikeshare\n"


def test_a_workspace_without_a_loop_was_not_played(tmp_path: Path) -> None:
    assert opening.played(str(tmp_path)) is None


def test_the_loop_is_looked_for_where_the_notebooks_were_opened_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "loop.json").touch()
    monkeypatch.setenv("PEDALFLOW_WORKSPACE", str(tmp_path))
    found = opening.played("")
    assert found is not None and found.root == tmp_path


def test_long_branches_are_folded_below_their_beginning() -> None:
    text = "run q-1\n├─ " + "word " * 12 + "\n└─ last\n"
    assert commands.folded(text, 2, width=40).splitlines() == [
        "run q-1",
        "├─ word word word word word word word",
        "│    word word word word word",
        "… and 1 more lines",
    ]


def test_places_of_this_machine_get_names() -> None:
    assert commands.without_places("wrote /a/b/c", {"/a/b": "WORKSPACE"}) == "wrote WORKSPACE/c"


def test_nothing_is_called_where_no_kubeflow_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(commands.HOST_VARIABLE, raising=False)
    commands.on_cluster(opening.Workspace(tmp_path), "submit", str(tmp_path / "p.yaml"), "--reason", "a b")
    assert capsys.readouterr().out.splitlines()[1] == "  pedalflow submit WORKSPACE/p.yaml --reason 'a b'"
