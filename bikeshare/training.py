"""TFX's Trainer calls `run_fn`: read the raw examples, apply the learnt preprocessing, fit, export.

The examples are transformed here, in a few large batches, instead of being written out by Transform and read again: the same
graph on the same rows, at a fraction of the cost (docs/decisions/0031-transform-inside-the-trainer.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.dsl.io import fileio
from tfx.utils import io_utils
from tfx_bsl.tfxio import dataset_options

from bikeshare.calendar import ORIGIN_SINCE_EPOCH
from bikeshare.columns import FEATURES, LABEL
from bikeshare.export import check_parity, export_onnx, export_saved_model
from bikeshare.growth import COVARIATES, Growth, estimate
from bikeshare.network import Hyperparameters, build, fit, seed_everything

ROWS_PER_BATCH = 65_536
Rows = Mapping[str, npt.NDArray[Any]]


def run_fn(fn_args: FnArgs) -> None:
    """Train on the split `train` and write the SavedModel, with ONNX and the growth term under its `assets.extra`."""
    hyperparameters = Hyperparameters.from_mapping(fn_args.custom_config["hyperparameters"])
    keras.backend.clear_session()  # the names of layers count up otherwise, and are part of the exported bytes
    seed_everything(hyperparameters)
    rows = read_rows(fn_args, fn_args.train_files)
    growth = estimate_growth(rows)
    transform = tf.saved_model.load(str(Path(fn_args.transform_graph_path) / "transform_fn"))
    model = build(hyperparameters, growth.rate)
    fit(
        model, transform_rows(transform, rows), rows[LABEL.name], hyperparameters, Path(fn_args.model_run_dir)
    )

    folder = Path(fn_args.serving_model_dir)
    raw = export_saved_model(model, transform, folder)
    extra = folder / "assets.extra"
    extra.mkdir()
    export_onnx(raw, extra / "model.onnx")
    check_parity(model, transform, extra / "model.onnx", read_rows(fn_args, fn_args.eval_files))
    _write_json(extra / "growth.json", growth)


def read_rows(fn_args: FnArgs, files: list[str]) -> Rows:
    """All examples of the given file patterns as one [rows, 1] array for each column, in the order of the files."""
    schema = io_utils.SchemaReader().read(fn_args.schema_path)
    options = dataset_options.TensorFlowDatasetOptions(
        batch_size=ROWS_PER_BATCH, drop_final_batch=False, num_epochs=1, shuffle=False
    )
    batches = list(fn_args.data_accessor.tf_dataset_factory(files, options, schema).as_numpy_iterator())
    names = [column.name for column in (*FEATURES, LABEL)]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in names}


def transform_rows(transform: tf.Module, rows: Rows) -> dict[str, npt.NDArray[Any]]:
    """The network's inputs for raw rows, by the graph that Transform learnt."""
    count = len(rows[LABEL.name])
    parts = [
        transform.transform_fn(
            {name: tf.constant(values[start : start + ROWS_PER_BATCH]) for name, values in rows.items()}
        )
        for start in range(0, count, ROWS_PER_BATCH)
    ]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


def estimate_growth(rows: Rows) -> Growth:
    """The growth term that the training rows can identify."""
    covariates = {name: rows[name] for name in COVARIATES}
    return estimate(rows["dteday"] - ORIGIN_SINCE_EPOCH, covariates, rows[LABEL.name])


def _write_json(path: Path, growth: Growth) -> None:
    content = {"rate": growth.rate, "identified": growth.identified, "reason": growth.reason}
    with fileio.open(str(path), "w") as stream:
        stream.write(json.dumps(content, indent=2, sort_keys=True) + "\n")
