"""The model in ONNX Runtime."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pedalflow.release import ONNX_MODEL, Release
from serving.scoring.errors import ModelBroken
from serving.scoring.model import Model
from tests.samples.small_release import expected_predictions, sample_columns, small_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("model"), growth=0.01)


def test_predictions_are_those_of_the_graph(tmp_path: Path) -> None:
    columns = sample_columns()
    model = Model(small_release(tmp_path).folder / ONNX_MODEL)

    assert model.output == "count"
    assert set(model.inputs) == set(columns) - {"count"}
    assert model.predict(columns) == pytest.approx(expected_predictions(columns), rel=1e-5)
    assert model.predict(columns).dtype == np.float64


def test_one_row_is_predicted_as_in_a_batch(release: Release) -> None:
    model = Model(release.folder / ONNX_MODEL)
    columns = {name: values[:7] for name, values in sample_columns().items()}
    alone = {name: values[3:4] for name, values in columns.items()}

    assert model.predict(alone)[0] == model.predict(columns)[3]


def test_a_row_is_predicted_as_its_columns_are(release: Release) -> None:
    model = Model(release.folder / ONNX_MODEL)
    columns = {name: values[:50] for name, values in sample_columns().items()}
    rows = [{name: values[at].item() for name, values in columns.items()} for at in range(50)]

    assert [model.predict_row(row).tolist() for row in rows] == [
        model.predict({name: values[at : at + 1] for name, values in columns.items()}).tolist()
        for at in range(50)
    ]


def test_threads_do_not_get_into_each_others_rows(release: Release) -> None:
    model = Model(release.folder / ONNX_MODEL)
    columns = {name: values[:200] for name, values in sample_columns().items()}
    rows = [{name: values[at].item() for name, values in columns.items()} for at in range(200)]
    alone = [model.predict_row(row).tolist() for row in rows]

    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda row: model.predict_row(row).tolist(), rows * 10))

    assert len({value for (value,) in alone}) > 100
    assert together == alone * 10


def test_a_row_without_a_finite_prediction_is_an_error_too(release: Release) -> None:
    model = Model(release.folder / ONNX_MODEL)
    row = {name: values[0].item() for name, values in sample_columns().items()}

    with pytest.raises(ModelBroken, match="predicts inf for row 0"):
        model.predict_row({**row, "dteday": row["dteday"] + 100_000})
    assert np.isfinite(model.predict_row(row))


def test_a_prediction_that_is_no_number_is_an_error(release: Release) -> None:
    model = Model(release.folder / ONNX_MODEL)
    columns = {name: values[:3].copy() for name, values in sample_columns().items()}
    columns["dteday"][1] += 100_000

    with pytest.raises(ModelBroken, match="predicts inf for row 1"):
        model.predict(columns)


def test_a_model_starts_no_thread_which_a_forked_process_would_wait_for_at_its_end(release: Release) -> None:
    program = """
import os, sys
from pathlib import Path
import numpy
from serving.scoring.model import Model

before = os.listdir("/proc/self/task")
Model(Path(sys.argv[1]))
assert os.listdir("/proc/self/task") == before
"""
    subprocess.run([sys.executable, "-c", program, str(release.folder / ONNX_MODEL)], check=True, timeout=60)


@pytest.mark.parametrize("content", [b"", b"no model"])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)

    with pytest.raises(ModelBroken, match=r"model\.onnx cannot be loaded"):
        Model(path)
