"""The exports: two signatures and an ONNX graph that say the same, and a parity check that sees when they do not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

os.environ["TF_USE_LEGACY_KERAS"] = "0"  # before Keras is imported: tensorflow_transform would set it to 1

import keras
import onnx
import onnxruntime
import tensorflow as tf

from bikeshare import export
from bikeshare.calendar import DAYS_PER_YEAR, ORIGIN_SINCE_EPOCH
from bikeshare.columns import FEATURES, LABEL
from bikeshare.network import Hyperparameters, build, seed_everything
from bikeshare.preprocessing import CODES, SCALED
from pedalflow.columns import Kind
from pedalflow.errors import ReleaseBroken

SMALL = Hyperparameters(members=1, units=(4,), embedding=2, frequencies=2)
ROWS = 40


class Transform(tf.Module):
    """What TFT would have learnt from rows of mean 0.5 and deviation 0.25, which its graph holds as captured values too."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.deviation = tf.constant(0.5), tf.constant(0.25)

    @tf.function
    def transform_fn(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        years = tf.cast(inputs["dteday"] - ORIGIN_SINCE_EPOCH, tf.float32) / DAYS_PER_YEAR
        scaled = {name: (inputs[name] - self.mean) / self.deviation for name in SCALED}
        return {"t": years} | {name: inputs[name] for name in CODES} | scaled


def raw() -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    rows: dict[str, np.ndarray] = {}
    for column in (*FEATURES, LABEL):
        if column.kind is Kind.NUMBER:
            rows[column.name] = random.uniform(0, 1, (ROWS, 1)).astype(np.float32)
        else:
            rows[column.name] = random.integers(0, 2, (ROWS, 1))
    rows["dteday"] = ORIGIN_SINCE_EPOCH + random.integers(0, 700, (ROWS, 1))
    return rows


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.backend.clear_session()
    seed_everything(SMALL)
    return build(SMALL, growth_rate=0.3)


@pytest.fixture(scope="module")
def folder(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SavedModel with its ONNX graph beside it."""
    root = tmp_path_factory.mktemp("export")
    exported = export.export_saved_model(model, Transform(), root / "saved")
    export.export_onnx(exported, root / "model.onnx")
    return root


def features() -> dict[str, np.ndarray]:
    return {column.name: raw()[column.name] for column in FEATURES}


def expected(model: keras.Model) -> np.ndarray:
    transform = Transform()
    transformed = transform.transform_fn({name: tf.constant(values) for name, values in raw().items()})
    return model(transformed).numpy()


def test_raw_signature_is_the_model_behind_its_preprocessing(model: keras.Model, folder: Path) -> None:
    loaded = tf.saved_model.load(str(folder / "saved"))
    found = loaded.signatures["serving_raw"](**{name: tf.constant(v) for name, v in features().items()})
    np.testing.assert_allclose(found["count"].numpy(), expected(model), rtol=1e-5)


def test_serialized_examples_give_the_same(model: keras.Model, folder: Path) -> None:
    def example(index: int) -> bytes:
        made = tf.train.Example()
        for name, values in features().items():
            feature = made.features.feature[name]
            if values.dtype == np.int64:
                feature.int64_list.value.append(int(values[index, 0]))
            else:
                feature.float_list.value.append(float(values[index, 0]))
        return made.SerializeToString()

    loaded = tf.saved_model.load(str(folder / "saved"))
    found = loaded.signatures["serving_default"](examples=tf.constant([example(i) for i in range(ROWS)]))
    np.testing.assert_allclose(found["count"].numpy(), expected(model), rtol=1e-5)


def test_onnx_takes_the_raw_features_and_gives_the_same(model: keras.Model, folder: Path) -> None:
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    assert {value.name for value in session.get_inputs()} == {column.name for column in FEATURES}
    assert [value.name for value in session.get_outputs()] == ["count"]
    (found,) = session.run(["count"], features())
    np.testing.assert_allclose(found, expected(model), rtol=1e-5)


def test_onnx_has_operations_of_onnx_alone(folder: Path) -> None:
    graph = onnx.load(folder / "model.onnx").graph
    assert {node.domain for node in graph.node} <= {"", "ai.onnx"}


def test_parity_holds_for_the_true_export(model: keras.Model, folder: Path) -> None:
    export.check_parity(model, Transform(), folder / "model.onnx", raw())


def test_parity_sees_a_weight_that_is_off_by_a_ten_thousandth(
    model: keras.Model, folder: Path, tmp_path: Path
) -> None:
    graph = onnx.load(folder / "model.onnx")
    graph.graph.node.append(onnx.helper.make_node("Mul", ["almost", "factor"], ["count"]))
    for node in graph.graph.node[:-1]:
        node.output[:] = ["almost" if name == "count" else name for name in node.output]
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1.0001], np.float32), "factor"))
    onnx.save(graph, tmp_path / "off.onnx")
    with pytest.raises(ReleaseBroken, match=r"differs from the Keras model by 1\.0\de-04"):
        export.check_parity(model, Transform(), tmp_path / "off.onnx", raw())


def test_model_that_predicts_no_finite_number_is_refused(folder: Path) -> None:
    seed_everything(SMALL)
    broken = build(SMALL)
    broken.get_layer("member_log_rates").level.assign([1000.0])
    with pytest.raises(ReleaseBroken, match="no finite numbers"):
        export.check_parity(broken, Transform(), folder / "model.onnx", raw())


def test_graph_with_foreign_operations_is_refused(tmp_path: Path) -> None:
    class Foreign(tf.Module):
        @tf.function
        def raw(self, **rows: tf.Tensor) -> dict[str, tf.Tensor]:
            return {
                "count": tf.math.lbeta(tf.concat([rows["temp"] + 1.0, rows["hum"] + 1.0], axis=1))[:, None]
            }

    foreign = Foreign().raw.get_concrete_function(**{s.name: s for s in export.raw_signature()})
    with pytest.raises(ReleaseBroken, match="Lgamma"):
        export.export_onnx(foreign, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
