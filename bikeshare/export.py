"""The trained model as files: a SavedModel for TFX and an ONNX graph for serving, both from raw features to the count.

Both hold the preprocessing. Their bytes depend on nothing but the weights and the graph: names that count up while a process
lives are renumbered, and protocol buffers are written in sorted order.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import tensorflow as tf
from tf2onnx import convert, tf_loader

from bikeshare.canonical import canonical_onnx, canonical_saved_model
from bikeshare.columns import FEATURES, HOUR, LABEL
from pedalflow.columns import Kind
from pedalflow.errors import ReleaseBroken

ONNX_OPSET = 17
PARITY = 1e-5  # greatest relative difference allowed between the Keras model and its ONNX export
TF_TYPES = {Kind.DATE: tf.int64, Kind.INTEGER: tf.int64, Kind.NUMBER: tf.float32}


class DemandModel(tf.Module):
    """The learnt preprocessing and the network behind one another, with the signatures that are exported."""

    def __init__(self, model: keras.Model, transform: tf.Module) -> None:
        super().__init__()
        self.model = model
        self.transform = transform

    @tf.function(autograph=False)
    def raw(self, **features: tf.Tensor) -> dict[str, tf.Tensor]:
        """Raw features, [batch, 1] each -> `count`, the expected rentals of the hour, [batch, 1]."""
        # The transform graph was traced with the label among its inputs; it uses it for nothing.
        label = {LABEL.name: tf.zeros_like(features[HOUR])}
        return {"count": self.model(self.transform.transform_fn({**features, **label}))}

    @tf.function(autograph=False)
    def examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Serialized tf.Examples, [batch] -> `count`, [batch, 1]."""
        specification = {c.name: tf.io.FixedLenFeature([1], TF_TYPES[c.kind]) for c in FEATURES}
        return self.raw(**tf.io.parse_example(examples, specification))


def export_saved_model(
    model: keras.Model, transform: tf.Module, folder: Path
) -> tf.types.experimental.ConcreteFunction:
    """Write the SavedModel with the signatures `serving_default` (examples) and `serving_raw` (raw features); returns the latter."""
    module = DemandModel(model, transform)
    examples = module.examples.get_concrete_function(tf.TensorSpec([None], tf.string, name="examples"))
    raw = module.raw.get_concrete_function(**{s.name: s for s in raw_signature()})
    signatures = {"serving_default": examples, "serving_raw": raw}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    canonical_saved_model(folder)
    return raw


def raw_signature() -> list[tf.TensorSpec]:
    """The raw features that a request carries, in table order."""
    return [tf.TensorSpec([None, 1], TF_TYPES[c.kind], name=c.name) for c in FEATURES]


def export_onnx(raw: tf.types.experimental.ConcreteFunction, path: Path) -> None:
    """Write the function behind the raw-feature signature as an ONNX graph.

    tf2onnx calls a graph converted that holds operations no runtime knows, so what came out is checked.

    Raises:
        ReleaseBroken: the converted graph has operations outside ONNX's own set.
    """
    inputs = [tensor.name for tensor in raw.inputs[: len(raw.inputs) - len(raw.captured_inputs)]]
    outputs = [tensor.name for tensor in raw.outputs]
    # The public `from_function` of tf2onnx takes what a function has captured for inputs; this is what it calls.
    proto, _ = convert._convert_common(
        tf_loader.from_function(raw, inputs, outputs),
        opset=ONNX_OPSET,
        input_names=inputs,
        output_names=outputs,
        tensors_to_rename=convert.tensor_names_from_structed(raw, inputs, outputs),
    )
    foreign = sorted({node.op_type for node in proto.graph.node if node.domain not in ("", "ai.onnx")})
    if foreign:
        raise ReleaseBroken(
            f"the ONNX export holds operations that ONNX does not know: {foreign}; replace them in the model"
        )
    try:
        onnx.checker.check_model(proto)
    except onnx.checker.ValidationError as error:
        # tf2onnx leaves what it cannot convert under the name that TensorFlow has for it.
        said = str(error).splitlines()[0]
        raise ReleaseBroken(
            f"the ONNX export is not valid ({said}); replace the operation in the model"
        ) from error
    path.write_bytes(canonical_onnx(proto, outputs=("count",)).SerializeToString(deterministic=True))


def check_parity(
    model: keras.Model, transform: tf.Module, path: Path, rows: Mapping[str, npt.NDArray[np.generic]]
) -> None:
    """Compare ONNX with Keras on every given row.

    Raises:
        ReleaseBroken: they differ by more than PARITY, relative to Keras, somewhere.
    """
    features = {column.name: rows[column.name] for column in FEATURES}
    whole = DemandModel(model, transform)
    expected = whole.raw(**{name: tf.constant(values) for name, values in features.items()})["count"].numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(["count"], features)[0]
    if not np.isfinite(expected).all():
        raise ReleaseBroken(
            "the model predicts values that are no finite numbers; lower model.learning_rate in params.yaml"
        )
    worst = float(np.max(np.abs(found - expected) / np.maximum(np.abs(expected), np.finfo(np.float32).tiny)))
    if not worst <= PARITY:
        raise ReleaseBroken(
            f"the ONNX export differs from the Keras model by {worst:.2e} (relative), but {PARITY:.0e} is the limit"
        )
