"""TFX's Trainer calls `run_fn`: read the raw examples, apply the learnt preprocessing, fit, export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult
from tfx.utils import io_utils
from tfx_bsl.tfxio import dataset_options

from office_power.columns import FEATURES, LABEL
from office_power.export import check_parity, export_onnx, export_saved_model
from office_power.network import Hyperparameters, build, fit
from pedalflow.errors import SettingsError


def run_fn(fn_args: FnArgs) -> None:
    """Train on the split `train` and write the SavedModel, with ONNX under its `assets.extra`."""
    hyperparameters = Hyperparameters.from_mapping(fn_args.custom_config["hyperparameters"])
    keras.backend.clear_session()
    rows = read_rows(fn_args, fn_args.train_files)
    transform = tf.saved_model.load(str(Path(fn_args.transform_graph_path) / "transform_fn"))
    model = build(hyperparameters, float(rows[LABEL.name].mean()))
    learnt = transform.transform_fn({name: tf.constant(values) for name, values in rows.items()})
    fit(model, {name: part.numpy() for name, part in learnt.items()}, rows[LABEL.name], hyperparameters)

    folder = Path(fn_args.serving_model_dir)
    raw = export_saved_model(model, transform, folder)
    extra = folder / "assets.extra"
    extra.mkdir()
    export_onnx(raw, extra / "model.onnx")
    check_parity(model, transform, extra / "model.onnx", read_rows(fn_args, fn_args.eval_files))


def read_rows(fn_args: FnArgs, files: list[str]) -> dict[str, Any]:
    """All examples of the given file patterns as one [rows, 1] array for each column."""
    schema = io_utils.SchemaReader().read(fn_args.schema_path)
    options = dataset_options.TensorFlowDatasetOptions(
        batch_size=65_536, drop_final_batch=False, num_epochs=1, shuffle=False
    )
    batches = list(fn_args.data_accessor.tf_dataset_factory(files, options, schema).as_numpy_iterator())
    return {
        column.name: np.concatenate([batch[column.name] for batch in batches])
        for column in (*FEATURES, LABEL)
    }


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """A use case that searches nothing says so."""
    raise SettingsError("this use case has no search; leave out --tune")
