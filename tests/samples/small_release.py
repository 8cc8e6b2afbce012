"""A real release for tests of serving, made in a second or two: 2011's hours, a log-linear ONNX model, fitted detectors, sealed.

    release = small_release(tmp_path / "one")                 # a folder tmp_path/one/r-…
    other = small_release(tmp_path / "two", scale=2.0)        # predicts twice as much, and is another release
    rows = sample_rows(3)                                     # records that it takes

The same arguments always give the same release, byte for byte.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from bikeshare.archive import ARCHIVE
from bikeshare.columns import FEATURES, LABEL
from bikeshare.request_schema import request_schema
from detectors.fitting import FittingSettings, fit_detectors
from detectors.layout import Layout
from detectors.stored import Detectors, write_detectors
from pedalflow.columns import Column, Kind
from pedalflow.release import DETECTORS, MODEL_CARD, ONNX_MODEL, REQUEST_SCHEMA, Release, seal

LAYOUT = Layout(
    date="dteday",
    hour="hr",
    label="count",
    integers=tuple(column.name for column in FEATURES if column.kind is Kind.INTEGER),
    numbers=tuple(column.name for column in FEATURES if column.kind is Kind.NUMBER),
)
EVALUATION_ROWS = 24 * 28
_EPOCH = date(1970, 1, 1)


def small_release(parent: Path, *, scale: float = 1.0, growth: float = 0.0) -> Release:
    """Seal a release inside `parent`. `scale` multiplies all predictions; `growth` is the model's rate by day since 2011."""
    draft = parent / "draft"
    draft.mkdir(parents=True)
    (draft / REQUEST_SCHEMA).write_text(json.dumps(request_schema(), sort_keys=True), encoding="utf-8")
    onnx.save(_model(scale, growth), str(draft / ONNX_MODEL))
    write_detectors(draft / DETECTORS, _detectors())
    (draft / MODEL_CARD).write_text("# A model for tests\n", encoding="utf-8")
    sealed = seal(draft, {"scale": scale, "growth": growth})
    folder = parent / sealed.name
    draft.rename(folder)
    return Release(folder, sealed.name, sealed.checksum, sealed.facts)


def sample_rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Real hours of 2011 as records that the sample release takes, dates as text."""
    return [
        {column.name: _as_sent(column, row[column.name]) for column in FEATURES}
        for row in _hours()[start : start + count]
    ]


@lru_cache(maxsize=1)
def sample_columns() -> Mapping[str, np.ndarray]:
    """All hours of 2011 as columns, the label `count` among them."""
    hours = _hours()
    columns = {column.name: _column(column, [row[column.name] for row in hours]) for column in FEATURES}
    return {**columns, "count": np.array([float(row[LABEL.name]) for row in hours])}


def expected_predictions(columns: Mapping[str, np.ndarray], scale: float = 1.0) -> np.ndarray:
    """What the sample model computes, in NumPy."""
    values = np.stack([columns[column.name].astype(np.float64) for column in FEATURES[1:]], axis=1)
    return np.asarray(scale * np.exp(values @ _weights()[1:] + _weights()[0]))


@lru_cache(maxsize=1)
def _hours() -> list[dict[str, str]]:
    text = gzip.decompress(ARCHIVE.read_bytes()).decode("ascii")
    return [row for row in csv.DictReader(io.StringIO(text)) if row["dteday"] < "2012"]


def _column(column: Column, texts: list[str]) -> np.ndarray:
    if column.kind is Kind.DATE:
        return np.array([(date.fromisoformat(text) - _EPOCH).days for text in texts], np.int64)
    return np.array([float(text) for text in texts], np.int64 if column.kind is Kind.INTEGER else np.float64)


def _as_sent(column: Column, text: str) -> Any:
    if column.kind is Kind.DATE:
        return text
    return int(text) if column.kind is Kind.INTEGER else float(text)


@lru_cache(maxsize=1)
def _weights() -> np.ndarray:
    """Least squares of log(1 + count): the constant first, then every feature but the date."""
    columns = sample_columns()
    values = np.stack([columns[column.name].astype(np.float64) for column in FEATURES[1:]], axis=1)
    design = np.column_stack([np.ones(len(values)), values])
    return np.asarray(np.linalg.lstsq(design, np.log1p(columns["count"]), rcond=None)[0])


@lru_cache(maxsize=1)
def _detectors() -> Detectors:
    columns = sample_columns()
    labels = columns["count"]
    train = {name: values[:-EVALUATION_ROWS] for name, values in columns.items()}
    evaluation = {name: values[-EVALUATION_ROWS:] for name, values in columns.items()}
    return fit_detectors(
        train,
        labels[:-EVALUATION_ROWS],
        evaluation,
        labels[-EVALUATION_ROWS:],
        expected_predictions,
        LAYOUT,
        FittingSettings(),
    )


def _model(scale: float, growth: float) -> onnx.ModelProto:
    """count = scale × exp(w·x + growth × (days - days of 2011-01-01))."""
    names = [column.name for column in FEATURES]
    weights = [growth, *_weights()[1:].tolist()]
    constant = float(_weights()[0] + np.log(scale) - growth * (date(2011, 1, 1) - _EPOCH).days)
    constants = [
        helper.make_tensor("weights", TensorProto.FLOAT, [len(names), 1], weights),
        helper.make_tensor("constant", TensorProto.FLOAT, [1], [constant]),
    ]
    inputs = [
        helper.make_tensor_value_info(
            column.name, TensorProto.FLOAT if column.kind is Kind.NUMBER else TensorProto.INT64, ["rows", 1]
        )
        for column in FEATURES
    ]
    nodes = [
        *(helper.make_node("Cast", [name], [f"{name}_float"], to=TensorProto.FLOAT) for name in names),
        helper.make_node("Concat", [f"{name}_float" for name in names], ["x"], axis=1),
        helper.make_node("Gemm", ["x", "weights", "constant"], ["log"]),
        helper.make_node("Exp", ["log"], ["count"]),
    ]
    outputs = [helper.make_tensor_value_info("count", TensorProto.FLOAT, ["rows", 1])]
    graph = helper.make_graph(nodes, "sample", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model
