"""What a first run leaves: a release that holds what it says, in the registry and on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import tensorflow as tf
from mlflow import MlflowClient

from bikeshare.archive import ARCHIVE, cut_span
from bikeshare.columns import FEATURES
from components.examples_frame import read_split
from components.release_store import push_release
from components.scoring import graph_inputs
from pedalflow.release import Release, open_release
from pedalflow.run_record import from_json
from tests.integration.conftest import Trained
from tests.samples.project_copy import MODEL_NAME, PACKAGES, Project, aliases, records, versions

LEAKS = ("casual", "registered")
PARITY = 1e-5


@pytest.fixture(scope="module")
def release(first: Trained) -> Release:
    return open_release(first.release)


@pytest.fixture(scope="module")
def examples(first: Trained) -> Path:
    """The examples of the first run; other tests run in this workspace later."""
    return min(
        first.workspace.pipeline_root.glob("SpanExampleGen/examples/*"), key=lambda path: int(path.name)
    )


@pytest.fixture(scope="module")
def evaluation(examples: Path) -> pd.DataFrame:
    return read_split(examples / "Split-eval")


@pytest.fixture(scope="module")
def saved_model(release: Release) -> Any:
    return tf.saved_model.load(str(release.folder / "model" / "Format-Serving"))


@pytest.fixture(scope="module")
def from_onnx(release: Release, evaluation: pd.DataFrame) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        str(release.folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    return session.run(["count"], graph_inputs(FEATURES, evaluation))[0]


@pytest.fixture
def tracking(first: Trained) -> Iterator[MlflowClient]:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(first.workspace.mlflow_uri)
    yield MlflowClient()
    mlflow.set_tracking_uri(before)


def test_first_run_is_promoted_and_has_no_champion_to_compare_with(first: Trained) -> None:
    record = first.record
    assert record.outcome == "promoted"
    assert record.champion is None
    assert record.champion_release is None
    assert record.evaluation_first == "2011-12-18"
    assert record.evaluation_last == "2011-12-31"
    assert all(gate.passed for gate in record.gates)
    assert not any(timing.cached for timing in record.timings)


def test_printed_record_is_the_one_that_is_kept(first: Trained) -> None:
    (kept,) = [run for run in records(first.workspace) if run.run_id == first.record.run_id]
    assert kept == from_json(first.done.stdout)


def test_manifest_says_what_the_release_was_made_of(
    first: Trained, release: Release, project: Project
) -> None:
    facts: Any = release.facts
    (span,) = first.record.spans
    assert facts["spans"] == [
        {"number": 1, "rows": 8645, "first": "2011-01-01", "last": "2011-12-31", "md5": span.md5}
    ]
    assert (facts["commit"], facts["dirty"]) == (project.commit, False)
    assert (first.record.commit, first.record.dirty) == (project.commit, False)
    assert facts["parameters"]["model"]["units"] == [16]
    assert facts["parameters"]["gates"]["maximum_wape"] == 2.0
    assert facts["metrics"]["overall"]["candidate"]["rmse"] == first.record.candidate.rmse
    assert facts["environment"]["tfx"] == "1.16.0"
    assert facts["growth"]["rate"] == 0.0
    assert facts["growth"]["identified"] is False


def test_release_holds_every_part_and_no_pickle(release: Release) -> None:
    names = {str(path.relative_to(release.folder)) for path in release.folder.rglob("*") if path.is_file()}
    assert {"manifest.json", "model.onnx", "schema.pbtxt", "request_schema.json", "model_card.md"} <= names
    assert {"model/Format-Serving/saved_model.pb"} <= names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib", ".keras", ".h5"))]


def test_model_card_tells_rows_and_errors(release: Release, first: Trained) -> None:
    card = (release.folder / "model_card.md").read_text(encoding="utf-8")
    assert f"{first.record.train_rows:,} rows" in card
    assert f"| this model | {first.record.evaluation_rows} | {first.record.candidate.rmse:.1f} |" in card


def test_onnx_equals_saved_model_on_every_evaluation_row(
    saved_model: Any, evaluation: pd.DataFrame, from_onnx: np.ndarray
) -> None:
    raw = {name: tf.constant(values) for name, values in graph_inputs(FEATURES, evaluation).items()}
    expected = saved_model.signatures["serving_raw"](**raw)["count"].numpy()
    assert expected.shape == (len(evaluation), 1)
    assert (expected > 0).all()
    assert np.max(np.abs(from_onnx - expected) / expected) <= PARITY


def test_serialized_examples_get_the_same_predictions_as_raw_rows(
    saved_model: Any, evaluation: pd.DataFrame, examples: Path
) -> None:
    files = sorted(str(path) for path in (examples / "Split-eval").glob("*"))
    serialized = list(tf.data.TFRecordDataset(files).as_numpy_iterator())
    raw = {name: tf.constant(values) for name, values in graph_inputs(FEATURES, evaluation).items()}
    by_example = saved_model.signatures["serving_default"](examples=tf.constant(serialized))["count"].numpy()
    by_row = saved_model.signatures["serving_raw"](**raw)["count"].numpy()
    np.testing.assert_allclose(by_example, by_row, rtol=PARITY)


def test_model_that_is_served_has_the_error_that_is_recorded(
    first: Trained, evaluation: pd.DataFrame, from_onnx: np.ndarray
) -> None:
    error = from_onnx.reshape(-1).astype(float) - evaluation["cnt"]
    assert np.sqrt((error**2).mean()) == pytest.approx(first.record.candidate.rmse, rel=1e-6)


def test_predictions_file_has_one_row_for_each_evaluation_hour(first: Trained, from_onnx: np.ndarray) -> None:
    table = pd.read_csv(first.workspace.runs / first.record.run_id / "predictions.csv")
    assert list(table.columns) == ["dteday", "hr", "actual", "candidate", "naive", "champion"]
    assert len(table) == first.record.evaluation_rows == 333
    assert table["champion"].isna().all()
    assert (table["dteday"].min(), table["dteday"].max()) == ("2011-12-18", "2011-12-31")
    np.testing.assert_allclose(table["candidate"], from_onnx.reshape(-1), atol=6e-4)


def test_examples_are_the_rows_of_the_span_split_by_day(examples: Path, evaluation: pd.DataFrame) -> None:
    train = read_split(examples / "Split-train")
    source = pd.read_csv(pd.io.common.BytesIO(cut_span(ARCHIVE, 1)), parse_dates=["dteday"])
    days = (source["dteday"] - pd.Timestamp("1970-01-01")).dt.days
    written = pd.concat([train, evaluation], ignore_index=True)
    assert (written["dteday"] == days).all()
    assert (written["hr"] == source["hr"]).all()
    assert (written["cnt"] == source["cnt"]).all()
    assert train["dteday"].max() < evaluation["dteday"].min()


def test_leaking_columns_are_nowhere_in_examples_model_or_request(
    examples: Path, evaluation: pd.DataFrame, release: Release, saved_model: Any, tracking: MlflowClient
) -> None:
    inputs = {value.name for value in onnx.load(release.folder / "model.onnx").graph.input}
    raw = set(saved_model.signatures["serving_raw"].structured_input_signature[1])
    request = json.loads((release.folder / "request_schema.json").read_text(encoding="utf-8"))
    signature = mlflow.models.get_model_info(f"models:/{MODEL_NAME}@champion").signature
    expected = {column.name for column in FEATURES}
    assert inputs == raw == set(signature.inputs.input_names()) == expected
    assert not expected & {*LEAKS, "cnt"}
    assert set(evaluation.columns) == set(read_split(examples / "Split-train").columns) == expected | {"cnt"}
    for leak in LEAKS:
        assert leak not in json.dumps(request)
        assert leak not in (release.folder / "schema.pbtxt").read_text(encoding="utf-8")
        for file in examples.rglob("*tfrecord*"):
            assert leak.encode() not in file.read_bytes()


def test_model_version_is_champion_with_lineage(first: Trained, release: Release, project: Project) -> None:
    (version,) = versions(first.workspace)
    assert aliases(first.workspace) == {"champion": first.record.model_version}
    assert version.tags["pedalflow.release"] == release.name
    assert version.tags["pedalflow.checksum"] == release.checksum
    assert version.tags["pedalflow.commit"] == project.commit
    assert json.loads(version.tags["pedalflow.spans"]) == {"1": first.record.spans[0].md5}
    run = MlflowClient(first.workspace.mlflow_uri).get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["pedalflow.commit"] == project.commit
    assert json.loads(run.data.tags["pedalflow.spans"]) == {"1": first.record.spans[0].md5}
    assert run.data.tags["pedalflow.gate"] == "passed"
    assert run.data.params["model.epochs"] == "3"
    assert run.data.metrics["candidate/rmse"] == pytest.approx(first.record.candidate.rmse)


def test_registered_model_keeps_the_whole_release_and_tensorboard_logs(
    first: Trained, release: Release, tracking: MlflowClient, tmp_path: Path
) -> None:
    (version,) = versions(first.workspace)
    kept = Path(mlflow.artifacts.download_artifacts(f"models:/{MODEL_NAME}@champion", dst_path=str(tmp_path)))
    assert open_release(kept / "release").checksum == release.checksum
    logs = [item.path for item in _tree(tracking, version.run_id, "tensorboard")]
    assert any("events.out.tfevents" in path for path in logs)
    assert push_release(open_release(kept / "release"), tmp_path / "releases").name == release.name


def test_champion_loaded_from_mlflow_predicts_its_input_example(
    evaluation: pd.DataFrame, from_onnx: np.ndarray, tracking: MlflowClient, capfd: pytest.CaptureFixture[str]
) -> None:
    model = mlflow.pyfunc.load_model(f"models:/{MODEL_NAME}@champion")
    example = model.input_example
    assert set(example) == {column.name for column in FEATURES}
    predicted = model.predict(example)["count"]
    np.testing.assert_allclose(predicted, from_onnx[:3], rtol=PARITY)
    graph = mlflow.onnx.load_model(f"models:/{MODEL_NAME}@champion").SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(["count"], graph_inputs(FEATURES, evaluation))[0], from_onnx)
    assert "WARNING" not in capfd.readouterr().err


def test_progress_names_every_node_and_nothing_else_is_said(first: Trained) -> None:
    lines = [line for line in first.done.stderr.splitlines() if line.strip()]
    assert all(" …" in line for line in lines), first.done.stderr
    for timing in first.record.timings:
        assert f"{timing.node} …" in lines


def test_run_leaves_nothing_outside_its_workspace(first: Trained, project: Project) -> None:
    left = {path.name for path in project.root.iterdir()} - {".git", ".gitignore"}
    assert left == {package.split("/")[0] for package in PACKAGES} | {"data", "params.yaml"}
    assert {path.name for path in first.workspace.root.iterdir()} == {"params.yaml", "data", "state"}


def _tree(client: MlflowClient, run: str, folder: str) -> Iterator[Any]:
    for item in client.list_artifacts(run, folder):
        if item.is_dir:
            yield from _tree(client, run, item.path)
        else:
            yield item
