"""What a release's ONNX graph says of rows: the very computation that serving does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import pandas as pd

from pedalflow.columns import Column, Kind

NUMPY_TYPES = {Kind.DATE: np.int64, Kind.INTEGER: np.int64, Kind.NUMBER: np.float32}


def predict(onnx_model: Path, features: Sequence[Column], rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    """One prediction for each row."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(onnx_model), options, providers=["CPUExecutionProvider"])
    return session.run(None, graph_inputs(features, rows))[0].reshape(-1).astype(np.float64)


def graph_inputs(features: Sequence[Column], rows: pd.DataFrame) -> dict[str, npt.NDArray[np.generic]]:
    """Raw features as the ONNX graph takes them: [rows, 1] arrays by name."""
    return {c.name: rows[c.name].to_numpy(NUMPY_TYPES[c.kind]).reshape(-1, 1) for c in features}
