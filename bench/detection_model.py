"""The model of a release, as the detectors' benchmark uses it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from detectors.layout import Columns

TYPES = {"tensor(int64)": np.int64, "tensor(float)": np.float32}


class OnnxModel:
    """Columns in, one prediction for each row out; one thread."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._types = {given.name: TYPES[given.type] for given in self._session.get_inputs()}

    def __call__(self, columns: Columns) -> npt.NDArray[np.float64]:
        given = {name: columns[name].astype(kind).reshape(-1, 1) for name, kind in self._types.items()}
        predictions: npt.NDArray[np.float64] = (
            self._session.run(None, given)[0].reshape(-1).astype(np.float64)
        )
        return predictions
