"""MLflow, the real one on SQLite: what is registered, what an interrupted registration leaves, and what takes it away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnx
import pandas as pd
import pytest
from mlflow import MlflowClient
from onnx import TensorProto, helper

from components import registration
from components.acceptance import Evaluation
from components.registration import WORKSPACE_TAG, Evidence, register
from components.registry import (
    CHALLENGER,
    CHAMPION,
    RELEASE_TAG,
    Champion,
    Registered,
    Registry,
    champion,
    fetch_release,
    promote,
)
from components.verdict import Verdict
from pedalflow.columns import Column, Kind, Role
from pedalflow.errors import ReleaseBroken
from pedalflow.release import ONNX_MODEL, Release, open_release, seal
from pedalflow.run_record import GateResult, Score, SliceScore

FEATURES = (
    Column("hr", Kind.INTEGER, Role.FEATURE, "hour", "", 0, 23),
    Column("temp", Kind.NUMBER, Role.FEATURE, "-", ""),
)
SCORE = Score(200, 50.0, 30.0, 0.2, 1.0)
PASSED = GateResult("skill over naive", "hour=night", 0.5, 1.5, "RMSE ratio", True, "")
FAILED = replace(PASSED, value=9.25, passed=False)
TAGS = {"pedalflow.commit": "abc"}


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables, which take seconds to make."""
    path = tmp_path_factory.mktemp("mlflow") / "empty.sqlite"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def registry(empty_database: Path, tmp_path: Path) -> Registry:
    (tmp_path / "mlflow.sqlite").write_bytes(empty_database.read_bytes())
    return Registry(f"sqlite:///{tmp_path / 'mlflow.sqlite'}", "bikes", str(tmp_path / "artifacts"))


@pytest.fixture
def client(registry: Registry) -> MlflowClient:
    return MlflowClient(registry.tracking_uri)


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "events.out.tfevents.1").write_bytes(b"log")
    (tmp_path / "predictions.csv").write_text("hr,actual\n1,2\n", encoding="utf-8")
    example = pd.DataFrame({"hr": [3, 4], "temp": np.array([0.5, 0.25], np.float32), "cnt": [1, 2]})
    return Evidence(tmp_path / "predictions.csv", tmp_path / "logs", example)


def verdict(gate: GateResult = PASSED) -> Verdict:
    slices = (SliceScore("hour", "night", SCORE, SCORE, None),)
    return Verdict(
        1000, "2011-12-18", "2011-12-31", Evaluation(SCORE, replace(SCORE, rmse=90.0), None, slices), (gate,)
    )


