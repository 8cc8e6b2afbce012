"""The model of a release in ONNX Runtime: columns in, predictions out."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ModelBroken
from .one_row import OneRow
from .request import Columns

_NO_REPORTS = "ORT_DISABLE_TELEMETRY"
_DTYPES = {"tensor(float)": np.dtype(np.float32), "tensor(int64)": np.dtype(np.int64)}


class Model:
    """A graph with one input [rows, 1] for each field, by name, and one output [rows, 1]. Safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        """Raises ModelBroken where ONNX Runtime cannot load the file, or its inputs or outputs are of another kind."""
        self._session = _session(path)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        odd = [entry.name for entry in inputs if entry.type not in _DTYPES]
        if odd or len(outputs) != 1:
            raise ModelBroken(
                f"{path}: inputs must be floats or int64 and the output must be one; odd: {odd or 'the outputs'}"
            )
        self._inputs: tuple[tuple[str, Any], ...] = tuple(
            (entry.name, _DTYPES[entry.type]) for entry in inputs
        )
        self._outputs = [outputs[0].name]
        self._for_one_row = _session(path, one_row_of=str(inputs[0].shape[0]))
        self._of_thread = threading.local()

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self._inputs)

    @property
    def output(self) -> str:
        """The name of what is predicted."""
        return str(self._outputs[0])

    def predict(self, columns: Columns) -> npt.NDArray[np.float64]:
        """One prediction for each row.

        Raises:
            ModelBroken: a prediction is not a finite number; JSON could not carry it, and nobody could use it.
        """
        feeds = {name: columns[name].astype(dtype, copy=False).reshape(-1, 1) for name, dtype in self._inputs}
        return _finite(self._session.run(self._outputs, feeds)[0])

    def predict_row(self, row: Mapping[str, float]) -> npt.NDArray[np.float64]:
        """`predict` for a single row by field, without an array for each. Raises ModelBroken."""
        prediction = self._one_row().run(row)
        if not math.isfinite(prediction):
            raise _not_finite(prediction, 0)
        return np.array([prediction])

    def _one_row(self) -> OneRow:
        """This thread's own."""
        try:
            own: OneRow = self._of_thread.one_row
        except AttributeError:
            own = OneRow(_runtime(), self._for_one_row, self._inputs, self.output)
            self._of_thread.one_row = own
        return own


def _finite(output: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The predictions by row. Raises ModelBroken."""
    predictions = output.astype(np.float64).reshape(-1)
    if not all(map(math.isfinite, predictions.tolist())):
        row = int(np.flatnonzero(~np.isfinite(predictions))[0])
        raise _not_finite(predictions[row], row)
    return predictions


def _not_finite(prediction: float, row: int) -> ModelBroken:
    return ModelBroken(
        f"the model predicts {prediction} for row {row}, which is no finite number; it needs training anew"
    )


def _session(path: Path, *, one_row_of: str = "") -> Any:
    """A session; for the size that `one_row_of` names it may settle on one, and leave out what only asks for it."""
    onnxruntime = _runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = (
        1  # a small graph: more threads cost more than they give, and servers have workers
    )
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if one_row_of:
        options.add_free_dimension_override_by_name(one_row_of, 1)
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no class of their own
        raise ModelBroken(f"{path} cannot be loaded by ONNX Runtime ({error})") from error


def _runtime() -> Any:
    """ONNX Runtime, which from 1.29 on starts a thread when it is imported that reports to its makers, unless it is told not to.

    A program that forks, as servers do, would hang at its end: a forked process waits for that thread and does not have it.
    """
    os.environ.setdefault(_NO_REPORTS, "1")
    import onnxruntime

    return onnxruntime
