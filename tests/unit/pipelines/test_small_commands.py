"""What `loop`, `train` and `evaluate` do beside training: parameters of a workspace, the unit of a report, broken files."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from bikeshare.columns import LABEL
from pedalflow.errors import DataMissing, SettingsError
from pedalflow.progress import Progress
from pedalflow.run_record import to_json
from pedalflow.workspace import Workspace
from pipelines import evaluate_command, loop_command, train_command
from tests.samples.run_record import tiny_predictions, tiny_record

PARAMS = loop_command.REPOSITORY / "params.yaml"


@pytest.fixture(autouse=True)
def loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command quietens its whole process; this one runs other tests too."""
    monkeypatch.setattr(evaluate_command, "silence", lambda verbose: None)


def said_by_loop(workspace: Workspace) -> str:
    stream = io.StringIO()
    loop_command.ensure_workspace(workspace, Progress(stream))
    return stream.getvalue()


def test_loop_gives_a_new_folder_the_repositorys_parameters_and_finds_them_again_in_silence(
    tmp_path: Path,
) -> None:
    workspace = Workspace(tmp_path / "new")
    assert said_by_loop(workspace) == said_by_loop(workspace) == ""
    assert workspace.params.read_bytes() == PARAMS.read_bytes()


def test_loop_says_in_a_line_that_the_parameters_differ_and_keeps_them(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.params.write_text("use_case: mine\n", encoding="utf-8")
    said = said_by_loop(workspace)
    assert said.startswith(f"{workspace.params} differs from the repository's params.yaml")
    assert said.count("\n") == 1 and "copy the repository's over it" in said
    assert workspace.params.read_text(encoding="utf-8") == "use_case: mine\n"


def test_in_run_the_way_to_start_anew_is_to_delete_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "params.yaml").write_text("epochs: 30\n", encoding="utf-8")
    monkeypatch.setattr(loop_command, "REPOSITORY", tmp_path)
    workspace = Workspace(tmp_path / "run")
    assert said_by_loop(workspace) == ""
    (tmp_path / "params.yaml").write_text("epochs: 20\n", encoding="utf-8")
    assert f"`make clean`, or delete {tmp_path / 'run'}" in said_by_loop(workspace)


def test_repository_that_is_the_workspace_does_not_differ_from_itself() -> None:
    assert said_by_loop(Workspace(loop_command.REPOSITORY)) == ""


def test_unit_of_a_report_is_that_of_the_label(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.params.write_bytes(PARAMS.read_bytes())
    assert train_command.label_unit(workspace) == LABEL.unit == "rentals"


@pytest.mark.parametrize(("command", "shown"), [(train_command, {}), (loop_command, {"as_json": False})])
def test_report_names_the_unit(
    command: object, shown: dict[str, bool], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, record = Workspace(tmp_path), tiny_record()
    workspace.params.write_bytes(PARAMS.read_bytes())
    folder = workspace.runs / record.run_id
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(to_json(record), encoding="utf-8")
    tiny_predictions().to_csv(folder / "predictions.csv", index=False)
    command._show([record], workspace, **shown)  # type: ignore[attr-defined]
    (page,) = workspace.reports.glob("*.html")
    assert "errors in rentals" in page.read_text(encoding="utf-8")
    assert str(page) in capsys.readouterr().out


def test_evaluate_names_a_record_that_is_broken(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"^{tmp_path}/run\.json: .*not JSON"):
        evaluate_command.main(["--workspace", str(tmp_path), str(tmp_path / "run.json")])


def test_evaluate_in_another_workspace_than_the_runs_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(to_json(tiny_record()), encoding="utf-8")
    into = tmp_path / "metrics"
    with pytest.raises(DataMissing, match=r"predictions\.csv is missing.*--workspace"):
        evaluate_command.main(["--workspace", str(tmp_path), str(tmp_path / "run.json"), "--into", str(into)])
    assert not into.exists()