def made(folder: Path, commit: str = "abc") -> Release:
    """A release whose model adds an hour and a temperature."""
    folder.mkdir(parents=True)
    inputs = [
        helper.make_tensor_value_info("hr", TensorProto.INT64, ["rows", 1]),
        helper.make_tensor_value_info("temp", TensorProto.FLOAT, ["rows", 1]),
    ]
    nodes = [
        helper.make_node("Cast", ["hr"], ["h"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["h", "temp"], ["count"]),
    ]
    output = helper.make_tensor_value_info("count", TensorProto.FLOAT, ["rows", 1])
    graph = helper.make_graph(nodes, "model", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / ONNX_MODEL).write_bytes(model.SerializeToString())
    return seal(folder, {"commit": commit, "parameters": {"model": {"epochs": 3}, "seed": 1}})


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return made(tmp_path / "release")


def aliases(client: MlflowClient, registry: Registry) -> Mapping[str, str]:
    return {k: str(v) for k, v in client.get_registered_model(registry.name).aliases.items()}


def versions(client: MlflowClient, registry: Registry) -> list[Any]:
    return list(client.search_model_versions(f"name = '{registry.name}'"))


def runs(client: MlflowClient, registry: Registry) -> list[Any]:
    return list(client.search_runs([client.get_experiment_by_name(registry.name).experiment_id]))


def registered(
    registry: Registry, release: Release, evidence: Evidence, gate: GateResult = PASSED
) -> Registered:
    return register(registry, release, verdict(gate), evidence, FEATURES, TAGS)


def test_blessed_release_becomes_a_challenger_with_its_tags(
    registry: Registry, client: MlflowClient, release: Release, evidence: Evidence
) -> None:
    found = registered(registry, release, evidence)
    assert found.version == "1"
    assert aliases(client, registry) == {CHALLENGER: "1"}
    (version,) = versions(client, registry)
    assert version.tags[RELEASE_TAG] == release.name
    assert version.tags["pedalflow.checksum"] == release.checksum
    assert version.run_id == found.mlflow_run


def test_run_keeps_parameters_metrics_tags_and_the_gates_decisions(
    registry: Registry, client: MlflowClient, release: Release, evidence: Evidence, tmp_path: Path
) -> None:
    run = client.get_run(registered(registry, release, evidence).mlflow_run)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"model.epochs": "3", "seed": "1"}
    assert run.data.metrics["candidate/rmse"] == 50.0
    assert run.data.metrics["naive/rmse"] == 90.0
    assert run.data.metrics["slice/hour/night/wape"] == 0.2
    assert run.data.tags["pedalflow.commit"] == "abc"
    gates = Path(client.download_artifacts(run.info.run_id, "gates.json", str(tmp_path)))
    assert json.loads(gates.read_text(encoding="utf-8"))["gates"][0]["slice"] == "hour=night"
    assert [item.path for item in client.list_artifacts(run.info.run_id, "tensorboard")] == [
        "tensorboard/events.out.tfevents.1"
    ]


