"""The same graph is the same bytes, however its names were counted and its nodes were listed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from bikeshare.canonical import canonical_onnx, canonical_saved_model


def graph(prefix: str, *, backwards: bool = False, unused: bool = False) -> onnx.ModelProto:
    """count = (x + two) * three, with made-up names, in any order."""
    values = {"two": np.float32(2.0), "three": np.float32(3.0)}
    constants = [numpy_helper.from_array(np.array([v]), f"{prefix}/{name}") for name, v in values.items()]
    nodes = [
        helper.make_node("Add", ["x", f"{prefix}/two"], [f"{prefix}/sum"], name=f"{prefix}_1"),
        helper.make_node("Mul", [f"{prefix}/sum", f"{prefix}/three"], [f"{prefix}/out"], name=f"{prefix}_2"),
    ]
    if unused:
        nodes.append(helper.make_node("Neg", [f"{prefix}/sum"], [f"{prefix}/nobody"]))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])]
    outputs = [helper.make_tensor_value_info(f"{prefix}/out", TensorProto.FLOAT, [None, 1])]
    order = -1 if backwards else 1
    made = helper.make_graph(nodes[::order], prefix, inputs, outputs, constants[::order])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def as_bytes(model: onnx.ModelProto) -> bytes:
    return canonical_onnx(model, ("count",)).SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    "other", [graph("b"), graph("a", backwards=True), graph("c", backwards=True, unused=True)]
)
def test_names_order_and_unused_nodes_do_not_change_the_bytes(other: onnx.ModelProto) -> None:
    assert as_bytes(graph("a")) == as_bytes(other)


def test_another_constant_changes_the_bytes() -> None:
    other = graph("a")
    other.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array([2.5], np.float32), "a/two"))
    assert as_bytes(graph("a")) != as_bytes(other)


def test_canonical_graph_is_valid_and_computes_the_same_for_any_number_of_rows() -> None:
    model = canonical_onnx(graph("a", backwards=True, unused=True), ("count",))
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["count"], {"x": np.array([[1.0], [2.0]], np.float32)})
    np.testing.assert_array_equal(found, [[9.0], [12.0]])


def saved(folder: Path, factor: float = 2.0) -> Path:
    """A module whose functions get other numbers each time, because TensorFlow counts them while a process lives."""

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(factor)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def call(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": x * self.weight}

    module = Module()
    tf.saved_model.save(module, str(folder), signatures=module.call)
    return folder


def test_saved_models_made_one_after_the_other_differ_until_they_are_made_canonical(tmp_path: Path) -> None:
    one, other = saved(tmp_path / "one"), saved(tmp_path / "other")
    assert (one / "saved_model.pb").read_bytes() != (other / "saved_model.pb").read_bytes()
    for folder in (one, other):
        canonical_saved_model(folder)
    assert (one / "saved_model.pb").read_bytes() == (other / "saved_model.pb").read_bytes()
    assert not (one / "fingerprint.pb").exists()


def test_canonical_saved_model_loads_and_computes_the_same(tmp_path: Path) -> None:
    folder = saved(tmp_path / "one", factor=3.0)
    canonical_saved_model(folder)
    canonical_saved_model(folder)
    loaded = tf.saved_model.load(str(folder))
    found = loaded.signatures["serving_default"](x=tf.constant([1.0, 2.0]))["y"]
    np.testing.assert_array_equal(found.numpy(), [3.0, 6.0])
