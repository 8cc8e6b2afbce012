"""The model that every peer serves: rows in the order of the release's request schema, dates as days since 1970-01-01."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
import onnxruntime

ONNX, FEATURES = "PEDALFLOW_BENCH_ONNX", "PEDALFLOW_BENCH_FEATURES"
_TYPES = {"tensor(int64)": np.int64, "tensor(float)": np.float32}


class OnnxModel:
    """`predict` takes float64[rows, features] and returns float32[rows]."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(os.environ[ONNX], options)
        position = {name: at for at, name in enumerate(os.environ[FEATURES].split(","))}
        self._inputs = [(i.name, position[i.name], _TYPES[i.type]) for i in self._session.get_inputs()]

    def predict(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """One prediction a row."""
        feeds = {name: rows[:, at : at + 1].astype(dtype) for name, at, dtype in self._inputs}
        return self._session.run(None, feeds)[0][:, 0]