def test_artifacts_go_where_they_are_told_and_not_into_the_working_directory(
    registry: Registry, release: Release, evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    registered(registry, release, evidence)
    assert list((tmp_path / "cwd").iterdir()) == []
    assert list((tmp_path / "artifacts").iterdir()) != []


def test_version_serves_its_input_example_with_the_signature_of_the_features(
    registry: Registry, client: MlflowClient, release: Release, evidence: Evidence
) -> None:
    registered(registry, release, evidence)
    source = versions(client, registry)[0].source
    model = mlflow.pyfunc.load_model(source)
    assert model.metadata.signature.inputs.input_names() == ["hr", "temp"]
    np.testing.assert_allclose(model.predict(model.input_example)["count"], [[3.5], [4.25]])


def test_same_release_twice_keeps_its_version_and_run(
    registry: Registry, client: MlflowClient, release: Release, evidence: Evidence
) -> None:
    first = registered(registry, release, evidence)
    assert registered(registry, release, evidence) == first
    assert len(versions(client, registry)) == len(runs(client, registry)) == 1


def test_refused_release_is_a_run_that_says_why_and_no_version(
    registry: Registry, client: MlflowClient, release: Release, evidence: Evidence
) -> None:
    found = registered(registry, release, evidence, FAILED)
    assert found.version is None
    assert versions(client, registry) == []
    tags = client.get_run(found.mlflow_run).data.tags
    assert tags["pedalflow.gate"] == "refused"
    assert tags["pedalflow.refused_by"] == "skill over naive [hour=night] 9.25 against 1.5 RMSE ratio"


def test_promotion_moves_the_champion_and_can_be_repeated(
    registry: Registry, client: MlflowClient, release: Release, evidence: Evidence, tmp_path: Path
) -> None:
    promote(registry, str(registered(registry, release, evidence).version), release.name)
    promote(registry, "1", release.name)
    assert aliases(client, registry) == {CHAMPION: "1"}
    newer = made(tmp_path / "newer", "def")
    second = registered(registry, newer, evidence)
    assert aliases(client, registry) == {CHAMPION: "1", CHALLENGER: "2"}
    assert champion(registry) == Champion(release.name, release.checksum)
    promote(registry, str(second.version), newer.name)
    assert aliases(client, registry) == {CHAMPION: "2"}
    assert champion(registry) == Champion(newer.name, newer.checksum)


def test_version_that_holds_another_release_is_not_promoted(
    registry: Registry, client: MlflowClient, release: Release, evidence: Evidence
) -> None:
    registered(registry, release, evidence)
    with pytest.raises(ReleaseBroken, match=f"holds {release.name}, not r-other"):
        promote(registry, "1", "r-other")
    assert aliases(client, registry) == {CHALLENGER: "1"}


def test_there_is_no_champion_before_the_first_registration(registry: Registry) -> None:
    assert champion(registry) is None


def test_there_is_no_champion_before_the_first_promotion(
    registry: Registry, release: Release, evidence: Evidence
) -> None:
    registered(registry, release, evidence)
    assert champion(registry) is None


def test_champion_that_is_no_release_is_told_and_not_taken_for_none(
    registry: Registry, client: MlflowClient, release: Release, evidence: Evidence
) -> None:
    registered(registry, release, evidence)
    client.create_model_version(registry.name, "file:///nowhere")
    client.set_registered_model_alias(registry.name, CHAMPION, "2")
    with pytest.raises(ReleaseBroken, match="is no release of Pedalflow's"):
        champion(registry)


def test_known_release_challenges_again_unless_it_serves(
    registry: Registry, client: MlflowClient, release: Release, evidence: Evidence
) -> None:
    registered(registry, release, evidence)
    client.delete_registered_model_alias(registry.name, CHALLENGER)
    registered(registry, release, evidence)
    assert aliases(client, registry) == {CHALLENGER: "1"}
    promote(registry, "1", release.name)
    registered(registry, release, evidence)
    assert aliases(client, registry) == {CHAMPION: "1"}


def test_run_of_a_killed_registration_is_swept_and_the_run_of_another_workspace_is_not(
    registry: Registry, client: MlflowClient, release: Release, evidence: Evidence
) -> None:
    own = registered(registry, release, evidence).mlflow_run
    experiment = client.get_experiment_by_name(registry.name).experiment_id
    tag = {WORKSPACE_TAG: client.get_run(own).data.tags[WORKSPACE_TAG]}
    killed, foreign = (client.create_run(experiment, tags=tags) for tags in (tag, {WORKSPACE_TAG: "other"}))
    registered(registry, release, evidence)
    assert {run.info.run_id for run in runs(client, registry)} == {own, foreign.info.run_id}
    assert client.get_run(killed.info.run_id).info.lifecycle_stage == "deleted"


STEPS = [
    (registration, "_log_model"),
    (MlflowClient, "log_batch"),
    (MlflowClient, "log_artifact"),
    (MlflowClient, "create_model_version"),
    (MlflowClient, "set_registered_model_alias"),
]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize(("owner", "step"), STEPS)
def test_any_error_leaves_no_run_at_work_and_no_version_that_is_not_whole(
    registry: Registry,
    client: MlflowClient,
    release: Release,
    evidence: Evidence,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    step: str,
    error: type[BaseException],
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error("no")

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, fails)
        with pytest.raises(error):
            registered(registry, release, evidence)
    assert aliases(client, registry) == {}
    assert [run for run in runs(client, registry) if run.info.status != "FINISHED"] == []
    for version in versions(client, registry):
        assert fetch_release(
            registry, version.tags[RELEASE_TAG], Path(registry.artifacts).parent / "kept"
        ).is_dir()
    assert registered(registry, release, evidence).version == "1"
    assert aliases(client, registry) == {CHALLENGER: "1"}


def test_registered_release_can_be_fetched_back_to_the_byte(
    registry: Registry, release: Release, evidence: Evidence, tmp_path: Path
) -> None:
    registered(registry, release, evidence)
    folder = fetch_release(registry, release.name, tmp_path / "fetched")
    assert open_release(folder).checksum == release.checksum
    assert onnx.load(folder / ONNX_MODEL) == onnx.load(release.folder / ONNX_MODEL)
