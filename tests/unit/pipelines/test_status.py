"""`pedalflow status`: spans, runs and what the registry's aliases point to, as text and as data."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from components import registry
from pedalflow.errors import SettingsError
from pedalflow.progress import Progress
from pedalflow.run_record import RunRecord, to_json
from pedalflow.workspace import Workspace
from pipelines import status_command
from pipelines.status_command import NOTHING_YET, REACHED, as_text
from tests.samples.run_record import tiny_record

PARAMS = Path(__file__).resolve().parents[3] / "params.yaml"
MODEL = "bike-demand"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command sets for its own process must not stay in this one."""
    for variable in status_command.IMPATIENT:
        monkeypatch.setenv(variable, "1")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    shutil.copy(PARAMS, tmp_path)
    return Workspace(tmp_path)


@pytest.fixture
def registry_at(workspace: Workspace) -> Callable[[str], None]:
    """Puts a tracking URI into the workspace's parameters."""

    def put(uri: str) -> None:
        text = PARAMS.read_text(encoding="utf-8")
        assert "tracking_uri: null" in text
        workspace.params.write_text(
            text.replace("tracking_uri: null", f"tracking_uri: {uri}"), encoding="utf-8"
        )

    return put


@pytest.fixture(scope="module")
def registry_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's SQLite file with version 1 as champion, 2 as challenger and 3, without a release's tag, as neither."""
    folder = tmp_path_factory.mktemp("registry")
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.sqlite'}")
    client.create_registered_model(MODEL)
    for number in (1, 2, 3):
        client.create_model_version(MODEL, source=str(folder / str(number)))
        if number < 3:
            client.set_model_version_tag(MODEL, str(number), "pedalflow.release", f"r-{number}")
    client.set_registered_model_alias(MODEL, "champion", "1")
    client.set_registered_model_alias(MODEL, "challenger", "2")
    return folder / "mlflow.sqlite"


@pytest.fixture
def registered(workspace: Workspace, registry_file: Path) -> MlflowClient:
    """The workspace has that registry, a copy of its own."""
    workspace.state.mkdir()
    shutil.copy(registry_file, workspace.state / "mlflow.sqlite")
    return MlflowClient(workspace.mlflow_uri)


def read_status(workspace: Workspace) -> dict[str, Any]:
    return status_command.read_status(workspace, Progress(io.StringIO()))


def kept(workspace: Workspace, **changes: object) -> RunRecord:
    record = replace(tiny_record(), **changes)
    folder = workspace.runs / record.run_id
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(to_json(record), encoding="utf-8")
    return record


def test_new_workspace_has_nothing_registered_and_says_what_makes_a_release(workspace: Workspace) -> None:
    status = read_status(workspace)
    assert (status["spans"], status["runs"], status["champion"]) == ([], [], None)
    assert status["registry"] == NOTHING_YET
    assert "nothing registered yet; `pedalflow train --until-span 1`" in as_text(status)


def test_reading_the_status_creates_nothing(workspace: Workspace) -> None:
    read_status(workspace)
    assert [path.name for path in workspace.root.iterdir()] == ["params.yaml"]


def test_database_that_the_parameters_name_is_not_created_either(
    workspace: Workspace, registry_at: Callable[[str], None], tmp_path: Path
) -> None:
    registry_at(f"sqlite:///{tmp_path / 'elsewhere.sqlite'}")
    assert read_status(workspace)["registry"] == NOTHING_YET
    assert not (tmp_path / "elsewhere.sqlite").exists()


def test_champion_and_challenger_are_what_the_registry_says_and_not_what_runs_say(
    workspace: Workspace, registered: MlflowClient
) -> None:
    kept(workspace, run_id="a", outcome="promoted", release_id="r-9")
    status = read_status(workspace)
    assert (status["registry"], status["champion"], status["challenger"]) == (REACHED, "r-1", "r-2")
    assert as_text(status).endswith("Champion:   r-1\nChallenger: r-2")


def test_status_and_registrar_mean_the_same_aliases_and_tag() -> None:
    ours = (status_command.CHAMPION, status_command.CHALLENGER, status_command.RELEASE_TAG)
    assert ours == (registry.CHAMPION, registry.CHALLENGER, registry.RELEASE_TAG)


def test_alias_that_was_moved_or_deleted_shows_at_once(
    workspace: Workspace, registered: MlflowClient
) -> None:
    registered.set_registered_model_alias(MODEL, "champion", "2")
    registered.delete_registered_model_alias(MODEL, "challenger")
    status = read_status(workspace)
    assert (status["champion"], status["challenger"]) == ("r-2", None)
    assert "Challenger: none" in as_text(status)


def test_champion_that_is_no_release_is_named_by_its_version(
    workspace: Workspace, registered: MlflowClient
) -> None:
    registered.set_registered_model_alias(MODEL, "champion", "3")
    assert read_status(workspace)["champion"] == "version 3, which is no release of Pedalflow's"


def test_registry_without_the_model_has_nothing_registered(
    workspace: Workspace, registered: MlflowClient
) -> None:
    text = PARAMS.read_text(encoding="utf-8").replace(f"name: {MODEL}", "name: another-model")
    workspace.params.write_text(text, encoding="utf-8")
    assert read_status(workspace)["registry"] == NOTHING_YET


def test_registry_that_is_broken_is_said_in_words(workspace: Workspace) -> None:
    workspace.state.mkdir()
    (workspace.state / "mlflow.sqlite").write_bytes(b"no database " * 1000)
    status = read_status(workspace)
    assert status["registry"].startswith("not reachable: ") and "not a database" in status["registry"]
    assert "Registry: not reachable: " in as_text(status) and "Champion" not in as_text(status)


def test_server_that_does_not_answer_is_said_in_words(
    workspace: Workspace, registry_at: Callable[[str], None]
) -> None:
    registry_at("http://127.0.0.1:9")  # discard: nobody listens there
    kept(workspace, run_id="a")
    status = read_status(workspace)
    assert status["registry"].startswith("not reachable: ")
    assert [run["run"] for run in status["runs"]] == ["a"]


def test_parameters_that_cannot_be_read_are_refused_by_name(workspace: Workspace) -> None:
    workspace.params.write_text("use_case: [", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"params\.yaml is not readable"):
        read_status(workspace)


def test_runs_stand_oldest_first_whatever_they_are_called(workspace: Workspace) -> None:
    kept(workspace, run_id="a", finished="2026-01-02T00:00:00+00:00")
    kept(workspace, run_id="b", finished="2026-01-01T00:00:00+00:00")
    assert [run["run"] for run in read_status(workspace)["runs"]] == ["b", "a"]


def test_text_shows_each_run_with_outcome_error_and_release(workspace: Workspace) -> None:
    record = kept(workspace, run_id="a", outcome="refused", release_id="r-9")
    (line,) = [line for line in as_text(read_status(workspace)).splitlines() if "refused" in line]
    assert f"{record.candidate.rmse:.1f}" in line
    assert "r-9" in line


@pytest.mark.parametrize("broken", [b'{"run_id": "z"', b'{"run_id": "z"}', b"\xff\xfe", b"[]"])
def test_run_that_cannot_be_read_is_a_row_of_its_own_that_names_the_file(
    workspace: Workspace, broken: bytes
) -> None:
    kept(workspace, run_id="z")
    path = workspace.runs / "a" / "run.json"
    path.parent.mkdir()
    path.write_bytes(broken)
    status = read_status(workspace)
    assert [(run["run"], run["outcome"]) for run in status["runs"]] == [
        ("z", tiny_record().outcome),
        ("a", "unreadable"),
    ]
    assert status["runs"][1]["problem"].startswith(f"{path}: ")
    assert f"Unreadable: {path}: " in as_text(status)
