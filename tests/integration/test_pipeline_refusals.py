"""Gates and anomalies: a model that is bad on one slice is refused, and data that breaks the schema stops the run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient

from pedalflow.run_record import RunRecord
from pedalflow.workspace import Workspace
from tests.integration.conftest import Trained
from tests.samples.project_copy import (
    MODEL_NAME,
    Done,
    Project,
    aliases,
    records,
    set_params,
    small_workspace,
    versions,
)

BAD, STRICT = "tests.samples.bad_at_night", "tests.samples.strict_weather"
REFUSED, ANOMALIES = 4, 6
LIMIT = 4.0  # the night is far above it, and slices that hold nights among other hours are below


@dataclass(frozen=True)
class Refused:
    """A refused run, with what registry and disk looked like before it."""

    workspace: Workspace
    done: Done
    record: RunRecord
    aliases_before: dict[str, str]
    versions_before: int
    releases_before: set[str]


@pytest.fixture(scope="module")
def refused(project: Project, first: Trained) -> Refused:
    """A model that is ten times too high at night and good else, where a good champion serves."""
    workspace = first.workspace
    before = (
        aliases(workspace),
        len(versions(workspace)),
        {path.name for path in workspace.releases.iterdir()},
    )
    params = workspace.params.read_text(encoding="utf-8")
    set_params(workspace, {"use_case": BAD, "slice_maximum_ratio": LIMIT})
    done = project.train(workspace, 1)
    workspace.params.write_text(params, encoding="utf-8")
    return Refused(workspace, done, records(workspace)[-1], *before)


@pytest.fixture(scope="module")
def anomalous(
    project: Project, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, Done, Done]:
    """A run on data that breaks the schema, and the same command again."""
    workspace = small_workspace(
        tmp_path_factory.mktemp("anomalous") / "workspace", data, {"use_case": STRICT}
    )
    return workspace, project.train(workspace), project.train(workspace)


def test_model_that_is_bad_on_one_slice_only_is_refused(refused: Refused) -> None:
    assert refused.done.code == REFUSED
    assert refused.record.outcome == "refused"
    failed = [(gate.rule, gate.slice) for gate in refused.record.gates if not gate.passed]
    assert failed == [("skill over naive", "hour_band=night")]


def test_refusal_names_rule_slice_and_numbers_on_stderr(refused: Refused) -> None:
    (gate,) = [gate for gate in refused.record.gates if not gate.passed]
    said = refused.done.stderr.splitlines()[-1]
    assert "skill over naive [hour_band=night]" in said
    assert f"{gate.value:.3f}" in said
    assert f"the limit is {LIMIT}" in said
    assert "champion stays what it was" in said
    assert "Traceback" not in refused.done.stderr


def test_refused_model_is_recorded_in_mlflow_with_the_reason(refused: Refused) -> None:
    client = MlflowClient(refused.workspace.mlflow_uri)
    experiment = client.get_experiment_by_name(MODEL_NAME)
    (run,) = client.search_runs(
        [experiment.experiment_id], f"tags.`pedalflow.release` = '{refused.record.release_id}'"
    )
    assert run.data.tags["pedalflow.gate"] == "refused"
    assert "skill over naive [hour_band=night]" in run.data.tags["pedalflow.refused_by"]
    assert run.info.status == "FINISHED"


def test_refused_model_changes_neither_versions_nor_champion(refused: Refused) -> None:
    assert refused.record.model_version is None
    assert aliases(refused.workspace) == refused.aliases_before
    assert len(versions(refused.workspace)) == refused.versions_before


def test_refused_release_is_not_pushed(refused: Refused) -> None:
    assert {path.name for path in refused.workspace.releases.iterdir()} == refused.releases_before
    assert str(refused.record.release_id) not in refused.releases_before


def test_refusal_can_be_accepted_for_experiments_and_stays_a_refusal(
    project: Project, refused: Refused
) -> None:
    params = refused.workspace.params.read_text(encoding="utf-8")
    set_params(refused.workspace, {"use_case": BAD, "slice_maximum_ratio": LIMIT})
    done = project.train(refused.workspace, 1, "--accept-refusal", "--json")
    refused.workspace.params.write_text(params, encoding="utf-8")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "refused"
    assert json.loads(done.stdout)["run_id"] == refused.record.run_id
    assert aliases(refused.workspace) == refused.aliases_before


def test_anomaly_stops_the_run_and_names_feature_and_split(anomalous: tuple[Workspace, Done, Done]) -> None:
    _, done, _ = anomalous
    assert done.code == ANOMALIES, done.stderr
    assert "weathersit (train)" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_nothing_is_trained_or_registered_after_an_anomaly(anomalous: tuple[Workspace, Done, Done]) -> None:
    workspace, done, _ = anomalous
    assert "AnomalyGate …" in done.stderr
    assert "Transform …" not in done.stderr
    assert "Trainer …" not in done.stderr
    assert records(workspace) == []
    assert not workspace.releases.exists()
    assert versions(workspace) == []


def test_anomaly_found_once_is_not_forgotten_by_the_cache(anomalous: tuple[Workspace, Done, Done]) -> None:
    _, done, again = anomalous
    assert again.code == ANOMALIES
    assert again.stderr.splitlines()[-1] == done.stderr.splitlines()[-1]
